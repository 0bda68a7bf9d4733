"""One answer by voice or by keys: both are listened for at once, and the first of either hushes.

A key ends the listening. A caller who has begun to speak is heard out, beyond the time for a first
key. Silence counts only when no key came either. With ears that are deaf the prompt is played to
its end, for the keys, and then nobody is left waiting to be heard.
Also used for a card that is said or keyed in `saldo capture`: see turn.py about keys.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias

from ivr.dialogue.hearing import Heard, Listening, Unheard
from ivr.dialogue.keypad import BufferT, KeyEntry, Step
from ivr.dialogue.line import Handset, Playback
from ivr.dialogue.turn import begun, in_time, next_that_counts, now, typed_ahead

Listen: TypeAlias = Callable[[], Awaitable[Listening]]

LONGEST_ANSWER_SECONDS = 125.0
"""ears that think about one answer for longer than this have lost it: they end it themselves, slow
spellers' after two minutes at the most ([speech] pauses)"""
LAST_WORD_SECONDS = 1.5
"""after the time for a first key: what is just being said may not have been noticed yet"""
NOISES = 5
"""sounds that are no answer while a prompt plays on: after so many nobody listens any more"""


async def answer(
    line: Handset, sounds: Sequence[str], entry: KeyEntry[BufferT], listen: Listen
) -> Step | Heard | Unheard:
    """Play `sounds` until the caller keys `entry` or says something.

    A Step, never MORE, when there were keys or nothing; else what was heard, or UNCLEAR, TOO_MUCH
    or DEAF: then ask by keys. Keys behave as in `turn.enter_keys`; typed ahead, nothing is played.
    Raises HungUp.
    """
    step = await typed_ahead(line, entry)
    if not begun(step, entry):
        outcome = await _Turn(line, entry, listen).take(sounds)
        if not isinstance(outcome, Step):
            return outcome
        step = outcome
    entry.listen(now())
    while step is Step.MORE:
        step = await in_time(line, entry)
    return step


class _Turn(Generic[BufferT]):
    """The race of a prompt, the first key and the voice."""

    def __init__(self, line: Handset, entry: KeyEntry[BufferT], listen: Listen) -> None:
        self._line = line
        self._entry = entry
        self._stirred = asyncio.Event()
        self._hearing = _Hearing(listen, self._stirred.set)
        self._is_hushed = False
        self._is_deaf = False

    async def take(self, sounds: Sequence[str]) -> Step | Heard | Unheard:
        """MORE after the first key of several; the prompt is over when this returns."""
        playback = await self._line.play(sounds)
        prompt = asyncio.create_task(playback.finished())
        keys = asyncio.create_task(next_that_counts(self._line, self._entry))
        for task in (prompt, keys):
            task.add_done_callback(lambda _: self._stirred.set())
        self._hearing.begin()
        try:
            while True:
                await self._something()
                if keys.done():
                    await playback.stop()
                    return keys.result()
                heard = self._heard(is_over=prompt.done() or self._hearing.has_spoken)
                if not self._is_hushed and (heard or self._hearing.has_spoken or prompt.done()):
                    await self._hush(playback, prompt)
                if heard is not None:
                    return heard
                if self._is_too_late():
                    return self._entry.expire()
        finally:
            keys.cancel()
            prompt.cancel()
            await asyncio.gather(keys, prompt, return_exceptions=True)
            await self._hearing.end()

    async def _something(self) -> None:
        """Return when the next thing has happened, or is overdue."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._until()):
                await self._stirred.wait()
        self._stirred.clear()

    async def _hush(self, playback: Playback, prompt: asyncio.Task[None]) -> None:
        """The prompt is over, or is now: waiting begins to count."""
        self._is_hushed = True
        if prompt.done():
            prompt.result()  # a line that fails while it plays is not silence
        else:
            await playback.stop()
        self._entry.listen(now())
        self._hearing.prompt_over()

    def _heard(self, *, is_over: bool) -> Heard | Unheard | None:
        """What ends the turn, of what was heard by now."""
        heard = self._hearing.take_result()
        if heard is Unheard.UNCLEAR and not (is_over or self._is_hushed):
            self._hearing.begin()  # a noise, during which the prompt went on
            return None
        self._is_deaf |= heard is Unheard.DEAF
        if self._is_deaf:  # nobody hears the caller who would speak now
            return Unheard.DEAF if is_over or self._is_hushed else None
        return None if heard is Unheard.SILENCE else heard

    def _until(self) -> float | None:
        """When waiting is over; None while the prompt plays."""
        if self._hearing.spoke_at is not None:
            return self._hearing.spoke_at + LONGEST_ANSWER_SECONDS
        if self._entry.deadline is None:
            return None
        return self._entry.deadline + (LAST_WORD_SECONDS if self._hearing.goes_on else 0.0)

    def _is_too_late(self) -> bool:
        until = self._until()
        return until is not None and now() >= until


class _Hearing:
    """What the ears make of one turn."""

    def __init__(self, listen: Listen, stir: Callable[[], None]) -> None:
        self.spoke_at: float | None = None
        """since when the caller is speaking"""
        self.has_spoken = False
        """so that the prompt must be hushed"""
        self._listen = listen
        self._stir = stir
        self._listening: Listening | None = None
        self._is_prompt_over = False
        self._begun = 0
        self._task: asyncio.Task[Heard | Unheard] | None = None

    def begin(self) -> None:
        """Listen for an answer, unless there was nothing but noise too often."""
        self._begun += 1
        if self._begun <= NOISES:
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(lambda _: self._stir())

    @property
    def goes_on(self) -> bool:
        """Whether a result may still come."""
        return self._task is not None

    def prompt_over(self) -> None:
        self._is_prompt_over = True
        if self._listening is not None:
            self._listening.prompt_over()

    def take_result(self) -> Heard | Unheard | None:
        """What was heard, once; None as long as that is not known."""
        if self._task is None or not self._task.done():
            return None
        result, self._task, self.spoke_at = self._task.result(), None, None
        return result

    async def end(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> Heard | Unheard:
        listening = self._listening = await self._listen()
        if self._is_prompt_over:
            listening.prompt_over()
        noticing = asyncio.create_task(self._notice(listening))
        try:
            return await listening.result()
        finally:
            noticing.cancel()
            await asyncio.gather(noticing, return_exceptions=True)
            await listening.stop()

    async def _notice(self, listening: Listening) -> None:
        await listening.speaking()
        self.has_spoken = True
        self.spoke_at = now()
        self._stir()
