"""How well answers are told from other sounds: utterances in, rates out, through the real ears."""

from __future__ import annotations

import asyncio
import wave
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ivr.dialogue.endings import LineError
from ivr.dialogue.hearing import Expecting, Heard, Unheard
from ivr.speech.ears import Ears
from ivr.speech.errors import HearingError
from ivr.speech.listening import CallersEars

SAMPLE_BYTES = 2
BATCH_SECONDS = 0.1
QUIET_BEFORE_SECONDS = 0.3
QUIET_AFTER_SECONDS = 8.0
"""longer than any patience"""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording and what should be made of it."""

    file: Path
    """WAV, mono, 16 bits, of the model's rate"""
    language: str
    expecting: Expecting
    meaning: str | None
    """None when it is no answer to that question"""
    said: str = ""
    """for reports"""


@dataclass(slots=True)
class Rates:
    """What came of a list of utterances."""

    answers: Counter[str] = field(default_factory=Counter)
    """of those that are answers: right, wrong, refused"""
    others: Counter[str] = field(default_factory=Counter)
    """of those that are none: refused, accepted"""
    faults: list[tuple[Utterance, Heard | Unheard]] = field(default_factory=list)
    delays_seconds: list[float] = field(default_factory=list)
    """from the last loud moment to the result, for the right ones"""

    @property
    def right(self) -> float:
        """Share of answers that were understood as they were meant."""
        return self.answers["right"] / max(1, self.answers.total())

    @property
    def refused(self) -> float:
        """Share of other utterances that were recognised as no answer."""
        return self.others["refused"] / max(1, self.others.total())


class Recording:
    """A file as a caller's voice (ears.Sound), as fast as it is taken."""

    dropped_seconds = 0.0

    def __init__(self, file: Path, rate: int) -> None:
        self.rate = rate
        with wave.open(str(file)) as sound:
            if (sound.getframerate(), sound.getnchannels()) != (rate, 1):
                raise HearingError(f"{file} must be mono with {rate} samples a second.")
            speech = sound.readframes(sound.getnframes())
        before, after = (
            bytes(SAMPLE_BYTES * round(rate * seconds))
            for seconds in (QUIET_BEFORE_SECONDS, QUIET_AFTER_SECONDS)
        )
        self._sound = before + speech + after
        self._at = 0

    async def batch(self) -> bytes:
        await asyncio.sleep(0)
        length = SAMPLE_BYTES * round(self.rate * BATCH_SECONDS)
        batch: bytes = self._sound[self._at : self._at + length]
        if len(batch) < length:
            raise LineError("the recording is over")
        self._at += length
        return batch

    def forget(self) -> None:
        return

    async def close(self) -> None:
        return


async def hear(ears: Ears, utterance: Utterance) -> tuple[Heard | Unheard, float]:
    """What is made of one utterance, and how long after its last loud moment, in seconds."""

    async def recording(rate: int) -> Recording:
        return Recording(utterance.file, rate)

    mine = CallersEars(ears, recording)
    listening = await mine.listen(utterance.language, utterance.expecting)
    listening.prompt_over()
    heard = await listening.result()
    await mine.rest()
    return heard, getattr(listening, "delay_seconds", 0.0)


async def measure(ears: Ears, utterances: Iterable[Utterance]) -> Rates:
    """Hear them one after the other."""
    rates = Rates()
    for utterance in utterances:
        heard, delay = await hear(ears, utterance)
        if utterance.meaning is None:
            came = "accepted" if isinstance(heard, Heard) else "refused"
            rates.others[came] += 1
        else:
            is_right = isinstance(heard, Heard) and heard.meaning == utterance.meaning
            came = "right" if is_right else "wrong" if isinstance(heard, Heard) else "refused"
            rates.answers[came] += 1
            if is_right:
                rates.delays_seconds.append(delay)
        if came not in {"right", "refused"} or (utterance.meaning and came == "refused"):
            rates.faults.append((utterance, heard))
    return rates
