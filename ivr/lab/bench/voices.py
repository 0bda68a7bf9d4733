"""Voices for benches: synthetic callers whom no model of ours was trained with, on a telephone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import soxr

from ivr.lab.errors import LabError
from ivr.lab.phrasebook import RATE, Samples
from ivr.lab.speaking import Speech, Utterance, synthesise, voice_file
from ivr.speech.g711 import from_ulaw, to_ulaw
from ivr.telephony.media import BATCH_SECONDS

ACCENTS = {"en": ("en-us", "en", "en-gb-x-rp"), "es": ("es", "es-419")}
VARIANTS = (
    "f5", "m8", "klatt4", "Andrea", "Michael", "steph2", "antonio", "Lee", "anika", "Mario",
)  # fmt: skip
"""those that grammars/build/corpus.py holds out; a test compares"""
RATES = (112, 162, 222)
"""words a minute, held out likewise"""
NOISE_DB = 20.0
"""from the white noise of the line up to the words"""


@dataclass(frozen=True, slots=True)
class Speaker:
    """How somebody speaks."""

    voice: str
    rate: int

    def __str__(self) -> str:
        return f"{self.voice} at {self.rate}"


def speakers(language: str) -> list[Speaker]:
    """All who were never heard in training."""
    files = [voice_file(f"{accent}+{each}") for accent in ACCENTS[language] for each in VARIANTS]
    if None in files:
        raise LabError("espeak-ng lacks a voice of the bench: install the pinned requirements")
    return [Speaker(voice, rate) for voice in files if voice for rate in RATES]


class Studio:
    """What speakers say as it leaves their telephone, each utterance made once."""

    def __init__(self) -> None:
        self._made: dict[Utterance, Speech] = {}

    async def record(self, said: Iterable[tuple[Speaker, str]]) -> None:
        """Make many at once, which is much quicker than one by one. Raises LabError."""
        wanted = dict.fromkeys(utterance(*each) for each in said)
        self._made |= await synthesise(one for one in wanted if one not in self._made)

    async def speech(self, speaker: Speaker, words: str) -> Speech:
        """One utterance among the noise of the line, and that noise alone. Raises LabError."""
        one = utterance(speaker, words)
        if one not in self._made:
            await self.record([(speaker, words)])
        made = self._made[one]
        return replace(made, samples=on_the_line(made.samples))


def utterance(speaker: Speaker, words: str) -> Utterance:
    """The words as one who is not heard without noise says them."""
    return Utterance(words, speaker.voice, speaker.rate, NOISE_DB)


def on_the_line(samples: Samples) -> Samples:
    """What G.711 leaves of it."""
    return from_ulaw(to_ulaw(samples))


class Tape:
    """A caller's voice as the ears take it (speech.ears.Sound), as fast as they do.

    What is recorded is heard next; before and after it there is the noise of the line, for ever.
    """

    dropped_seconds = 0.0

    def __init__(self, rate: int, batch_seconds: float = BATCH_SECONDS) -> None:
        self.rate = rate
        self._length = round(batch_seconds * rate)
        self._left = np.zeros(0, np.int16)
        self._background = np.zeros(self._length, np.int16)
        self._at = 0

    def record(self, speech: Speech) -> None:
        """What the caller says next, in place of what is left of something earlier."""
        self._left = at_rate(speech.samples, self.rate)
        if len(speech.background):
            self._background = at_rate(on_the_line(speech.background), self.rate)

    def take(self) -> bytes:
        """The next batch."""
        taken, self._left = self._left[: self._length], self._left[self._length :]
        missing = self._length - len(taken)
        if missing:
            places = (self._at + np.arange(missing)) % len(self._background)
            taken = np.concatenate((taken, self._background[places]))
            self._at += missing
        return taken.astype("<i2").tobytes()

    async def batch(self) -> bytes:
        return self.take()

    def forget(self) -> None:
        """Nothing: what is on the tape is said after somebody began to listen."""

    async def close(self) -> None:
        return


def at_rate(samples: Samples, rate: int) -> Samples:
    """The telephone's samples at the rate of a model."""
    if rate == RATE:
        return samples
    resampled = soxr.resample(samples.astype(np.float32), RATE, rate)
    whole: Samples = np.clip(np.rint(resampled), -32768, 32767).astype(np.int16)
    return whole
