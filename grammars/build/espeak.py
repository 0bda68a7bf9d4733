"""Speech with every sound's place in it, from espeak-ng, many voices of it."""

import ctypes
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from grammars.build.dice import Dice

RATE_HZ = 22_050
Wave = NDArray[np.float32]

_SYNCHRONOUS = 2
_PHONEMES_IN_IPA = 1 | 2
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_CHARACTERS = 1
_WORD, _PHONEME, _END = 1, 7, 0
LOW_FORMANTS = 3


class SynthesisError(Exception):
    """The synthesiser refused a voice or a text."""


@dataclass(frozen=True)
class Sound:
    """One phoneme: its name and where it begins, in samples."""

    name: str
    start: int


@dataclass
class Spoken:
    """An utterance: the wave from -1 to 1, its rate, and word by word the sounds in it."""

    wave: Wave
    rate: int
    # Each word's sounds; pauses are sounds without a name.
    words: list[list[Sound]] = field(default_factory=list)

    @property
    def sounds(self) -> list[Sound]:
        return [sound for word in self.words for sound in word]


@dataclass(frozen=True)
class Tone:
    """How an utterance is said: words a minute, pitch and its range from 0 to 99."""

    voice: str
    rate: int = 160
    pitch: int = 50
    pitch_range: int = 50


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """One engine a process; never survives a fork."""

    def __init__(self, data: Path | None = None) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._folder = data or Path(espeakng_loader.get_data_path())
        path = str(self._folder).encode()
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, path, _PHONEMES_IN_IPA)
        if rate != RATE_HZ:
            raise SynthesisError(f"espeak-ng did not start with the data in {self._folder}")
        self._pieces: list[NDArray[np.int16]] = []
        self._events: list[tuple[int, int, int, str]] = []
        self._callback = _Callback(self._collect)  # kept, or it would be freed under the engine
        self._library.espeak_SetSynthCallback(self._callback)
        self._tone: Tone | None = None

    def say(self, text: str, tone: Tone) -> Spoken:
        """The text said in a tone; SynthesisError when the voice is not there."""
        self._use(tone)
        self._pieces.clear()
        self._events.clear()
        raw = text.encode()
        done = self._library.espeak_Synth(raw, len(raw) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
        if done != 0 or not self._pieces:
            raise SynthesisError(f"espeak-ng said nothing for {text!r} with {tone.voice}")
        wave = np.concatenate(self._pieces).astype(np.float32) / np.float32(32768)
        return Spoken(wave, RATE_HZ, _words(self._events))

    def invent(self, name: str, rng: Dice) -> None:
        """Make the variant `name` a new speaker, whoever it was before."""
        (self._folder / "voices" / "!v" / name).write_text(_speaker(name, rng))
        self._tone = None

    def _use(self, tone: Tone) -> None:
        if tone == self._tone:
            return
        if self._library.espeak_SetVoiceByName(tone.voice.encode()) != 0:
            raise SynthesisError(f"espeak-ng has no voice {tone.voice}")
        for what, value in ((_RATE, tone.rate), (_PITCH, tone.pitch), (_RANGE, tone.pitch_range)):
            self._library.espeak_SetParameter(what, value, 0)
        self._tone = tone

    def _collect(self, wave: Sequence[int], count: int, events: Sequence[_Event]) -> int:
        if wave and count:
            piece = np.ctypeslib.as_array(wave, (count,))
            self._pieces.append(piece.copy())
        place = 0
        while events[place].type != _END:
            event = events[place]
            if event.type in (_WORD, _PHONEME):
                name = bytes(event.id.string).split(b"\0")[0].decode(errors="replace")
                self._events.append((event.type, event.text_position, event.sample, name))
            place += 1
        return 0


def _words(events: Iterable[tuple[int, int, int, str]]) -> list[list[Sound]]:
    """A nameless sound at a word's own place prolongs what is before it; else it is a pause."""
    words: list[list[Sound]] = [[]]
    opened, place = -1, -1
    for kind, position, sample, name in events:
        if kind == _WORD:
            words.append([])
            opened, place = sample, position
        elif name or position != place:
            # The closure before a stop at the beginning of a word is part of it.
            words[-1].append(Sound(name, opened if opened >= 0 and name else sample))
            opened = -1
    return [word for word in words if word]


def own_data(folder: Path) -> Path:
    """A copy of espeak-ng's data below `folder`, in which speakers may be invented."""
    data = folder / "espeak-ng-data"
    if not data.exists():
        shutil.copytree(espeakng_loader.get_data_path(), data)
        for voice in (data / "lang").rglob("*"):  # it lists 350 voices and no more
            if voice.is_file() and not voice.name.startswith(("en", "es")):
                voice.unlink()
    return data


def _speaker(name: str, rng: Dice) -> str:
    """A variant file: pitch, size of the head, each formant's own strength, breath, roughness."""
    small = rng.come_up(0.5)
    size = rng.uniform(98, 122) if small else rng.uniform(79, 106)
    low = rng.randint(110, 270) if small or rng.come_up(0.2) else rng.randint(55, 140)
    lines = [
        "language variant",
        f"name {name}",
        f"pitch {low} {low + rng.randint(5, 120)}",
        f"flutter {rng.randint(0, 9)}",
        f"roughness {rng.randint(0, 6)}",
        f"voicing {rng.randint(20, 170)}",
        f"consonants {rng.randint(10, 150)} {rng.randint(10, 150)}",
        *_formants(size, rng),
    ]
    if rng.come_up(0.2):
        lines.append(f"klatt {rng.randint(1, 4)}")
    if rng.come_up(0.6):
        lines.append("tone " + " ".join(f"{hertz} {loud}" for hertz, loud in _tone(rng)))
    if rng.come_up(0.3):
        lines.append(f"intonation {rng.randint(1, 10)}")
    if rng.come_up(0.3):
        lines.append("breath " + " ".join(str(rng.randint(0, 20)) for _ in range(6)))
    if rng.come_up(0.35):
        lines.append("stressAmp " + " ".join(str(rng.randint(12, 30)) for _ in range(8)))
    if rng.come_up(0.3):
        lines.append("stressAdd " + " ".join(str(rng.randint(-40, 120)) for _ in range(8)))
    if rng.come_up(0.12):
        lines.append(f"echo {rng.randint(20, 150)} {rng.randint(5, 30)}")
    return "\n".join(lines) + "\n"


def _formants(size: float, rng: Dice) -> Iterable[str]:
    """The low formants carry the vowels and stay near; the high ones make the voice."""
    apart = rng.choice((5, 8, 14))
    for number in range(9):
        low = number < LOW_FORMANTS
        frequency = size + rng.uniform(-apart, apart) if low else size * rng.uniform(0.75, 1.2)
        height = rng.randint(60, 160) if low else rng.randint(0, 150)
        if not low and rng.come_up(0.12):
            frequency, height = rng.choice(((9, 9), (250, 60), (frequency, 0)))
        yield f"formant {number} {frequency:.0f} {height} {rng.randint(60, 190)}"


def _tone(rng: Dice) -> Iterable[tuple[int, int]]:
    """How loud each region is, in Hz and of 255; the higher the weaker in a muffled voice."""
    hertz = (100, 600, 1200, 2000, 3000)
    if rng.come_up(0.5):
        return [(each, rng.randint(10, 255)) for each in hertz]
    falling = rng.uniform(0.35, 0.95)
    return [(each, round(255 * falling**place)) for place, each in enumerate(hertz)]
