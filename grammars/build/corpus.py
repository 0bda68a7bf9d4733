"""Synthetic calls: features and, for every output frame of the network, the sound it is."""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grammars.build import debian, flite, telephone, vocabulary
from grammars.build.debian import Tools
from grammars.build.dice import Dice
from grammars.build.espeak import Espeak, Spoken, SynthesisError, Tone, own_data
from grammars.build.features import FRAME, WINDOW, mfcc
from grammars.build.phones import NOISE, SILENCE, SOUNDS
from grammars.build.sentences import Callers
from grammars.build.telephone import Wave

STEP = 3  # input frames an output frame
HANDS = 1  # processes that synthesise while another trains
LINES_A_SPEAKER = 3
_SLOTS = 16  # speakers at once in the synthesiser's data
ACCENTS = {
    "en": (
        ("en-us", 6),
        ("en", 4),
        ("en-gb-x-rp", 3),
        ("en-gb-scotland", 1),
        ("en-us-nyc", 1),
        ("en-gb-x-gbcwmd", 1),
        ("en-029", 1),
    ),
    "es": (("es", 5), ("es-419", 5)),
}
# Shipped variants of espeak-ng that no training utterance uses; nor these rates.
HELD_OUT_VARIANTS = (
    "f5",
    "m8",
    "klatt4",
    "Andrea",
    "Michael",
    "steph2",
    "antonio",
    "Lee",
    "anika",
    "Mario",
)
TRAINING_VARIANTS = (
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "f1",
    "f2",
    "f3",
    "f4",
    "klatt",
    "klatt2",
    "klatt3",
    "Annie",
    "Alicia",
    "Denis",
    "Diogo",
    "Gene",
    "adam",
    "belinda",
    "benjamin",
    "ed",
    "edward",
    "linda",
    "max",
    "miguel",
    "pablo",
    "paul",
    "quincy",
    "rob",
    "robert",
    "shelby",
    "steph",
    "victor",
    "zac",
)
HELD_OUT_RATES = (112, 162, 222)
NEXT_RATE = 4  # words a minute that training keeps from those
_TRAINING_RATES = tuple(
    rate for rate in range(96, 268) if all(abs(rate - held) >= NEXT_RATE for held in HELD_OUT_RATES)
)
_FLITE_SHARE = 0.06
_FOREIGN = {"en": ("es", "es-419"), "es": ("en-us", "en")}


@dataclass(frozen=True)
class Studio:
    """Where the material is."""

    work: Path
    words: Path
    data: Path
    tools: Path


@dataclass(frozen=True)
class Recording:
    """One utterance: MFCC rows, and the number of the sound of each output frame, by phase."""

    features: NDArray[np.float16]
    labels: tuple[NDArray[np.uint8], ...]


def prepare(work: Path, words: Path) -> Studio:
    """The synthesisers and tools below `work`."""
    tools = debian.tools(work)
    return Studio(work, words, own_data(work), tools.root)


def record(studio: Studio, language: str, count: int, seed: int) -> Iterator[Recording]:
    """`count` utterances or a few more, always the same for a seed.

    espeak-ng crashes once in some ten thousand utterances: the lot it was at is left out.
    """
    lot = min(200, count)
    jobs = deque((studio, language, seed, start, lot) for start in range(0, count, lot))
    # Ours are small sums, for which several threads only get in each other's way.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    fresh = multiprocessing.get_context("spawn")
    while jobs:
        with ProcessPoolExecutor(HANDS, mp_context=fresh) as pool:
            at_work = deque(pool.submit(_record_lot, job) for job in jobs)
            while at_work:
                jobs.popleft()
                try:
                    recorded = at_work.popleft().result()
                except BrokenProcessPool:
                    break
                yield from recorded


_engines: dict[Path, Espeak] = {}


def _record_lot(job: tuple[Studio, str, int, int, int]) -> list[Recording]:
    studio, language, seed, start, count = job
    if studio.data not in _engines:
        _engines[studio.data] = Espeak(studio.data)
    slot = f"{language}{start // count % _SLOTS:02d}"
    booth = _Booth(studio, language, _engines[studio.data], slot, f"{language} {seed} {start}")
    return [booth.record() for _ in range(count)]


class _Booth:
    """Draws what is said, by whom, and over which line."""

    def __init__(self, studio: Studio, language: str, engine: Espeak, slot: str, seed: str) -> None:
        self._language = language
        self._rng = Dice(seed)
        self._noise = np.random.default_rng(list(seed.encode()))
        self._callers = Callers(vocabulary.load(studio.words, language), self._rng)
        self._engine, self._slot = engine, slot
        self._lines_of_speaker = 0
        self._tools = Tools(studio.tools)
        self._sounds = SOUNDS[language]
        self._voices_behind: deque[Wave] = deque(maxlen=12)

    def record(self) -> Recording:
        spoken, rate = self._say()
        wave = telephone.resampled(spoken.wave, rate)
        scale = telephone.RATE_HZ / rate
        labels = self._labels(spoken, wave.size, scale)
        self._voices_behind.append(telephone.levelled(wave, 0))
        wave, labels = self._with_margins(wave, labels)
        wave = self._over_a_line(wave)
        return Recording(mfcc(wave).astype(np.float16), _by_phase(labels))

    def _say(self) -> tuple[Spoken, float]:
        """An utterance and the rate to take it for: a little off, for other heads and paces."""
        rng = self._rng
        line = self._callers.draw()
        if self._language == "en" and not line.foreign and rng.come_up(_FLITE_SHARE):
            voice = rng.choice(flite.TRAINING_VOICES)
            head = rng.uniform(0.85, 1.3)
            spoken = flite.say(self._tools, line.text, voice, head * rng.uniform(0.7, 1.3))
            return spoken, spoken.rate * head
        accents, weights = zip(*ACCENTS[self._language], strict=True)
        accent = rng.choices(accents, weights)[0]
        if line.foreign:
            accent = rng.choice(_FOREIGN[self._language])
        if rng.come_up(0.65):
            accent += f"+{self._invented()}"
        elif rng.come_up(0.8):
            accent += f"+{rng.choice(TRAINING_VARIANTS)}"
        rate = rng.choice(_TRAINING_RATES)
        tone = Tone(accent, rate, rng.randint(20, 80), rng.randint(20, 80))
        try:
            spoken = self._engine.say(line.text, tone)
        except SynthesisError:
            return self._say()
        return spoken, spoken.rate * rng.uniform(0.92, 1.09)

    def _invented(self) -> str:
        """A speaker whom nobody has heard, for a few lines."""
        if self._lines_of_speaker % LINES_A_SPEAKER == 0:
            self._engine.invent(self._slot, self._rng)
        self._lines_of_speaker += 1
        return self._slot

    def _labels(self, spoken: Spoken, length: int, scale: float) -> NDArray[np.uint8]:
        """The sound of every sample of the telephone wave."""
        labels = np.zeros(length, np.uint8)
        starts = [int(sound.start * scale) for sound in spoken.sounds] + [length]
        for sound, begin, end in zip(spoken.sounds, starts, starts[1:], strict=False):
            names = self._sounds.of(sound.name) or (SILENCE,)
            for place, name in enumerate(names):
                edge = begin + (end - begin) * place // len(names)
                labels[edge:end] = self._sounds.number(name)
        return labels

    def _with_margins(
        self, wave: Wave, labels: NDArray[np.uint8]
    ) -> tuple[Wave, NDArray[np.uint8]]:
        """Silence, now and then with a cough in it, before and after."""
        before, before_is = self._margin(0.02, 0.6)
        after, after_is = self._margin(0.05, 0.7)
        level = float(np.abs(wave).max()) or 1.0
        return (
            np.concatenate((before * level, wave, after * level)),
            np.concatenate((before_is, labels, after_is)),
        )

    def _margin(self, shortest: float, longest: float) -> tuple[Wave, NDArray[np.uint8]]:
        wave = np.zeros(int(telephone.RATE_HZ * self._rng.uniform(shortest, longest)), np.float32)
        labels = np.full(wave.size, self._sounds.number(SILENCE), np.uint8)
        if self._rng.come_up(0.12):
            noise = telephone.cough(self._noise)
            noise *= self._rng.uniform(0.1, 1.0) / (float(np.abs(noise).max()) or 1.0)
            room = int(self._rng.uniform(0.02, 0.3) * telephone.RATE_HZ)
            wave = np.concatenate((wave, noise, np.zeros(room, np.float32)))
            is_noise = np.full(noise.size, self._sounds.number(NOISE), np.uint8)
            labels = np.concatenate((labels, is_noise, np.zeros(room, np.uint8)))
        return wave, labels

    def _over_a_line(self, wave: Wave) -> Wave:
        rng = self._rng
        if rng.come_up(0.5):
            wave = telephone.telephone_band(wave, self._noise)
        if rng.come_up(0.15):
            wave = telephone.muffled(wave, self._noise)
        if rng.come_up(0.85):
            wave = telephone.with_noise(wave, self._background(wave.size), rng.uniform(7, 36))
        wave = telephone.levelled(wave, rng.choice((-1, -3, -6, -9, -12, -18, -24, -30)))
        if rng.come_up(0.03):
            wave = np.clip(wave * 3, -1, 1)
        return telephone.mu_law_and_back(wave) if rng.come_up(0.85) else wave

    def _background(self, count: int) -> Wave:
        """Other people, hum, or steady noise."""
        if self._rng.come_up(0.45) and len(self._voices_behind) == self._voices_behind.maxlen:
            chosen = self._rng.sample(list(self._voices_behind), self._rng.choice((2, 3, 4, 4, 5)))
            return np.asarray(sum(np.resize(voice, count) for voice in chosen), np.float32)
        if self._rng.come_up(0.15):
            return telephone.hum(count, self._noise)
        return telephone.coloured(count, self._rng.uniform(0, 2), self._noise)


def _by_phase(labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Labels of the output frames when the first input frame is dropped 0, 1 or 2 times."""
    frames = 1 + (labels.size - WINDOW) // FRAME
    centres = np.arange(frames) * FRAME + WINDOW // 2
    edges = np.flatnonzero(np.diff(labels)) + 1
    segment = np.searchsorted(edges, centres, side="right")
    sounds = labels[np.concatenate(([0], edges))]
    return tuple(sounds[_keeping_short(segment[phase::STEP])] for phase in range(STEP))


def _keeping_short(segments: NDArray[np.intp]) -> NDArray[np.intp]:
    """No sound falls between two output frames: one of a longer neighbour becomes it."""
    kept = segments.copy()
    for place in np.flatnonzero(np.diff(segments) == 2):  # noqa: PLR2004 - one is skipped
        if place > 0 and kept[place - 1] == kept[place]:
            kept[place] += 1
        elif place + 2 < kept.size and kept[place + 2] == kept[place + 1]:
            kept[place + 1] -= 1
    return kept
