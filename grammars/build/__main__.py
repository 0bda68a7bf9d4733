"""The builder's commands: names, build, compile, measure."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from grammars.build import corpus, debian, names

WORDS = Path("grammars/words")
MODELS = Path("grammars/models")
WORK = Path("var/speech-model")
LANGUAGES = ("en", "es")
COMPANY = Path("ivr/lab/company/customers.csv")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it worked."""
    parser = argparse.ArgumentParser(prog="python -m grammars.build", description=__doc__)
    parser.add_argument("command", choices=("names", "build", "compile", "measure"))
    parser.add_argument("languages", nargs="*", help="en, es; both when none is named")
    parser.add_argument("--utterances", type=int, help="to train with, fewer for a quick try")
    parser.add_argument("--trials", type=int, default=300, help="utterances a figure")
    parser.add_argument("--models", type=Path, default=MODELS)
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.languages) - set(LANGUAGES):
        parser.error(f"no language {' or '.join(sorted(unknown))}: choose from en, es")
    if not WORDS.is_dir():
        print("start this in the project's own folder", file=sys.stderr)  # noqa: T201 - a command
        return 2
    try:
        _run(chosen)
    except debian.ToolsError as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


def _run(chosen: argparse.Namespace) -> None:
    if chosen.command == "names":
        names.write(WORDS, COMPANY)
        return
    studio = corpus.prepare(WORK, WORDS)
    for language in chosen.languages or LANGUAGES:
        folder = chosen.models / language
        if chosen.command == "measure":
            _measure(studio, language, folder, chosen.trials)
        else:
            _build(studio, language, folder, chosen)


# OpenFst, which builds, and Vosk, which has an OpenFst of its own in it, do not bear each other in
# one process: each is imported by the command that needs it.


def _build(studio: corpus.Studio, language: str, folder: Path, chosen: argparse.Namespace) -> None:
    from grammars.build import shipping  # noqa: PLC0415 - see above

    recipe = shipping.RECIPES[language]
    if chosen.utterances:
        recipe = replace(recipe, utterances=chosen.utterances)
    make = shipping.build if chosen.command == "build" else shipping.compile_words
    make(studio, language, folder, recipe, _tell)


def _measure(studio: corpus.Studio, language: str, folder: Path, trials: int) -> None:
    from grammars.build import espeak, lexicon, measuring, vocabulary  # noqa: PLC0415 - see above

    words = vocabulary.load(studio.words, language)
    said = lexicon.make(words, espeak.Espeak(studio.data))
    bench = measuring.Bench(folder, words, said, debian.Tools(studio.tools), trials)
    for engine in ("espeak", "flite") if language == "en" else ("espeak",):
        for name, figure in bench.figures(engine):
            print(f"{language} {engine:7} {name:42} {figure:>8}", flush=True)  # noqa: T201 - its result
    share = bench.busy_seconds / bench.audio_seconds
    print(f"{language}         seconds of one core a second of speech {share:12.4f}")  # noqa: T201 - as above


_begun = time.monotonic()


def _tell(what: str) -> None:
    print(f"{time.monotonic() - _begun:6.0f} s  {what}", flush=True)  # noqa: T201 - progress


if __name__ == "__main__":
    sys.exit(main())
