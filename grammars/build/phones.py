"""The sounds that a model tells apart, and how each synthesiser's own names map to them."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SILENCE = "SIL"
NOISE = "NSN"


class UnknownSoundError(Exception):
    """A synthesiser made a sound that the table does not have: add it to phones.py."""


@dataclass(frozen=True)
class Sounds:
    """The sounds of a language, silence and noise first."""

    names: tuple[str, ...]
    # Those that last two output frames or more: a shorter one is noise beside a word.
    long: frozenset[str]
    from_ipa: Mapping[str, tuple[str, ...]]

    def number(self, name: str) -> int:
        """From 0; in Kaldi's files one more."""
        return self.names.index(name)

    def of(self, ipa: str) -> tuple[str, ...]:
        """The sounds of one phoneme as espeak-ng writes it; UnknownSoundError."""
        bare = ipa.translate(_MARKS)
        if not bare:
            return ()
        try:
            return self.from_ipa[bare]
        except KeyError:
            raise UnknownSoundError(f"phones.py has no sound for {bare!r}") from None


# Stress, length, syllabicity, dental and palatal marks, and ties.
_MARKS = {ord(mark): None for mark in "ˈˌːˑʲ̩̪͡ʰ̃-:ʼ̯̥̝̞"}


def _table(pairs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    table = {}
    for pair in pairs:
        said, _, means = pair.partition("=")
        table[said] = tuple(means.split())
    return table


def _sounds(own: str, long: str, others: Iterable[str]) -> Sounds:
    names = own.split()
    table = {name: (name,) for name in names} | _table(others)
    return Sounds((SILENCE, NOISE, *names), frozenset(long.split()), table)


_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

SOUNDS: Mapping[str, Sounds] = {
    language: _sounds(
        _TABLES[language]["sounds"], _TABLES[language]["long"], _TABLES[language]["others"]
    )
    for language in ("en", "es")
}

# Flite's American sounds, in the English ones.
FLITE: Mapping[str, tuple[str, ...]] = _table(_TABLES["flite"]["others"])
