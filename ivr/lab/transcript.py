"""A call in words: what the caller heard, as far as it was heard, and what the caller did."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Sequence
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
PACKET = round(0.02 * RATE)
MOST_LOST = 8
"""packets in a row; what comes after them is still known"""
MOST_STRANGE = 2
"""blocks in a row that lost packets can spoil"""
AROUND_SECONDS = 0.1
"""so long before and after the end of the caller's words it must be silent after a hush"""
LAST_SOUND_SECONDS = 0.5
"""no pause in a prompt is longer"""
_ALIKE = 0.8
_Fill = Callable[[Sequence[Gap], Samples, str], str]
"""What gaps are filled with, by their sound and its language"""


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
        for one, ends in _with_ends(hearing.heard):
            turns = [each.ended for each in did if each.ended <= one.at]
            begins = one.opened if one.opened is not None else max([zero, over, *turns])
            words, seconds = self._read(one, hearing.between(begins, ends), self._fill)
            over = begins + seconds
            lines.append(Line(round(begins - zero, 1), "company", words))
        return sorted(lines, key=lambda line: line.at)

    def said(self, hearing: Hearing, since: float) -> list[str]:
        """Each phrase that began since then, as far as it was heard, without what fills its gaps.

        Takes a thread's time.
        """
        return [
            self._read(one, hearing.between(_opened(one, since), ends), _nothing)[0]
            for one, ends in _with_ends(hearing.heard)
            if one.at > since
        ]

    def why_not_hushed(self, hearing: Hearing, began: float, ended: float) -> str:
        """Why nobody can say that the caller's words, from `began` to `ended`, hushed a prompt.

        "" when they did: it was being said when they began, silent before they were over, and not
        said to its end. Ask AROUND_SECONDS after they were over at the earliest. Takes a thread's
        time.
        """
        if not _is_loud(hearing.between(began - LAST_SOUND_SECONDS, began)):
            return "nothing was being said when these words began"
        if _is_loud(hearing.between(ended - AROUND_SECONDS, ended + AROUND_SECONDS)):
            return "it was still being said when these words were over"
        before = [(one, ends) for one, ends in _with_ends(hearing.heard) if one.at < ended]
        if not before:
            return "it was no phrase that we know"
        one, ends = before[-1]
        since = _opened(one, max((each.at for each, _ in before[:-1]), default=float("-inf")))
        words, _ = self._read(one, hearing.between(since, ends), _nothing)
        return "" if words.endswith(CUT_OFF) else f"{one.phrase_id} was said to its end"

    def _read(self, one: Heard, sound: Samples, fill: _Fill) -> tuple[str, float]:
        """What was heard of a phrase, and how many seconds of its sound that took."""
        text, position, hushed = "", 0, ""
        gaps: list[Gap] = []
        for part in self._catalogue.phrase(one.phrase_id, one.language).parts:
            if isinstance(part, Gap):
                gaps.append(part)
            elif isinstance(part, Fixed):
                fixed = read_sound(self._sounds, part)
                fixed = fixed[first_loud(fixed) or 0 :]
                place = first_place(fixed[:PROBE], sound[position:])
                if place is None:  # hushed before it was said
                    hushed = CUT_OFF if CUT_OFF not in text else ""
                    break
                filled = fill(gaps, sound[position : position + place], one.language)
                gaps, position = [], position + place
                played, lost = _played(fixed, sound[position:])
                position += played - lost
                text += filled + _joint(filled, part.text) + _begun(part.text, played / len(fixed))
        text += fill(gaps, sound[position:], one.language) + hushed
        return text.strip(), position / RATE

    def _fill(self, gaps: Sequence[Gap], sound: Samples, language: str) -> str:
        loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > LOUD)
        if not gaps or len(loud) < LEAST_GAP:
            return ""
        near = sound[max(0, int(loud[0]) - BLOCK) : int(loud[-1]) + BLOCK]
        sayable = _sayable(tuple(gap.kind for gap in gaps), language)
        return f" ‹{self._transcriber.recognise(near, language, sayable)}›"


def _nothing(_gaps: Sequence[Gap], _sound: Samples, _language: str) -> str:
    return ""


def _with_ends(heard: Sequence[Heard]) -> Iterator[tuple[Heard, float]]:
    """Each phrase, and when the next one begins."""
    for one, after in zip(heard, [*heard[1:], None], strict=True):
        yield one, float("inf") if after is None else _opened(after, after.at)


def _opened(one: Heard, otherwise: float) -> float:
    return otherwise if one.opened is None else one.opened


def _is_loud(sound: Samples) -> bool:
    return first_loud(sound) is not None


def _played(fixed: Samples, sound: Samples) -> tuple[int, int]:
    """How many samples of a part were played before something else, or nothing, was.

    And how many of them were lost on the way.
    """
    strange = lost = 0
    for first in range(0, len(fixed), BLOCK):
        missing = _missing(fixed[first : first + BLOCK], sound, first - lost)
        lost += missing or 0
        strange = strange + 1 if missing is None else 0
        if strange > MOST_STRANGE:
            return first - MOST_STRANGE * BLOCK, lost
    return max(0, len(fixed) - strange * BLOCK), lost


def _missing(wanted: Samples, sound: Samples, place: int) -> int | None:
    """How many samples before this place were lost; None when it is not heard near there."""
    for missing in range(0, min(place, MOST_LOST * PACKET) + 1, PACKET):
        begins = place - missing
        if _alike(wanted, sound[begins : begins + BLOCK]):
            return missing
    return None


def _alike(wanted: Samples, heard: Samples) -> bool:
    if len(heard) < len(wanted) // 2:
        return False
    one = wanted[: len(heard)].astype(np.float64)
    other = heard[: len(wanted)].astype(np.float64)
    if np.abs(one).max() <= LOUD:
        return bool(np.abs(other).max() <= LOUD * 2)
    return bool(0.0 < one @ other >= _ALIKE * np.linalg.norm(one) * np.linalg.norm(other))


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
