"""A call in words: what the caller heard, as far as it was heard, and what the caller did."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ivr.lab.hearing import Heard, Hearing
from ivr.lab.phrasebook import LOUD, RATE, Samples, first_loud, first_place, read_sound
from ivr.lab.scenario_words import Transcriber
from ivr.speech import spoken
from ivr.speech.catalogue import Catalogue, Fixed, Gap, Kind

PROBE = round(0.4 * RATE)
"""so much of a part's beginning is looked for"""
BLOCK = round(0.1 * RATE)
LEAST_GAP = round(0.1 * RATE)
"""what is shorter is no name and no number"""
CUT_OFF = " …"
WHOLE = 0.9
"""a text of which so much was heard was said to its end"""
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Did:
    """What the caller did, and when it began and ended on the clock of the hearing."""

    began: float
    ended: float
    what: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript."""

    at: float
    """seconds from the answer"""
    who: str
    """"company" or "caller" """
    words: str


class Reader:
    """Reads phrases from their sound: fixed parts are known, what fills a gap is recognised.

    ‹Such words› are the speech model's, and may be wrong as any model may be; a phrase that was
    hushed ends in …
    """

    def __init__(self, catalogue: Catalogue, sounds: Path, transcriber: Transcriber) -> None:
        self._catalogue = catalogue
        self._sounds = sounds
        self._transcriber = transcriber

    def lines(self, hearing: Hearing, did: Sequence[Did], zero: float) -> list[Line]:
        """The whole call; `zero` is when it was answered. Takes a thread's time."""
        lines = [Line(round(one.began - zero, 1), "caller", one.what) for one in did]
        over = float("-inf")
        heard = hearing.heard
        for one, after in zip(heard, [*heard[1:], None], strict=True):
            turns = [each.ended for each in did if each.ended <= one.at]
            begins = one.opened if one.opened is not None else max([zero, over, *turns])
            ends = float("inf")
            if after is not None:
                ends = after.at if after.opened is None else after.opened
            words, seconds = self._read(one, hearing.between(begins, ends))
            over = begins + seconds
            lines.append(Line(round(begins - zero, 1), "company", words))
        return sorted(lines, key=lambda line: line.at)

    def _read(self, one: Heard, sound: Samples) -> tuple[str, float]:
        """What was heard of a phrase, and how many seconds of its sound that took."""
        text, position = "", 0
        gaps: list[Gap] = []
        for part in self._catalogue.phrase(one.phrase_id, one.language).parts:
            if isinstance(part, Gap):
                gaps.append(part)
            elif isinstance(part, Fixed):
                fixed = read_sound(self._sounds, part)
                fixed = fixed[first_loud(fixed) or 0 :]
                place = first_place(fixed[:PROBE], sound[position:])
                if place is None:  # hushed before it was said
                    break
                filled = self._fill(gaps, sound[position : position + place], one.language)
                gaps, position = [], position + place
                played = _played(fixed, sound[position:])
                position += played
                text += filled + _joint(filled, part.text) + _begun(part.text, played / len(fixed))
        text += self._fill(gaps, sound[position:], one.language)
        return text.strip(), position / RATE

    def _fill(self, gaps: Sequence[Gap], sound: Samples, language: str) -> str:
        loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > LOUD)
        if not gaps or len(loud) < LEAST_GAP:
            return ""
        near = sound[max(0, int(loud[0]) - BLOCK) : int(loud[-1]) + BLOCK]
        sayable = _sayable(tuple(gap.kind for gap in gaps), language)
        return f" ‹{self._transcriber.recognise(near, language, sayable)}›"


def _played(fixed: Samples, sound: Samples) -> int:
    """How many samples of a part were heard before something else was."""
    strange = 0
    for first in range(0, len(fixed), BLOCK):
        wanted, heard = fixed[first : first + BLOCK], sound[first : first + BLOCK]
        strange = 0 if _alike(wanted, heard) else strange + 1
        if strange > 1:  # one lost packet is no end
            return first - BLOCK
    return len(fixed)


def _alike(wanted: Samples, heard: Samples) -> bool:
    if len(heard) < len(wanted) // 2:
        return False
    one = wanted[: len(heard)].astype(np.float64)
    other = heard[: len(wanted)].astype(np.float64)
    if np.abs(one).max() <= LOUD:
        return bool(np.abs(other).max() <= LOUD * 2)
    return bool(one @ other >= _ALIKE * np.linalg.norm(one) * np.linalg.norm(other))


def _joint(filled: str, text: str) -> str:
    """What stands between what filled a gap and the text after it."""
    if not filled:
        return " "
    return ". " if text[0].isupper() else " "


def _begun(text: str, part: float) -> str:
    """As many words of a text as were said before it was hushed."""
    if part >= WHOLE:
        return text
    words = text.split()
    return " ".join(words[: round(part * len(words))]) + CUT_OFF


@cache
def _sayable(kinds: tuple[Kind, ...], language: str) -> tuple[str, ...] | None:
    """The words that fill gaps of these kinds; None when a name is among them: any words."""
    if "free" in kinds:
        return None
    if set(kinds) == {"spelled"}:
        return _words(spoken.spelled_words(string.digits + string.ascii_lowercase, language))
    return _words(spoken.vocabulary(language))


def _words(fragments: Iterable[str]) -> tuple[str, ...]:
    words = (word for each in fragments for word in each.replace("-", " ").split())
    return tuple(dict.fromkeys(words))
