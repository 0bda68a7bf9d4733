"""What a caller says: words in a synthetic voice, or a noise, as the sound of a telephone."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ivr.lab.errors import LabError
from ivr.lab.phrasebook import LOUD, RATE, Samples
from ivr.speech.errors import SpeechError
from ivr.speech.g711 import from_ulaw
from ivr.speech.tts import Job, Tone, Tts

VOICE = "en-us"
WORDS_A_MINUTE = 155
SLOWEST, FASTEST = 80, 400
"""words a minute that espeak-ng can speak at"""
LOUDNESS = 0.5
"""of a prompt: a caller holds the telephone further from the mouth than an announcer"""
LONGEST_NOISE_SECONDS = 120.0
JOB_SECONDS = 60.0
"""of one sentence, which takes a tenth of one: nobody waits on a line for it"""
PAUSE_SECONDS = 0.3
"""of line noise before words that have noise"""
BACKGROUND_SECONDS = 5.0
"""after this, line noise begins anew"""
NOISES = ("cough", "music", "babble", "hiss")
_COUGH_SECONDS = 0.7
_NOISE_SECONDS = 3.0
_NOISE_LEVEL = 3000.0
"""root mean square of a noise, of 32768; words come to about 2600"""
_CHORD = (220.0, 277.18, 329.63, 440.0)
_BABBLING = (
    ("en+m3", "I told her that we would come on Saturday when the weather is better"),
    ("en-us+f3", "and then he went to the other shop because they had nothing left of it"),
    ("es", "pero mañana por la tarde no puedo porque tengo que trabajar"),
)
_LANGUAGE = re.compile(r"^language[ \t]+(\S+)(?:[ \t]+(\d+))?", re.MULTILINE)
_NO_RANK = 5  # how espeak-ng counts a language without a number; less is better

Signal = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something that a caller says, or a noise of NOISES in place of words."""

    words: str = ""
    voice: str = VOICE
    """of espeak-ng, as its own files name it (`voice_file` finds it), with or without +variant"""
    rate: int = WORDS_A_MINUTE
    noise_db: float | None = None
    """decibels from the line's noise up to the words; None: no noise"""
    noise: str = ""
    seconds: float | None = None
    """how long a noise lasts; None: as long as such a noise lasts"""

    def __str__(self) -> str:
        return f"“{self.words}”" if self.words else f"a {self.noise}"


@dataclass(frozen=True, slots=True)
class Speech:
    """The sound of an utterance, and what is on the line after it, again and again."""

    samples: Samples
    background: Samples


def voice_file(voice: str) -> str | None:
    """A voice (en-gb+f2) as espeak-ng finds it by file (en+f2); None when there is none such."""
    name, _, variant = voice.partition("+")
    file = _voices().get(name.lower())
    if file is None or (variant and variant not in _variants()):
        return None
    return f"{file}+{variant}" if variant else file


async def synthesise(utterances: Iterable[Utterance]) -> dict[Utterance, Speech]:
    """The sound of each. Raises LabError when a text cannot be spoken."""
    wanted = tuple(dict.fromkeys(utterances))
    spoken = [(one.voice, one.rate, one.words) for one in wanted if one.words]
    if any(one.noise == "babble" for one in wanted):
        spoken += [(voice, WORDS_A_MINUTE, words) for voice, words in _BABBLING]
    said = await _spoken(dict.fromkeys(spoken))
    return {one: await asyncio.to_thread(_speech, one, said) for one in wanted}


Spoken = tuple[str, int, str]
"""voice, words a minute, words"""


async def _spoken(texts: Iterable[Spoken]) -> dict[Spoken, Samples]:
    """By the synthesiser that makes our prompts, in a process that ends when they are made."""
    listed = list(texts)
    if not listed:
        return {}
    tones = {f"{voice} {rate}": Tone(voice, rate) for voice, rate, _ in listed}
    synthesiser = Tts(workers=1, job_seconds=JOB_SECONDS, tones=tones)
    made: dict[Spoken, Samples] = {}
    with tempfile.TemporaryDirectory(prefix="saldo-voice-") as folder:
        file = Path(folder) / "said"
        try:
            for voice, rate, words in listed:
                await synthesiser.make(Job(file, words, f"{voice} {rate}", margin_ms=0))
                made[voice, rate, words] = from_ulaw(file.with_name("said.ulaw").read_bytes())
        except (SpeechError, OSError) as error:
            raise LabError(f"a caller's words cannot be synthesised ({error})") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                await synthesiser.aclose()
    return made


def _speech(utterance: Utterance, said: Mapping[Spoken, Samples]) -> Speech:
    random = np.random.default_rng(_seed(utterance))
    if utterance.noise:
        samples = _noise(utterance, random, said)
        return Speech(_whole(samples), np.zeros(0, np.int16))
    key = (utterance.voice, utterance.rate, utterance.words)
    words = said[key].astype(np.float64) * LOUDNESS
    if utterance.noise_db is None:
        return Speech(_whole(words), np.zeros(0, np.int16))
    level = _level(words) / 10 ** (utterance.noise_db / 20)
    pause = np.zeros(round(PAUSE_SECONDS * RATE))
    noisy = np.concatenate((pause, words))
    noisy += random.normal(0, level, len(noisy))
    background = random.normal(0, level, round(BACKGROUND_SECONDS * RATE))
    return Speech(_whole(noisy), _whole(background))


def _seed(utterance: Utterance) -> int:
    """The same noise in every run, another one for every utterance."""
    return int.from_bytes(hashlib.sha256(repr(utterance).encode()).digest()[:8], "big")


def _noise(
    utterance: Utterance, random: np.random.Generator, said: Mapping[Spoken, Samples]
) -> Signal:
    if utterance.noise == "cough":
        return _loud(_cough(utterance.seconds or _COUGH_SECONDS, random))
    length = round((utterance.seconds or _NOISE_SECONDS) * RATE)
    if utterance.noise == "music":
        return _loud(_music(length))
    if utterance.noise == "babble":
        voices = [said[voice, WORDS_A_MINUTE, words] for voice, words in _BABBLING]
        return _loud(np.sum([np.resize(voice, length) for voice in voices], axis=0))
    return _loud(random.normal(0, 1.0, length))


def _cough(seconds: float, random: np.random.Generator) -> Signal:
    """Two bursts of breath, each sudden and dying away, dull as a throat makes them."""
    length = round(seconds * RATE)
    breath = random.normal(0, 1.0, length)
    dull = np.convolve(breath, np.hanning(9), "same")
    since = np.arange(length) / RATE
    second = seconds * 0.45
    first_burst = np.exp(-since / 0.07)
    second_burst = np.where(since > second, 0.7 * np.exp(-(since - second) / 0.09), 0.0)
    cough: Signal = dull * (first_burst + second_burst)
    return cough


def _music(length: int) -> Signal:
    """A chord that swells and fades, as music on hold does."""
    since = np.arange(length) / RATE
    tones = [np.sin(2 * np.pi * tone * since) / (1 + place) for place, tone in enumerate(_CHORD)]
    music: Signal = np.sum(tones, axis=0) * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * since))
    return music


def _loud(noise: Signal) -> Signal:
    level: Signal = noise * (_NOISE_LEVEL / max(1e-9, float(np.sqrt(np.mean(noise**2)))))
    return level


def _level(words: Signal) -> float:
    """Root mean square of what can be heard of the words."""
    heard = words[np.abs(words) > LOUD]
    return float(np.sqrt(np.mean(heard**2))) if len(heard) else 0.0


def _whole(signal: Signal) -> Samples:
    return np.clip(np.rint(signal), -32768, 32767).astype(np.int16)


@cache
def _data() -> Path:
    found = find_spec("espeakng_loader")
    if found is None or found.origin is None:
        raise LabError("the package espeakng-loader is missing: install the requirements")
    return Path(found.origin).parent / "espeak-ng-data"


@cache
def _voices() -> Mapping[str, str]:
    """The name of each voice's file, by that name and by the languages it says it speaks.

    espeak-ng itself looks for a voice with a variant by file only, where en-gb is not to be found.
    """
    files = [file for file in (_data() / "lang").rglob("*") if file.is_file()]
    voices = {file.name.lower(): (0, file.name) for file in files}
    for file in files:
        for language, rank in _LANGUAGE.findall(file.read_text(encoding="utf-8", errors="replace")):
            claim = (int(rank or _NO_RANK), file.name)
            voices[language.lower()] = min(claim, voices.get(language.lower(), claim))
    return {name: file for name, (_, file) in voices.items()}


@cache
def _variants() -> frozenset[str]:
    return frozenset(file.name for file in (_data() / "voices" / "!v").iterdir())
