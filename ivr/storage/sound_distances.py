"""The distance of `billing.sounds` from one word to hundreds at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ivr.billing.sounds import PHONES, loss, substitution

Costs = NDArray[np.float32]

_PAD = len(PHONES)
_NUMBER = {phone: number for number, phone in enumerate(PHONES)}
_BY_BYTE = np.full(128, _PAD)
_BY_BYTE[np.frombuffer(PHONES.encode(), np.uint8)] = np.arange(len(PHONES))
_SUBSTITUTION: Costs = np.array(
    [[substitution(one, other) for other in PHONES] + [0.0] for one in PHONES], np.float32
)
_LOSS: Costs = np.array([loss(phone, at_the_end=False) for phone in PHONES] + [0.0], np.float32)
_LAST_LOSS: Costs = np.array([loss(phone, at_the_end=True) for phone in PHONES] + [0.0], np.float32)


def nearest(asked: Sequence[str], words: Sequence[Sequence[str]]) -> list[float]:
    """For each word the least distance of any of its sounds to any of those asked for.

    Infinite for a word without sounds. Equal to `billing.sounds.distance`, to six digits.
    """
    sounds = [(place, sound) for place, word in enumerate(words) for sound in dict.fromkeys(word)]
    best = np.full(len(words), np.inf, np.float32)
    spoken = [(place, sound) for place, sound in sounds if sound]
    if spoken:
        table = _Table([sound for _, sound in spoken])
        places = np.array([place for place, _ in spoken])
        for sound in dict.fromkeys(asked):
            if sound:
                np.minimum.at(best, places, table.distances(sound))
    return [float(one) for one in best]


class _Table:
    """Sounds as columns of phone numbers, padded at the end."""

    def __init__(self, sounds: Sequence[str]) -> None:
        self._lengths = np.array([*map(len, sounds)])
        padded = np.array(sounds, f"S{self._lengths.max()}")  # with zeros, which are no phones
        signs = padded.view(np.uint8).reshape(len(sounds), -1)
        self._phones = np.ascontiguousarray(_BY_BYTE[signs.T])
        self._columns = np.arange(len(sounds))
        gains = _LOSS[self._phones]
        last = self._lengths - 1
        gains[last, self._columns] = _LAST_LOSS[self._phones[last, self._columns]]
        # What it costs to have gained the first so many phones: a row's running sum.
        self._gained = np.vstack([np.zeros(len(sounds), np.float32), np.cumsum(gains, axis=0)])

    def distances(self, asked: str) -> Costs:
        costs = self._gained
        replaced = np.empty(self._phones.shape, np.float32)
        for place, phone in enumerate(asked):
            missed = loss(phone, at_the_end=place == len(asked) - 1)
            row = costs + np.float32(missed)
            _SUBSTITUTION[_NUMBER[phone]].take(self._phones, out=replaced, mode="clip")
            replaced += costs[:-1]
            np.minimum(row[1:], replaced, out=row[1:])
            # A gained phone continues the best of what stands before it in the row; with the
            # running sum taken away, that is the least so far. (Row by row: numpy's accumulate
            # takes several times as long.)
            row -= self._gained
            for before, after in pairwise(row):
                np.minimum(before, after, out=after)
            row += self._gained
            costs = row
        found: Costs = costs[self._lengths, self._columns]
        return found
