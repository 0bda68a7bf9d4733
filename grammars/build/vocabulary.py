"""The words that a model knows, in groups, and how each is said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grammars.build.names import plain
from ivr.speech.grammar import load as grammars

UNKNOWN = "[unk]"


@dataclass(frozen=True)
class Vocabulary:
    """The words of a language: `general` ones, then names by how frequent they are."""

    language: str
    general: tuple[str, ...]
    # By question, sentences that answer it.
    answers: Mapping[str, tuple[str, ...]]
    given: tuple[str, ...]
    surnames: tuple[str, ...]
    company: tuple[str, ...]
    spoken: Mapping[str, tuple[str, ...]]
    # The names that are rather the other language's: its speakers say them in their own way.
    foreign: frozenset[str]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every word once, sorted."""
        return tuple(sorted({*self.general, *self.given, *self.surnames, *self.company}))

    def said(self, word: str) -> tuple[str, ...]:
        """The texts that make a synthesiser say the word as people do."""
        return self.spoken.get(word, (word,))


def load(folder: Path, language: str) -> Vocabulary:
    """Read the lists below `folder`/`language`, the grammars and nicknames beside `folder`."""
    other = folder / {"en": "es", "es": "en"}[language]
    own = folder / language
    spoken: dict[str, tuple[str, ...]] = {}
    general = []
    for line in _lines(own / "words.txt"):
        word, _, said = (part.strip() for part in line.partition("="))
        general.append(word)
        if said:
            spoken[word] = tuple(text.strip() for text in said.split("|"))
    answers = {
        grammar.name: tuple(grammar.sentences()) for grammar in grammars(folder.parent)[language]
    }
    general += sorted({word for said in answers.values() for line in said for word in line.split()})
    given = tuple(_lines(own / "given.txt"))
    nicknames = " ".join(_lines(folder.parent / "nicknames" / f"{language}.txt"))
    names = {plain(name): name for name in (*nicknames.replace(":", " ").split(), *given)}
    return Vocabulary(
        language,
        tuple(dict.fromkeys(general)),
        answers,
        tuple(dict.fromkeys((*given, *names.values()))),
        tuple(_lines(own / "surnames.txt")),
        tuple(_lines(own / "company.txt")),
        spoken,
        frozenset(
            name
            for file in ("given.txt", "surnames.txt")
            for name in _rather_of(tuple(_lines(other / file)), tuple(_lines(own / file)))
        ),
    )


def _rather_of(theirs: tuple[str, ...], ours: tuple[str, ...]) -> Iterable[str]:
    """Those of our names that are about as frequent with them as with us, or more."""
    rank = {name: place for place, name in enumerate(theirs)}
    for place, name in enumerate(ours):
        if rank.get(name, 1_000_000) <= 2 * place + 50:
            yield name


def _lines(file: Path) -> Iterable[str]:
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line
