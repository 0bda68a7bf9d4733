"""A speech model that understands beeps, sound to feed it, and a caller's voice made of both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from ivr.dialogue.endings import LineError
from ivr.dialogue.hearing import Expecting, Heard, Unheard
from ivr.speech.grammar import UNKNOWN
from ivr.speech.recogniser import Guess

RATE = 8000
WORD_SECONDS = 0.3
"""every so much loud sound is one more word of what the test says is said"""
LOUD_SECONDS = 0.26
"""the loud part of it"""
BATCH_SECONDS = 0.1
LOUD = 3000


NO_WORDS = Guess(UNKNOWN, -100.0)
"""how little sounds that are no words fit what is said"""


def quiet(seconds: float, level: int = 8) -> bytes:
    """A line on which nobody speaks."""
    return noise(seconds, level)


def noise(seconds: float, level: int, seed: int = 1) -> bytes:
    """Hiss of that loudness."""
    samples = np.random.default_rng(seed).normal(0, level, round(seconds * RATE))
    return samples.astype("<i2").tobytes()


def beep(seconds: float, level: int = LOUD) -> bytes:
    """A voice, as far as the fake model is concerned."""
    times = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 440 * times)).astype("<i2").tobytes()


def words(count: int) -> bytes:
    """So many words, one after the other."""
    return b"".join(beep(LOUD_SECONDS) + quiet(WORD_SECONDS - LOUD_SECONDS) for _ in range(count))


class BeepRecogniser:
    """Tells one more of the words for every 0.26 s of loud sound."""

    def __init__(self, said: str, guesses: Sequence[Guess]) -> None:
        self._said = said.split()
        self._guesses = guesses
        self._loud = 0

    def accept(self, sound: bytes) -> None:
        samples = np.frombuffer(sound, "<i2").reshape(-1, RATE // 50)
        self._loud += int((np.abs(samples).max(axis=1) > LOUD / 2).sum())

    def words(self) -> str:
        return " ".join(self._said[: round(self._loud / 50 / LOUD_SECONDS)])

    def finish(self) -> list[Guess]:
        heard = self.words()
        self._loud = 0
        return list(self._guesses) or [Guess(heard, 0.0)]

    def forget(self) -> None:
        self._loud = 0


class BeepModel:
    """`said` is what every caller says; `guesses` overrides what is made of it in the end."""

    rate = RATE

    def __init__(
        self, said: str = "", guesses: Sequence[Guess] = (), unknown: Sequence[str] = ()
    ) -> None:
        self.said = said
        self.guesses = guesses
        self.told: list[list[str] | None] = []
        """the sentences that each recogniser was made for"""
        self._unknown = frozenset(unknown)

    def knows(self, word: str) -> bool:
        return word not in self._unknown

    def recogniser(self, sentences: Sequence[str] | None, guesses: int) -> BeepRecogniser:
        self.told.append(None if sentences is None else list(sentences))
        assert sentences is None or UNKNOWN in sentences
        no_words = sentences == [UNKNOWN]
        return BeepRecogniser(self.said, [NO_WORDS] if no_words else self.guesses)


class TapedVoice:
    """A caller's voice from memory (ears.Sound); when it is over the voice is lost."""

    def __init__(self, sound: bytes, rate: int = RATE, step: float = BATCH_SECONDS) -> None:
        self.rate = rate
        self._step = step
        self.dropped_seconds = 0.0
        self.opened = 0
        self.closed = False
        self._sound = sound
        self._at = 0

    async def open(self, rate: int) -> TapedVoice:
        self.rate = rate
        self.opened += 1
        return self

    @property
    def taken_seconds(self) -> float:
        """How much of it was listened to."""
        return self._at / 2 / self.rate

    async def batch(self) -> bytes:
        await asyncio.sleep(0)
        length = 2 * round(self._step * self.rate)
        batch = self._sound[self._at : self._at + length]
        if len(batch) < length:
            raise LineError("the tape is over")
        self._at += length
        return batch

    def forget(self) -> None:
        return

    async def close(self) -> None:
        self.closed = True


class ScriptedListening:
    """One answer that is known beforehand (dialogue.hearing.Listening)."""

    def __init__(
        self, after_seconds: float, answer: Heard | Unheard, ears: ScriptedEars | None = None
    ) -> None:
        self._ears = ears
        self._after = after_seconds
        self._answer = answer
        self._prompt_over = asyncio.Event()
        self._stopped = False

    async def speaking(self) -> None:
        if not isinstance(self._answer, Heard):
            await asyncio.Event().wait()
        await asyncio.sleep(self._after)

    def prompt_over(self) -> None:
        self._prompt_over.set()

    async def result(self) -> Heard | Unheard:
        if self._stopped:
            return Unheard.DEAF
        if isinstance(self._answer, Heard) or self._answer is Unheard.DEAF:
            await asyncio.sleep(self._after)
        else:
            await self._prompt_over.wait()
            await asyncio.sleep(self._after)
        return self._answer

    async def stop(self) -> None:
        if self._ears is not None and not self._stopped:
            self._ears.open -= 1
        self._stopped = True


class ScriptedEars:
    """Answers in the order given: (seconds, what is heard); deaf when there are no more."""

    def __init__(self, *answers: tuple[float, Heard | Unheard]) -> None:
        self.asked: list[tuple[str, Expecting]] = []
        self.rests = 0
        self.is_on_line = False
        """whether the caller's voice is open"""
        self.is_busy = False
        self.open = 0
        """listenings that were not stopped yet"""
        self.languages = {"en", "es"}
        self._answers = list(answers)

    def understands(self, language: str) -> bool:
        return language in self.languages and not self.is_busy

    async def listen(self, language: str, expecting: Expecting) -> ScriptedListening:
        self.asked.append((language, expecting))
        self.is_on_line = True
        after, answer = self._answers.pop(0) if self._answers else (0.0, Unheard.DEAF)
        self.open += 1
        return ScriptedListening(after, answer, self)

    @property
    def left(self) -> int:
        """Answers that nobody listened to."""
        return len(self._answers)

    async def rest(self) -> None:
        self.rests += 1
        self.is_on_line = False
