"""The line between a dialogue and a simulated caller: phrases that way, words or keys back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from ivr.billing.calls import CallArrived
from ivr.dialogue.endings import LineError, NobodyAvailable
from ivr.lab.bench.callers import Caller, Said, said
from ivr.lab.bench.voices import Studio, Tape

HINTS: Mapping[str, str] = {}


class Heard:
    """A playback that is over at once: benches do not wait for prompts."""

    async def finished(self) -> None:
        return

    async def stop(self) -> None:
        return


class SimulatedLine:
    """One caller's line (dialogue.line.Line); their voice is on `tape`."""

    def __init__(self, caller: Caller, studio: Studio) -> None:
        self.phrases: list[Said] = []
        """all that the caller has heard"""
        self.said: list[str] = []
        self._caller = caller
        self._studio = studio
        self._tape: Tape | None = None
        self._keys: deque[str] = deque()
        self._pressed = asyncio.Event()
        self.arrived = CallArrived(
            id=uuid4().hex, channel_id="bench", sip_call_id="bench", caller=None,
            dialled="pay", node="bench", at=datetime.now(UTC),
        )  # fmt: skip
        self.hints = HINTS

    async def voice(self, rate: int) -> Tape:
        """What opens the caller's voice (speech.ears.OpenSound)."""
        self._tape = Tape(rate)
        if self.said:
            self._tape.record(await self._studio.speech(self._caller.speaker, self.said[-1]))
        return self._tape

    async def answer(self) -> None:
        return

    async def play(self, sounds: Sequence[str]) -> Heard:
        heard = [said(sound) for sound in sounds]
        self.phrases += heard
        answer = await self._caller.answer(heard)
        if answer is not None and answer.words:
            self.said.append(answer.words)
            if self._tape is not None:
                speech = await self._studio.speech(self._caller.speaker, answer.words)
                self._tape.record(speech)
        elif answer is not None:
            self._keys.extend(answer.keys)
            self._pressed.set()
        return Heard()

    async def next_key(self) -> str:
        while not self._keys:
            self._pressed.clear()
            await self._pressed.wait()
        return self._keys.popleft()

    def forget_keys(self) -> None:
        self._keys.clear()

    async def enter_secure_part(self, capture_id: UUID) -> None:
        raise LineError(f"benches take no cards ({capture_id})")

    async def leave_word(self, words: Mapping[str, str]) -> None:  # noqa: ARG002 - the port names it
        return

    async def somebody_is_there(self) -> bool:
        return True

    async def transfer_to_agent(self) -> None:
        raise NobodyAvailable

    async def hang_up(self) -> None:
        return
