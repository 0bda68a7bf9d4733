"""One caller listened to: their voice is opened when it is needed, and each answer is made out.

It never raises (dialogue.hearing.Ears): what goes wrong with hearing is DEAF.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import structlog

from ivr.dialogue.endings import LineError
from ivr.dialogue.hearing import (
    DIGITS,
    NAME,
    SPELLING,
    Expecting,
    Heard,
    Listening,
    Unheard,
)
from ivr.speech.ears import Batch, Decoding, Ears, OpenSound, Sound, Tongue
from ivr.speech.endpointing import (
    FLOOR_AT_FIRST_DB,
    FRAME_SECONDS,
    LEAST_WORD_SECONDS,
    Endpointer,
    Patience,
    Verdict,
    loudness_db,
)
from ivr.speech.errors import DeafError, HearingError
from ivr.speech.judging import Evidence, is_complete, judge

log = structlog.get_logger(__name__)

LEAD_SECONDS = 0.4
"""kept from before the first loud moment: words begin softly"""
LONGEST_LOOK_SECONDS = 3.0
"""of sound, that may have been a whole answer: more is decoded once only"""
MOST_DROPPED_SECONDS = 1.0
"""more of an answer lost than this and nothing can be made of it"""
ANSWERS = Patience(after_answer=0.22)
NUMBERS = Patience(after_complete=0.24, after_incomplete=1.0, after_too_little=2.0, longest=20.0)
PATIENCE = {
    DIGITS: NUMBERS,
    "expiry": NUMBERS,
    SPELLING: Patience(after_incomplete=1.3, after_too_little=2.5, longest=30.0),
    NAME: Patience(
        after_complete=0.35, after_incomplete=0.7, after_too_little=2.0, after_answer=0.28
    ),
}
"""people breathe between groups of digits, and think between letters"""


class CallersEars:
    """One caller's ears, the port of the conversation. `rest` when the call is over."""

    def __init__(
        self, ears: Ears, open_sound: OpenSound, today: Callable[[], dt.date] = dt.date.today
    ) -> None:
        self._ears = ears
        self._open_sound = open_sound
        self._today = today
        self._sound: Sound | None = None
        self._current: Hark | None = None
        self._floor_db = FLOOR_AT_FIRST_DB

    def understands(self, language: str) -> bool:
        return self._ears.tongue(language) is not None and not self._ears.is_busy

    async def listen(self, language: str, expecting: Expecting) -> Listening:
        """Begin to listen for one answer; an earlier one is given up."""

        def by_grammar(tongue: Tongue) -> Answering:
            return Answer(self._ears, tongue, language, expecting, self._today())

        return await self.listen_for(language, expecting, by_grammar)

    async def listen_for(
        self, language: str, expecting: Expecting, answering: Callable[[Tongue], Answering]
    ) -> Listening:
        """The same, where the caller of this says what is to be made of the words."""
        if self._current is not None:
            await self._current.stop()
            self._floor_db = self._current.floor_db
        try:
            return await self._begin(language, expecting, answering)
        except (LineError, HearingError) as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - hearing's outer edge: what the recogniser raises is no reason to lose the call
            why = type(error).__name__
        await self.rest()
        return Deaf(why)

    async def _begin(
        self, language: str, expecting: Expecting, answering: Callable[[Tongue], Answering]
    ) -> Hark:
        tongue = self._ears.tongue(language)
        if tongue is None:
            raise DeafError(f"nobody understands {language!r}")
        answer = answering(tongue)
        sound = await self._voice(tongue.model.rate)
        is_new = self._current is None
        decoding = await self._ears.decoding(language, expecting, is_new=is_new)
        sound.forget()
        self._current = Hark(self._ears, sound, decoding, answer, self._floor_db)
        return self._current

    async def rest(self) -> None:
        """Stop listening and take everything off the caller's channel."""
        if self._current is not None:
            await self._current.stop()
            self._current = None
        sound, self._sound = self._sound, None
        if sound is not None:
            await sound.close()

    async def _voice(self, rate: int) -> Sound:
        """The open voice, at this rate: models of two languages may differ."""
        broken = self._current is not None and self._current.is_deaf
        if self._sound is not None and (broken or self._sound.rate != rate):
            await self.rest()
        if self._sound is None:
            self._sound = await self._open_sound(rate)
        return self._sound


class Answering(Protocol):
    """What is to be made of the words of one answer."""

    def patience(self) -> Patience: ...

    def is_complete(self, words: str) -> bool | None:
        """Whether no more need follow these words; None when more must."""
        ...

    def judge(self, evidence: Evidence) -> Heard | Unheard: ...


class Answer:
    """What is made of an answer's words by the grammars (an `Answering`)."""

    def __init__(
        self, ears: Ears, tongue: Tongue, language: str, expecting: Expecting, today: dt.date
    ) -> None:
        self._tongue = tongue
        self._expecting = expecting
        self._grammars = ears.grammars(language, expecting)
        self._today = today

    def patience(self) -> Patience:
        usual = PATIENCE.get(self._expecting.grammar, ANSWERS)
        return usual.slower(self._tongue.pauses, self._expecting.patience_seconds)

    def is_complete(self, words: str) -> bool | None:
        return is_complete(self._expecting, self._grammars, words)

    def judge(self, evidence: Evidence) -> Heard | Unheard:
        return judge(
            self._expecting, self._grammars, evidence, self._today, self._tongue.strictness
        )


class Hark:
    """One answer being listened for (dialogue.hearing.Listening)."""

    def __init__(
        self, ears: Ears, sound: Sound, decoding: Decoding, answer: Answering, floor_db: float
    ) -> None:
        self.delay_seconds = 0.0
        """from the last loud moment of the answer until its result, when there is one"""
        self._sound = sound
        self._answer = answer
        self._endpointer = Endpointer(answer.patience(), floor_db)
        self._at = 0.0
        """end of the sound taken in so far, in seconds"""
        self._lead = deque[Batch]()
        self._taken: list[Batch] = []
        """what is being decoded, as long as it is short enough for a second time"""
        self._is_decoding = False
        self._spoke = asyncio.Event()
        self._dropped_before = sound.dropped_seconds
        self._task = asyncio.create_task(self._run(decoding), name="listening")
        self._task.add_done_callback(lambda _: ears.release())

    @property
    def floor_db(self) -> float:
        """The noise of the caller's line."""
        return self._endpointer.floor_db

    @property
    def is_deaf(self) -> bool:
        """Whether it ended because the voice was lost."""
        task = self._task
        return task.done() and not task.cancelled() and task.result() is Unheard.DEAF

    async def speaking(self) -> None:
        await self._spoke.wait()

    def prompt_over(self) -> None:
        self._endpointer.listen(self._at)

    async def result(self) -> Heard | Unheard:
        await asyncio.wait((self._task,))
        return Unheard.DEAF if self._task.cancelled() else self._task.result()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))

    async def _run(self, decoding: Decoding) -> Heard | Unheard:
        try:
            while True:
                verdict = await self._take(decoding, await self._sound.batch())
                if verdict not in {Verdict.WAITING, Verdict.SPEAKING}:
                    return await self._end(decoding, verdict)
                if (answer := await self._look(decoding)) is not None:
                    return self._told(answer)
        except (LineError, HearingError) as error:
            log.warning("no_longer_listening", why=str(error))
        except Exception as error:  # noqa: BLE001 - this task's outer edge: what the recogniser raises is no reason to lose the call
            log.error("hearing_failed", why=type(error).__name__)  # noqa: TRY400 - no sound in logs
        finally:  # what was said goes no further than its meaning, in `saldo capture` not even that
            self._lead.clear()
            self._taken.clear()
            self._endpointer.forget()
        return Unheard.DEAF

    async def _take(self, decoding: Decoding, sound: bytes) -> Verdict:
        """One batch of sound: how loud, which words, and how far the caller is."""
        if self._sound.dropped_seconds - self._dropped_before > MOST_DROPPED_SECONDS:
            raise DeafError("the caller's voice came faster than it was understood")
        batch = sound, list(map(self._hear, loudnesses(sound, self._sound.rate)))
        if self._endpointer.is_sounding:
            new = (*self._lead, batch)
            self._lead.clear()
            if self._is_decoding == bool(self._taken):
                self._taken += new
            if seconds(self._taken) > LONGEST_LOOK_SECONDS:
                self._taken.clear()
            self._is_decoding = True
            words = await decoding.accept(new)
            complete = self._answer.is_complete(words)
            self._endpointer.understand(words, self._at, is_complete=complete)
        else:
            self._lead.append(batch)
            while seconds(self._lead) - len(self._lead[0][1]) * FRAME_SECONDS >= LEAD_SECONDS:
                self._lead.popleft()
        verdict = self._endpointer.verdict(self._at)
        if verdict is Verdict.SPEAKING and self._endpointer.loud_seconds >= LEAST_WORD_SECONDS:
            self._spoke.set()
        if verdict is Verdict.WAITING and self._is_decoding and not self._endpointer.is_sounding:
            self._is_decoding = False
            self._taken.clear()
            await decoding.forget()  # a click or a cough: forget it
        return verdict

    async def _look(self, decoding: Decoding) -> Heard | None:
        """A whole answer soon after its last loud moment; else everything goes on as before.

        The words so far lag behind the sound, those at the end do not: so it is ended to see, and
        taken in once more when it was too soon.
        """
        if not self._taken or not self._endpointer.is_worth_a_look(self._at):
            return None
        judged = await self._judged(decoding)
        if isinstance(judged, Heard) and self._answer.is_complete(judged.words):
            return judged
        self._endpointer.looked()
        await decoding.accept(self._taken)
        return None

    def _hear(self, loudness: float) -> bool:
        self._at += FRAME_SECONDS
        return self._endpointer.hear(loudness, self._at)

    async def _end(self, decoding: Decoding, verdict: Verdict) -> Heard | Unheard:
        if verdict is Verdict.SILENCE:
            return Unheard.SILENCE
        if verdict is Verdict.TOO_MUCH:
            return Unheard.TOO_MUCH
        return self._told(await self._judged(decoding))

    def _told(self, judged: Heard | Unheard) -> Heard | Unheard:
        kind = judged.name if isinstance(judged, Unheard) else judged.grammar
        log.info("speech_over", heard=kind, delay_ms=round(self.delay_seconds * 1000))
        return judged

    async def _judged(self, decoding: Decoding) -> Heard | Unheard:
        """What the sound until now means."""
        clock = asyncio.get_running_loop().time
        since = clock()
        evidence = await decoding.finish(self._endpointer.spoken_seconds)
        judged = self._answer.judge(evidence)
        self.delay_seconds = self._at - self._endpointer.quiet_since + clock() - since
        return judged


class Deaf:
    """In the place of a listening that cannot be (dialogue.hearing.Listening)."""

    def __init__(self, why: str) -> None:
        log.warning("not_listening", why=why)

    async def speaking(self) -> None:
        await asyncio.Event().wait()

    def prompt_over(self) -> None:
        return

    async def result(self) -> Unheard:
        return Unheard.DEAF

    async def stop(self) -> None:
        return


def seconds(batches: Iterable[Batch]) -> float:
    """How long they are together."""
    return sum(len(loud) for _, loud in batches) * FRAME_SECONDS


def loudnesses(sound: bytes, rate: int) -> list[float]:
    """The loudness of each frame, in decibels below full scale."""
    length = round(FRAME_SECONDS * rate)
    samples = np.frombuffer(sound, "<i2")
    frames = samples[: len(samples) // length * length].reshape(-1, length).astype(np.float64)
    return [loudness_db(float(mean)) for mean in np.square(frames).mean(axis=1)]
