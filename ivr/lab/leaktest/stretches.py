"""How many digits in a row must stand below each other before it is a find and no chance.

Eight where few digits stand there. A column of n digits has about n places at which a stretch of
L digits may begin, and each of the W stretches of that length that are known stands at one of them
by chance with the product of the shares that its digits have in the column: 10 to the power of -L
where all ten digits are alike. So n x W / 10^L chance finds are to be expected of one reading of a
column, and L is the least for which all readings of a file or stream together may be expected to
have CHANCE finds at most, each of them its part. With one card (64 stretches) and sixteen digits,
L is eight. The cards of 200 calls, each with an expiry date and a code of its own, are about 2,000
stretches, both ways: with 5,000 readings, 25 digits (of one call) need twelve, since
25 x 2,000 / 10^12 = 5 x 10^-8 and CHANCE / 5,000 = 2 x 10^-7; 100,000 (of all calls) need fifteen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ivr.lab.leaktest.canaries import DISTINCT, SHORT_WINDOW, windows

CHANCE = 1e-3
"""finds by chance that may be expected in one file or stream, all its columns together"""
LONGEST_WINDOW = 15
"""as long as a card number: what is asked of a column of any length"""
AS_IF_EVEN = 1000
"""digits by which a short column is taken for one in which all ten are alike"""


@dataclass(frozen=True, slots=True)
class Reading:
    """A column as it is read: all of it, every second digit, or each run of a digit as one."""

    digits: str
    places: Sequence[int]
    """of each digit in the column"""
    merged: bool = False

    @property
    def may_tell(self) -> bool:
        """Whether there are enough digits, and enough different ones, for a find."""
        return len(self.digits) >= SHORT_WINDOW and len(set(self.digits)) >= DISTINCT


def readings(digits: str, *, marked: bool = False) -> Iterator[Reading]:
    """Each key may be told once, at its beginning and end, or over and over while it is held.

    Of lines that are marked, one of each key, only once.
    """
    every = range(len(digits))
    yield Reading(digits, every)
    if marked:
        return
    yield Reading(digits[::2], every[::2])
    yield Reading(digits[1::2], every[1::2])
    changes = [place for place in every if not place or digits[place] != digits[place - 1]]
    yield Reading("".join(digits[place] for place in changes), changes, merged=True)


class Stretches:
    """What canaries look like in columns, in stretches of any length."""

    def __init__(self) -> None:
        self._keyed: list[tuple[str, str]] = []
        self._known: dict[tuple[int, bool], _Known] = {}

    def know(self, keyed: str, label: str) -> None:
        """All that is keyed of a canary: of a card its number, expiry date and code."""
        self._keyed.append((keyed, label))
        self._known.clear()

    def among(self, reading: Reading, chance: float) -> Iterator[tuple[str, bool, int]]:
        """What is found in a reading and is no chance: label, whether backwards, and where.

        `chance`: how many finds by chance may be expected of it.
        """
        if not any(self.of(SHORT_WINDOW, merged=reading.merged).among(reading.digits)):
            return
        known = self.of(self.needed(reading, chance), merged=reading.merged)
        yield from known.among(reading.digits)

    def needed(self, reading: Reading, chance: float) -> int:
        """How many digits in a row of this reading are a find."""
        for length in range(SHORT_WINDOW, LONGEST_WINDOW):
            if self.of(length, merged=reading.merged).expected(reading) <= chance:
                return length
        return LONGEST_WINDOW

    def of(self, length: int, *, merged: bool = False) -> _Known:
        """All stretches of this length; `merged`: runs of a digit are one."""
        key = (length, merged)
        if key not in self._known:
            rows: dict[str, tuple[str, bool]] = {}
            for keyed, label in self._keyed:
                for window in _telling(_merged(keyed) if merged else keyed, length):
                    rows[window] = (label, False)
                    rows.setdefault(window[::-1], (label, True))
            self._known[key] = _Known(length, rows)
        return self._known[key]


@dataclass(frozen=True)
class _Known:
    """All stretches of one length, and whose each is, backwards or not."""

    length: int
    rows: dict[str, tuple[str, bool]]

    def among(self, digits: str) -> Iterator[tuple[str, bool, int]]:
        """Each that is in these digits, and where it begins."""
        for place in range(len(digits) - self.length + 1):
            if found := self.rows.get(digits[place : place + self.length]):
                yield *found, place

    def expected(self, reading: Reading) -> float:
        """How many would be found by chance among digits of which there are as many of each."""
        if not self.rows:
            return 0.0
        count = Counter(reading.digits)
        shares = np.array([count[digit] + AS_IF_EVEN / 10 for digit in "0123456789"])
        shares = shares / shares.sum()
        if reading.merged:  # a digit is never followed by itself: the nine others are likelier
            shares = shares / (1 - shares)
        each = np.exp(self._composition @ np.log(shares))
        return float(len(reading.digits) * each.sum())

    @cached_property
    def _composition(self) -> NDArray[np.float64]:
        """How often each digit is in each stretch."""
        return np.array([[row.count(d) for d in "0123456789"] for row in self.rows], np.float64)


def _telling(digits: str, length: int) -> Iterator[str]:
    """Every stretch in which there is a short one that is telling."""
    for start in range(len(digits) - length + 1):
        stretch = digits[start : start + length]
        if any(windows(stretch, SHORT_WINDOW)):
            yield stretch


def _merged(digits: str) -> str:
    return "".join(digit for digit, _ in groupby(digits))
