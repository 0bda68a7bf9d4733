"""The keys that can be heard in a recording: DTMF tones, down to fragments of 20 ms.

ITU-T Q.23 names the tones, Q.24 what a receiver must take. A window of 10 ms cannot tell 697 Hz
from 770 Hz by two separate Goertzel filters: each hears the other. So for every key the pair is
fitted to the window at once (the same correlations, solved together), and what counts is how
much of the window's energy the pair explains.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from ivr.lab.errors import LabError
from ivr.speech import g711

Samples = npt.NDArray[np.int16]
Signal = npt.NDArray[np.float64]

RATE = 8000
KEYS = "123A456B789C*0#D"
"""row by row, as on the keypad of Q.23"""
ROWS_HZ = (697, 770, 852, 941)
COLUMNS_HZ = (1209, 1336, 1477, 1633)
SHORTEST_SECONDS = 0.02
"""a fragment of a tone that is this long is found wherever it begins"""
QUIETEST = 40.0
"""root mean square, of 32768: what lies below is a quiet line"""

_WINDOW = 80  # 10 ms
_HOP = 20  # 2.5 ms: a fragment of 20 ms holds four whole windows wherever it begins
_WINDOWS = 4
_EXPLAINED = 0.75  # of a window's energy: a tone that is 1.5 % off (Q.24) still explains that
_SURE = 0.9  # of it, in one window of a short tone: in five minutes of speech none reached that
_LONG_WINDOWS = 13  # 40 ms, the shortest key of Q.24: so long a tone is sure without
_TWIST = 10 ** (10 / 10)  # one frequency of a pair is at most 10 dB louder than the other
_BLOCK = 8000  # windows looked at together: 20 s of sound
_PAUSE_WINDOWS = 5  # without the key end a tone: a pause of 10 ms is one, a click is none


@dataclass(frozen=True, slots=True)
class Tone:
    """One key that can be heard; its repr is what tests and reports print, so it has no key."""

    key: str
    at: float
    """seconds from the beginning of the sound to that of the tone, to within 10 ms"""
    seconds: float
    """how long it is heard, to within 10 ms"""

    def __repr__(self) -> str:
        return f"Tone(at={self.at:.3f}, seconds={self.seconds:.3f})"


def tones(sound: Samples, shortest: float = SHORTEST_SECONDS) -> list[Tone]:
    """The keys heard in 16-bit samples at 8 kHz, in order; shorter tones are left out."""
    keys = np.concatenate([np.zeros(0, np.int8), *map(_keys, _blocks(sound))])
    found: list[Tone] = []
    for first, last, key in _runs(keys.tolist()):
        seconds = ((last - first) * _HOP + _WINDOW) / RATE
        if last - first + 1 >= _WINDOWS and seconds >= shortest - _HOP / RATE:
            found.append(Tone(KEYS[key], first * _HOP / RATE, seconds))
    return found


def keys_heard(sound: Samples, shortest: float = SHORTEST_SECONDS) -> str:
    """The keys heard, in order, as one text."""
    return "".join(tone.key for tone in tones(sound, shortest))


def keyed(keys: str, held: float = 0.1, pause: float = 0.1, level: float = 5000.0) -> Samples:
    """The sound of pressing keys: `held` and `pause` in seconds, `level` of each frequency.

    A level of 5000 is about -16 dBm0 for each of the two, as telephones send it.
    """
    instants = np.arange(round(held * RATE)) / RATE
    silence = np.zeros(round(pause * RATE))
    parts: list[Signal] = []
    for key in keys:
        row, column = divmod(KEYS.index(key), len(COLUMNS_HZ))
        pair = (ROWS_HZ[row], COLUMNS_HZ[column])
        low, high = (level * np.sin(2 * np.pi * hz * instants) for hz in pair)
        parts += [low + high, silence]
    return np.concatenate([np.zeros(0), *parts]).astype(np.int16)


def channels(file: Path) -> list[Samples]:
    """Every channel of a recording, at 8 kHz: .wav of 16 bits, .ulaw, .alaw, .sln and .sln16.

    Raises LabError when it is no such file.
    """
    raw = {".ulaw": g711.from_ulaw, ".ul": g711.from_ulaw, ".alaw": g711.from_alaw}
    try:
        match file.suffix.lower():
            case ".wav":
                return _wav_channels(file)
            case ".sln" | ".sln16" as kind:
                sound = np.frombuffer(_whole(file.read_bytes()), "<i2")
                return [_at_8_khz(sound, RATE if kind == ".sln" else 2 * RATE)]
            case kind if kind in raw:
                return [raw[kind](file.read_bytes())]
    except (OSError, EOFError, wave.Error) as error:
        raise LabError(f"{file} cannot be listened to ({error}): is it a recording?") from error
    raise LabError(f"{file} cannot be listened to: only .wav, .ulaw, .alaw, .sln and .sln16 can")


def _wav_channels(file: Path) -> list[Samples]:
    with wave.open(str(file)) as recording:
        if recording.getsampwidth() != 2:  # noqa: PLR2004 - bytes in 16 bits
            raise wave.Error("not of 16 bits")
        count, rate = recording.getnchannels(), recording.getframerate()
        sound = np.frombuffer(_whole(recording.readframes(recording.getnframes())), "<i2")
    return [_at_8_khz(sound[one::count], rate) for one in range(count)]


def _whole(data: bytes) -> bytes:
    """Whole samples: a recording that is still being written may end in half of one."""
    return data[: len(data) - len(data) % 2]


def _at_8_khz(sound: Samples, rate: int) -> Samples:
    if rate == RATE:
        return sound
    narrow: Signal = soxr.resample(sound.astype(np.float64), rate, RATE)
    whole: Samples = np.clip(np.rint(narrow), -32768, 32767).astype(np.int16)
    return whole


def _blocks(sound: Samples) -> list[Samples]:
    """Stretches whose windows together are those of the whole sound, each once."""
    step = _BLOCK * _HOP
    starts = range(0, max(1, len(sound) - _WINDOW + 1), step)
    return [sound[first : first + step + _WINDOW - _HOP] for first in starts]


def _keys(sound: Samples) -> npt.NDArray[np.int8]:
    """For each window the key that is heard, its place in KEYS counted from 1; 0 is none.

    It is negative in a window that alone would be no proof.
    """
    if len(sound) < _WINDOW:
        return np.zeros(0, np.int8)
    windows = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP].astype(np.float64)
    energy = (windows**2).sum(axis=1)
    explained = np.zeros((len(KEYS), len(windows)))
    for key, (basis, weights) in enumerate(_pairs()):
        parts = windows @ basis
        row, column = ((parts @ weights) ** 2).reshape(-1, 2, 2).sum(axis=2).T
        alike = (row <= column * _TWIST) & (column <= row * _TWIST)
        explained[key] = (parts**2).sum(axis=1) * alike
    best = explained.argmax(axis=0)
    share = explained.max(axis=0) / np.maximum(energy, 1.0)
    heard = (share >= _EXPLAINED) & (energy >= _WINDOW * QUIETEST**2)
    return np.where(heard, np.where(share >= _SURE, best + 1, -best - 1), 0).astype(np.int8)


@cache
def _pairs() -> list[tuple[Signal, Signal]]:
    """For each key an orthonormal basis of its two tones in a window, and weights.

    The weights turn a window's parts in the basis into the amplitudes of sine and cosine, those
    of the row first.
    """
    instants = 2 * np.pi * np.arange(_WINDOW)[:, None] / RATE
    found = []
    for row in ROWS_HZ:
        for column in COLUMNS_HZ:
            waves = [shape(instants * hz) for hz in (row, column) for shape in (np.sin, np.cos)]
            basis, mixture = np.linalg.qr(np.concatenate(waves, axis=1))
            found.append((basis, np.linalg.inv(mixture).T))
    return found


def _runs(keys: Sequence[int]) -> list[tuple[int, int, int]]:
    """First and last window, and place in KEYS, of each stretch that is one key for sure."""
    found: list[tuple[int, int, int]] = []
    first = last = -1
    current, sure = 0, False
    for window, key in enumerate([*keys, *[0] * _PAUSE_WINDOWS]):
        if current and (window - last >= _PAUSE_WINDOWS or (key and abs(key) != current)):
            if sure or last - first + 1 >= _LONG_WINDOWS:
                found.append((first, last, current - 1))
            current, sure = 0, False
        if key:
            first = window if not current else first
            current, last, sure = abs(key), window, sure or key > 0
    return found
