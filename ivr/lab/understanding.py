"""Whether a speech model understands: words in a synthetic voice or a recording, the real ears."""

from __future__ import annotations

import asyncio
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import soxr

from ivr.dialogue.hearing import NAME, Expecting, Heard, Unheard
from ivr.lab.phrasebook import RATE, Samples
from ivr.lab.speaking import Utterance as Saying
from ivr.lab.speaking import synthesise
from ivr.speech import sound
from ivr.speech.ears import Ears
from ivr.speech.errors import HearingError
from ivr.speech.measuring import Utterance, hear
from ivr.speech.recogniser import Recogniser

VOICES: Mapping[str, str] = {"en": "en-us", "es": "es"}
LONGEST_SECONDS = 60.0
"""of a recording: nobody answers a question for longer"""
WHY_NOT: Mapping[Unheard, str] = {
    Unheard.SILENCE: "nothing was said",
    Unheard.UNCLEAR: "no answer to this question",
    Unheard.TOO_MUCH: "talk or noise that does not end",
    Unheard.DEAF: "it could not be listened to",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """Something said in answer to a question."""

    language: str
    question: str
    """a grammar's name, or NAME"""
    said: str
    sound: Samples = field(repr=False, compare=False)
    """at RATE"""
    meaning: str | None = None
    """what should be understood; empty for no answer, None when that is for a person to judge"""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trial."""

    trial: Trial
    heard: str
    """words: those of the answer, or of any kind when it was none"""
    meaning: str
    """empty when there was none"""
    why: str
    """there is no meaning"""
    others: tuple[str, ...]
    """what else a name may have been: the directory is asked for all of these"""
    seconds: float
    """the machine worked on it, loading not counted"""
    length_seconds: float
    """of the sound"""

    @property
    def passed(self) -> bool:
        """As it should be; where that is not said, whether there is any meaning."""
        wanted = self.trial.meaning
        return bool(self.meaning) if wanted is None else wanted in {self.meaning, *self.others}


_SELF_TEST: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "en": (
        ("yes_no", "yes please", "yes"),
        ("yes_no", "no thank you", "no"),
        ("digits", "one zero four two", "1042"),
        (NAME, "james smith", "james smith"),
        ("pay_or_leave", "can I speak to an agent", "agent"),
        ("yes_no", "the weather is nice today", ""),
    ),
    "es": (
        ("yes_no", "sí por favor", "yes"),
        ("yes_no", "no gracias", "no"),
        ("digits", "uno cero cuatro dos", "1042"),
        (NAME, "carmen garcía", "carmen garcía"),
        ("pay_or_leave", "quiero hablar con un agente", "agent"),
        ("yes_no", "hoy hace muy buen tiempo", ""),
    ),
}


async def self_test(languages: Sequence[str], like: Saying) -> list[Trial]:
    """A few answers in each language, and something that is none, said as `like` is.

    Its words do not count; without a voice each language has its own. Raises LabError.
    """
    rows = [(language, *row) for language in languages for row in _SELF_TEST[language]]
    sayings = {row: replace(_own_voice(like, row[0]), words=row[2]) for row in rows}
    spoken = await synthesise(sayings.values())
    return [
        Trial(language, question, said, spoken[sayings[row]].samples, meaning)
        for row in rows
        for language, question, said, meaning in (row,)
    ]


async def spoken(language: str, question: str, saying: Saying) -> Trial:
    """Words in a synthetic voice, the language's own if none is given. Raises LabError."""
    said = _own_voice(saying, language)
    made = await synthesise([said])
    return Trial(language, question, said.words, made[said].samples)


def recorded(language: str, question: str, file: Path) -> Trial:
    """A recording as a telephone would carry it. Raises CatalogueError, HearingError."""
    signal, rate = sound.from_recording(file)
    if len(signal) > LONGEST_SECONDS * rate:
        raise HearingError(f"{file} is longer than {LONGEST_SECONDS:.0f} s: cut it to one answer")
    narrow = np.rint(soxr.resample(signal, rate, RATE) * 32768)
    return Trial(language, question, file.name, np.clip(narrow, -32768, 32767).astype(np.int16))


async def understand(ears: Ears, trial: Trial) -> Result:
    """What the ears make of it; HearingError when the language has no model or no such question."""
    tongue = ears.tongue(trial.language)
    if tongue is None:
        raise HearingError(f"there is no speech model for {trial.language!r}")
    if trial.question != NAME and trial.question not in tongue.grammars.names():
        known = ", ".join(sorted({NAME, *tongue.grammars.names()}))
        raise HearingError(f"there is no question {trial.question!r}: use one of {known}")
    wide = soxr.resample(trial.sound.astype(np.float64), RATE, tongue.model.rate)
    pcm = np.clip(np.rint(wide), -32768, 32767).astype("<i2").tobytes()
    expecting = Expecting(trial.question)
    began = perf_counter()
    with tempfile.TemporaryDirectory(prefix="saldo-heard-") as folder:
        file = _written(Path(folder) / "said.wav", pcm, tongue.model.rate)
        heard, _ = await hear(ears, Utterance(file, trial.language, expecting, trial.meaning))
    took = perf_counter() - began
    length = len(trial.sound) / RATE
    if isinstance(heard, Heard):
        return Result(trial, heard.words, heard.meaning, "", heard.others, took, length)
    words = await asyncio.to_thread(_words, tongue.model.recogniser(None, 1), pcm)
    return Result(trial, words, "", WHY_NOT[heard], (), took, length)


def _own_voice(saying: Saying, language: str) -> Saying:
    return saying if saying.voice else replace(saying, voice=VOICES[language])


def _words(recogniser: Recogniser, pcm: bytes) -> str:
    """Any words in it; not finished, because that can take minutes over talk among talk."""
    recogniser.accept(pcm)
    return recogniser.words()


def _written(file: Path, pcm: bytes, rate: int) -> Path:
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(pcm)
    return file
