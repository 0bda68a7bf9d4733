"""`saldo speech install|test`: models that understand people, and whether they do."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ivr import hearing, log, settings
from ivr.cli.options import PLAIN, Config
from ivr.lab import understanding
from ivr.lab.speaking import FASTEST, SLOWEST, WORDS_A_MINUTE, Utterance, voice_file
from ivr.lab.understanding import Result, Trial
from ivr.settings import PROJECT, Settings, SettingsError
from ivr.speech.installing import Installed
from ivr.speech.installing import install as bring
from ivr.speech.mirror import PUBLIC, Mirror

INSTALLED = PROJECT / "var/models"
QUIETEST_DB, LOUDEST_DB = 60.0, 0.0

app = typer.Typer(
    help="Models that understand callers.", no_args_is_help=True, rich_markup_mode=PLAIN
)


class Language(StrEnum):
    """One that callers may speak."""

    EN = "en"
    ES = "es"


Voice = Annotated[str, typer.Option("--voice", metavar="en-gb+f2", help="A voice of espeak-ng.")]
Rate = Annotated[int, typer.Option("--rate", min=SLOWEST, max=FASTEST, help="Words a minute.")]
NoiseDb = Annotated[
    float | None,
    typer.Option(
        "--noise-db", min=LOUDEST_DB, max=QUIETEST_DB, help="From the noise up to the words."
    ),
]
Models = Annotated[
    str,
    typer.Option(
        "--models",
        metavar="shipped|DIR",
        help="Instead of those of saldo.toml: ours, or a folder with en or es in it.",
    ),
]


@app.command()
def install(
    languages: Annotated[list[str], typer.Argument(metavar="en|es...", help="Which.")],
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where to.", show_default="var/models")
    ] = INSTALLED,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="URL",
            help="A mirror: a folder on the web with model-list.json and the zip files.",
            show_default="Vosk's own",
        ),
    ] = PUBLIC,
) -> None:
    """Bring Vosk's public small models, about 40 MB each; one that is there already stays.

    Each is checked, unpacked and loaded once before it is put in its place. A proxy is taken from
    HTTPS_PROXY. Without internet: use --from, or unzip a model and name its folder in saldo.toml.

    Example: saldo speech install en es
    """
    wanted = list(dict.fromkeys(languages))
    for language in wanted:
        if language not in hearing.LANGUAGES:
            raise typer.BadParameter(
                f"callers speak {' or '.join(hearing.LANGUAGES)}, not {language!r}"
            )
    _tell(asyncio.run(_install(wanted, folder.expanduser().absolute(), source)))


async def _install(languages: Sequence[str], folder: Path, source: str) -> dict[str, Installed]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    done: dict[str, Installed] = {}
    console = Console(highlight=False, markup=False, soft_wrap=True)
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        async with Mirror(source) as mirror:
            for language in languages:
                task = progress.add_task(language, total=None)
                done[language] = found = await bring(
                    language,
                    folder,
                    mirror,
                    lambda here, size, task=task: progress.update(  # type: ignore[misc]  # mypy takes no default of a lambda
                        task, completed=here, total=size
                    ),
                )
                what = f"{found.name} is now in" if found.name else "is there already:"
                console.print(f"{language}: {what} {found.folder}, {found.rate} samples a second")
    return done


def _tell(done: Mapping[str, Installed]) -> None:
    """The settings that switch the models on."""
    toml = [f"{name} = {json.dumps(str(one.folder))}" for name, one in done.items()]
    variables = [
        f"SALDO_SPEECH__MODELS__{name.upper()}={shlex.quote(str(one.folder))}"
        for name, one in done.items()
    ]
    print("\nSwitch it on in saldo.toml:\n  [speech.models]")
    print("\n".join(f"  {line}" for line in toml))
    print("or in the environment of `saldo serve`:")
    print("\n".join(f"  {line}" for line in variables))
    print("and look what it understands: `saldo speech test`")


@app.command("test")
def try_out(
    language: Annotated[
        Language | None, typer.Argument(metavar="en|es", help="Default: every one with a model.")
    ] = None,
    config: Config = None,
    say: Annotated[
        str, typer.Option("--say", metavar="TEXT", help="Said in a synthetic voice.")
    ] = "",
    wav: Annotated[
        Path | None, typer.Option("--wav", metavar="FILE", help="A recording, 16-bit PCM.")
    ] = None,
    question: Annotated[
        str, typer.Option("--question", metavar="NAME", help="A file of grammars/, or name.")
    ] = "yes_no",
    *,
    voice: Voice = "",
    rate: Rate = WORDS_A_MINUTE,
    noise_db: NoiseDb = None,
    models: Models = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """What the speech models understand of a text or a recording; without either, a self-test.

    Exit status 0 when everything was understood as it should be, 1 when not.

    Example: saldo speech test en --say "yes please" --noise-db 20
    """
    log.configure("warning")
    if say and wav:
        raise typer.BadParameter("give --say or --wav, not both")
    like = Utterance(say, _voice(voice), rate, noise_db)
    loaded = _with_models(settings.load(config), models, language)
    results = asyncio.run(_results(loaded, language, like, wav, question))
    if as_json:
        print(json.dumps([_as_json(result) for result in results], ensure_ascii=False, indent=2))
    else:
        _show(loaded, results)
    if not all(result.passed for result in results):
        raise typer.Exit(1)


def _voice(name: str) -> str:
    found = voice_file(name) if name else ""
    if found is None:
        raise typer.BadParameter(f"espeak-ng has no voice {name!r}: try en-us, en-gb+f2 or es+m3")
    return found


def _with_models(loaded: Settings, models: str, language: Language | None) -> Settings:
    """The settings with the models that are to be tried, and no others."""
    named = dict(loaded.speech.models)
    if models == hearing.OURS:
        named = dict.fromkeys(hearing.LANGUAGES, models)
    elif models:
        folder = Path(models).expanduser()
        named = {each: str(folder / each) for each in hearing.LANGUAGES if (folder / each).exists()}
    wanted = [each for each in hearing.LANGUAGES if language is None or each == language.value]
    named = {each: named[each] for each in wanted if named.get(each)}
    if not named and models:
        raise SettingsError(f"there is no {' or '.join(wanted)} in {models}: see --models")
    if not named:
        raise SettingsError(
            f"no speech model is named for {' or '.join(wanted)}: run `saldo speech install` and "
            "set speech.models, or use --models shipped"
        )
    return loaded.model_copy(update={"speech": loaded.speech.model_copy(update={"models": named})})


async def _results(
    loaded: Settings, language: Language | None, like: Utterance, wav: Path | None, question: str
) -> list[Result]:
    names: list[str] = list(loaded.speech.models)
    preferred = loaded.company.language if loaded.company.language in names else names[0]
    spoken = language.value if language else preferred
    trials: list[Trial]
    if wav is not None:
        trials = [understanding.recorded(spoken, question, wav)]
    elif like.words:
        trials = [await understanding.spoken(spoken, question, like)]
    else:
        trials = await understanding.self_test(names, replace(like, words=""))
    ears = hearing.ears(loaded)
    if ears is None:
        return []
    try:
        return [await understanding.understand(ears, trial) for trial in trials]
    finally:
        ears.close()


def _as_json(result: Result) -> dict[str, object]:
    trial = result.trial
    return {
        "language": trial.language,
        "question": trial.question,
        "said": trial.said,
        "heard": result.heard,
        "meaning": result.meaning or None,
        "expected": trial.meaning,
        "passed": result.passed,
        "why": result.why,
        "seconds": round(result.seconds, 3),
        "sound_seconds": round(result.length_seconds, 2),
    }


def _show(loaded: Settings, results: Sequence[Result]) -> None:
    table = Table("", "language", "question", "said", "heard", "meaning", "took")
    for result in results:
        trial = result.trial
        table.add_row(
            "[green]✓[/green]" if result.passed else "[red]✗[/red]",
            trial.language,
            trial.question,
            escape(trial.said),
            escape(result.heard),
            escape(result.meaning) or f"[dim]{result.why}[/dim]",
            f"{result.seconds * 1000:.0f} ms",
        )
    console = Console(highlight=False)
    console.print(table)
    passed = sum(result.passed for result in results)
    console.print(f"{passed} of {len(results)} as it should be")
    for language, named in loaded.speech.models.items():
        if hearing.is_shipped(named):
            console.print(f"{language}: {escape(hearing.SYNTHETIC_ONLY)}", soft_wrap=True)
