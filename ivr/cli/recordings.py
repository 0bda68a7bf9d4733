"""`saldo recordings`: whether recordings are as they were made."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from ivr import settings
from ivr.billing.recordings import RATE, read_manifest
from ivr.cli.options import PLAIN, Config
from ivr.settings import SettingsError
from ivr.storage.recordings import CannotCheck
from ivr.storage.recordings import verify as check

WRONG, CANNOT_CHECK = 1, 2

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=PLAIN,
    help="Recordings of calls, and whether they are as they were made.",
)


@app.callback()
def recordings() -> None:
    """Recordings of calls, and whether they are as they were made."""


@app.command()
def verify(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Recordings, or folders of them.")
    ],
    config: Config = None,
) -> None:
    """Check recordings against their manifests: signature, sound, and every masked span.

    The key is [recordings] key. Exit status 0 when all are as they were made, 1 when one is not, 2
    when one could not be checked.

    Example: saldo recordings verify /var/lib/saldo/recordings
    """
    key = settings.load(config).recordings.key.get_secret_value()
    if not key:
        raise SettingsError("[recordings] key is not set: nothing can be checked without it")
    statuses = {_status(file, key) for file in _recordings(files)}
    if not statuses:
        print("saldo: there is no recording in " + ", ".join(map(str, files)), file=sys.stderr)
        raise typer.Exit(CANNOT_CHECK)
    if worst := max(statuses):
        raise typer.Exit(worst if WRONG not in statuses else WRONG)


def _recordings(files: Iterable[Path]) -> Iterator[Path]:
    for file in files:
        if file.is_dir():
            yield from sorted(file.glob("*.wav"))
        else:
            yield file.with_suffix(".wav") if file.suffix == ".json" else file


def _status(file: Path, key: str) -> int:
    """Say how it is with one recording."""
    try:
        wrong = check(file, key)
    except CannotCheck as error:
        print(f"{file}: cannot be checked: {error}", file=sys.stderr)
        return CANNOT_CHECK
    if wrong:
        print(f"{file}: NOT as it was made: {'; '.join(wrong)}")
        return WRONG
    print(f"{file}: as it was made, {_told(file)}")
    return 0


def _told(file: Path) -> str:
    manifest = read_manifest(file.with_suffix(".json").read_text(encoding="utf-8"))
    masked = sum(one.end - one.start for one in manifest.spans)
    told = f"{manifest.samples / RATE:.1f} s, {masked / RATE:.1f} s of it masked"
    return told if manifest.is_whole else f"{told}; the end of the call may be missing"
