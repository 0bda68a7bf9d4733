"""Single digits that stand one below the other: what a log or a stream of events makes of a card.

Lines that differ in nothing but numbers and names of calls are one series; each place of a number
in it is a column, and a column of single digits is read downwards, for each call by itself and
for all together.
"""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ivr.lab.leaktest.canaries import DISTINCT
from ivr.lab.leaktest.evidence import column_shape
from ivr.lab.leaktest.words import UNITS

LONGEST_LINE = 6000
SHORTEST_COLUMN = 6
FEWEST_LINES = 3
"""of one key: told once or twice it needs no mark"""
_FLAG = {"0", "1"}

_CALLS = re.compile(
    r"(?:PJSIP|Local|Snoop|Surrogate|WebSocket)/[\w./@-]+-[0-9a-f]{8}"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|\bC-[0-9a-f]{8}\b|\b\d{9,10}\.\d+\b|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
)
_RTP_EVENT = re.compile(r"\bevent 0{7}(\d)\b")
"""what `rtp set debug` prints of an RFC 4733 packet: its first byte, in eight hex digits"""
_NAME = re.compile(r"\b(?=[A-Za-z_]*\d)(?=\d*[A-Za-z_])\w{6,}\b|\b0x[0-9a-f]+\b")
"""letters and digits mixed: an id of something"""
_WORDS = re.compile(
    r"\b(?:" + "|".join(sorted(UNITS, key=len, reverse=True)) + r")\b", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+")
_PLACE = "\x01"


@dataclass(slots=True)
class Column:
    """Digits that stand one below the other."""

    digits: str
    lines: array[int]
    """the line of each, from 0 on"""
    series: str
    """what these lines have in common"""
    place: int
    """which of their numbers"""
    marked: bool = False
    """only of those lines that a flag marks"""

    @property
    def shape(self) -> str:
        """Of these lines, without a digit."""
        return column_shape(self.series, _PLACE, self.place)


@dataclass(slots=True)
class _Place:
    digits: list[str] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("L"))


def columns(lines: Iterable[str]) -> Iterator[Column]:
    """Every column of single digits, read downwards; longer numbers in it are left out."""
    series: dict[tuple[str, str], dict[int, _Place]] = defaultdict(lambda: defaultdict(_Place))
    for number_of_line, line in enumerate(lines):
        calls = " ".join(sorted(set(_CALLS.findall(line))))
        plain = _CALLS.sub("@", line[:LONGEST_LINE])
        plain = _NAME.sub("h", _RTP_EVENT.sub(r"event \1", plain))
        plain = _WORDS.sub(lambda word: UNITS[word[0].lower()], plain)
        numbers = _NUMBER.findall(plain)
        if not any(len(number) == 1 for number in numbers):
            continue
        shape = _NUMBER.sub(_PLACE, plain)
        for owner in {calls, ""}:
            for place, number in enumerate(numbers):
                if len(number) == 1:
                    here = series[shape, owner][place]
                    here.digits.append(number)
                    here.lines.append(number_of_line)
    for (shape, _), each in series.items():
        for place, found in each.items():
            for one in (found, *_marked(found, each.values())):
                if len(one.digits) >= SHORTEST_COLUMN:
                    yield Column("".join(one.digits), one.lines, shape, place, one is not found)


def _marked(found: _Place, others: Iterable[_Place]) -> Iterator[_Place]:
    """Only the digits of lines that a 1 marks which may be 0: the first packet of a key, the last.

    A key that is told in many lines is told there once. Columns of few different digits hold none.
    """
    if len(set(found.digits)) < DISTINCT:
        return
    for other in others:
        if set(other.digits) == _FLAG:
            lines = {line for digit, line in zip(other.digits, other.lines, strict=True)
                     if digit == "1"}  # fmt: skip
            marked = [place for place, line in enumerate(found.lines) if line in lines]
            if len(marked) * FEWEST_LINES <= len(found.lines):
                yield _Place(
                    [found.digits[place] for place in marked],
                    array("L", (found.lines[place] for place in marked)),
                )
