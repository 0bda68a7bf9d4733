"""Tells a voice from a cough, a hiss and a tone by its sound alone, whatever words were found.

A voice hums at a pitch, which breath and hiss do not; and its colour changes from sound to sound,
which that of a chord or a dialling tone does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

FRAME_SECONDS = 0.02
WINDOW_FRAMES = 2
"""two periods of the deepest voice must fit in"""
PITCH_HZ = (60.0, 400.0)
PERIODIC = 0.6
"""how alike a window and itself one period later are, at least, when it is voiced"""
COLOURS_HZ = (100.0, 3750.0)
BANDS = 26
SILENCE = 1e-9

Signal = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Voicing:
    """What the loud parts of a sound were like."""

    loud_seconds: float
    voiced_seconds: float
    wandering: float
    """how far its colour is from its average, from 0 for a steady tone to 1"""


class VoiceMeter:
    """Takes in one sound, some frames at a time."""

    def __init__(self, rate: int) -> None:
        self._frame = round(FRAME_SECONDS * rate)
        self._scale = _Scale.of(rate)
        self._before = np.zeros(self._frame * (WINDOW_FRAMES - 1))
        self.forget()

    def forget(self) -> None:
        """Begin with another sound."""
        self._loud = self._voiced = 0
        self._colours = np.zeros(BANDS)

    def hear(self, sound: bytes, loud: list[bool]) -> None:
        """Whole frames in order, and which of them are loud."""
        samples = np.frombuffer(sound, "<i2")[: len(loud) * self._frame]
        known = np.concatenate((self._before, samples.astype(np.float64)))
        self._before = known[len(known) - len(self._before) :]
        places = np.flatnonzero(loud)
        if not len(places):
            return
        length = self._frame * WINDOW_FRAMES
        windows = np.stack([known[at * self._frame :][:length] for at in places])
        power = self._scale.power(windows)
        self._loud += len(places)
        self._voiced += int((self._scale.periodicity(power) > PERIODIC).sum())
        self._colours += self._scale.colours(power).sum(axis=0)

    @property
    def voicing(self) -> Voicing:
        """Of all that was taken in."""
        mean = float(np.linalg.norm(self._colours)) / max(1, self._loud)
        return Voicing(self._loud * FRAME_SECONDS, self._voiced * FRAME_SECONDS, 1.0 - mean)


@dataclass(frozen=True, slots=True)
class _Scale:
    """What depends on the sampling rate alone."""

    taper: Signal
    size: int
    """of the Fourier transform, long enough for a window that is laid over itself"""
    lags: slice
    alike: Signal
    """how alike the taper is to itself at those lags"""
    bands: npt.NDArray[np.intp]
    """where each band begins; the last one ends where the next would begin"""
    highest: int

    @staticmethod
    @cache
    def of(rate: int) -> _Scale:
        length = round(FRAME_SECONDS * rate) * WINDOW_FRAMES
        size = 1 << (2 * length - 1).bit_length()
        taper = np.hanning(length)
        lags = slice(round(rate / PITCH_HZ[1]), round(rate / PITCH_HZ[0]) + 1)
        own = np.fft.irfft(np.abs(np.fft.rfft(taper, size)) ** 2)
        low, high = (round(hertz * size / rate) for hertz in COLOURS_HZ)
        edges = np.linspace(low, high, BANDS + 1).round().astype(np.intp)
        return _Scale(taper, size, lags, own[lags] / own[0], edges[:-1], int(edges[-1]))

    def power(self, windows: Signal) -> Signal:
        return np.abs(np.fft.rfft(windows * self.taper, self.size)) ** 2

    def periodicity(self, power: Signal) -> Signal:
        laid_over = np.fft.irfft(power, axis=1)
        alike = laid_over[:, self.lags] / np.maximum(laid_over[:, :1], SILENCE) / self.alike
        return np.asarray(alike.max(axis=1))

    def colours(self, power: Signal) -> Signal:
        """Of each window its loudness by bands, all of the same length as vectors."""
        bands = np.sqrt(np.add.reduceat(power[:, : self.highest], self.bands, axis=1))
        return np.asarray(bands / (np.linalg.norm(bands, axis=1, keepdims=True) + SILENCE))
