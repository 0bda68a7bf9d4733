"""The distance of `billing.sounds` from one word to hundreds at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ivr.billing.sounds import LONGEST_SOUND, PHONES, loss, substitution

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
        self._lengths = np.array([len(sound) for sound in sounds])
        padded = "".join(sound.ljust(LONGEST_SOUND) for sound in sounds).encode()
        signs = np.frombuffer(padded, np.uint8).reshape(len(sounds), LONGEST_SOUND)
        self._phones = _BY_BYTE[signs.T]
        self._columns = np.arange(len(sounds))
        gains = _LOSS[self._phones]
        last = self._lengths - 1
        gains[last, self._columns] = _LAST_LOSS[self._phones[last, self._columns]]
        # What it costs to have gained the first so many phones: a row's running sum.
        self._gained = np.vstack([np.zeros(len(sounds), np.float32), np.cumsum(gains, axis=0)])

    def distances(self, asked: str) -> Costs:
        costs = self._gained
        for place, phone in enumerate(asked):
            missed = loss(phone, at_the_end=place == len(asked) - 1)
            row = costs + np.float32(missed)
            replaced = costs[:-1] + _SUBSTITUTION[_NUMBER[phone]][self._phones]
            np.minimum(row[1:], replaced, out=row[1:])
            # A gained phone continues the best of what stands before it in the row; with the
            # running sum taken away, that is the least so far.
            costs = np.minimum.accumulate(row - self._gained, axis=0) + self._gained
        found: Costs = costs[self._lengths, self._columns]
        return found
