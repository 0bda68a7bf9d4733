"""`saldo prompts build`: every fixed sound, made before any call."""

from __future__ import annotations

import asyncio

import typer
from rich.progress import Progress

from ivr import parts, settings
from ivr.cli.options import PLAIN, Config
from ivr.speech.prompts import Built

app = typer.Typer(
    help="The sounds that callers hear.", no_args_is_help=True, rich_markup_mode=PLAIN
)


@app.command()
def build(config: Config = None) -> None:
    """Make what is missing or changed in the sounds folder, in the PBX's own formats.

    Example: saldo prompts build
    """
    with Progress(transient=True) as progress:
        task = progress.add_task("speaking", total=None)
        built = _build(
            settings.load(config),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    print(
        f"{built.made} sounds made, {built.kept} kept, {built.removed} removed"
        f" in {built.seconds:.1f} s"
    )


def _build(loaded: settings.Settings, progress: parts.BuildProgress) -> Built:
    try:
        return asyncio.run(parts.build_prompts(loaded, progress))
    except OSError as error:
        message = f"{loaded.speech.sounds} cannot be written: {error.strerror}"
        raise settings.SettingsError(f"{message}; set speech.sounds") from None


@app.callback()
def group() -> None:
    """Keep `build` a command of its own although it is the only one."""
