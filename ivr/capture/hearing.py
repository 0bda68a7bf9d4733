"""The caller's voice while a card is asked for: heard by this process, and only while by no other.

It is opened for the fields alone: a snoop, a media websocket and their bridge, in the application
of `saldo capture`. Sound is in memory until it is decoded, words until they are digits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import date
from typing import Protocol

import structlog

from ivr.capture import guard
from ivr.capture.facts import FactsMissing
from ivr.capture.guard import Facts
from ivr.capture.secret import SecretDigits
from ivr.capture.spoken_digits import SpokenDigits, SpokenField
from ivr.dialogue.endings import LineError
from ivr.dialogue.hearing import Listening
from ivr.speech.ears import Ears, Sound, Tongue
from ivr.speech.listening import CallersEars, Deaf, Hark

log = structlog.get_logger(__name__)


class Eyes(Protocol):
    """Who reads for the guard (`facts.FactReader`)."""

    async def read(
        self, channel_id: str, ears: Collection[str] = (), company: Collection[str] = ()
    ) -> Facts:
        """How the PBX is. Raises FactsMissing.

        `ears` are our own on this channel; `company` are those who may be with the caller.
        """
        ...


class OpenVoice(Sound, Protocol):
    """A caller's voice in the PBX (`telephony.media.CallersVoice`)."""

    @property
    def parts(self) -> tuple[str, str, str]:
        """The ids of what it put up there."""
        ...


class Overheard(Exception):
    """Somebody else can see or hear the caller now: no card, by voice or by keys."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class CardEars(Protocol):
    """The ears of one segment."""

    async def may_speak(self, language: str) -> bool:
        """Look before each question. Raises Overheard."""
        ...

    async def listen(self, language: str, field: SpokenField, into: SecretDigits) -> Listening:
        """Begin to listen for a field; its digits are in `into` when the result is of it."""
        ...

    async def rest(self) -> None:
        """The fields are over: take everything off the caller's channel, forget every sound."""
        ...


class GuardedEars:
    """One caller's `CardEars`, guarded as the keys are and more (guard.py)."""

    def __init__(
        self,
        ears: Ears,
        open_voice: Callable[[int], Awaitable[OpenVoice]],
        eyes: Eyes,
        channel_id: str,
        clock: Callable[[], date],
    ) -> None:
        self._ears = ears
        self._open_voice = open_voice
        self._eyes = eyes
        self._channel_id = channel_id
        self._clock = clock
        self._ready: OpenVoice | None = None
        """opened, and not listened to yet"""
        self._parts: tuple[str, ...] = ()
        """what is on the caller's channel; empty when nothing is"""
        self._last: Listening | None = None
        self._is_off = False
        """once refused or lost, it stays so for the segment"""
        self._mine = CallersEars(ears, self._opened, clock)

    async def may_speak(self, language: str) -> bool:
        tongue = self._ears.tongue(language)
        if tongue is None or self._is_off:
            return False
        if self._ears.is_busy:
            await self.rest()
            return False
        try:
            refused = await self._refused(tongue.model.rate)
        except Overheard:
            await self.rest()
            raise
        if refused:
            log.warning("no_card_by_voice", why=refused)
            self._is_off = True
            await self.rest()
        return not refused

    async def listen(self, language: str, field: SpokenField, into: SecretDigits) -> Listening:
        def digits(tongue: Tongue) -> SpokenDigits:
            grammars = self._ears.grammars(language, field.expecting)
            return SpokenDigits(
                field, grammars, tongue.strictness, self._clock(), into, tongue.pauses
            )

        self._last = await self._mine.listen_for(language, field.expecting, digits)
        return self._last

    async def rest(self) -> None:
        self._is_off = self._is_off or self._is_lost
        ready, self._ready = self._ready, None
        self._parts, self._last = (), None
        await self._mine.rest()
        if ready is not None:
            await ready.close()

    @property
    def _is_lost(self) -> bool:
        """Whether the last listening ended because nobody heard."""
        last = self._last
        return isinstance(last, Deaf) or (isinstance(last, Hark) and last.is_deaf)

    async def _refused(self, rate: int) -> list[str]:
        """Why the caller must not be asked to speak. Raises Overheard."""
        if self._is_lost:
            return ["the caller's voice was lost"]
        try:
            if not self._parts:
                self._ready = await self._open_voice(rate)
                self._parts = self._ready.parts
            facts = await self._eyes.read(self._channel_id, self._parts)
        except (LineError, FactsMissing) as error:
            return [str(error)]
        if reasons := guard.doubts(facts):
            raise Overheard(reasons)
        return guard.doubts_of_voice(facts)

    async def _opened(self, _rate: int) -> Sound:
        """The voice opened before the question: none is opened that was not looked at."""
        voice, self._ready = self._ready, None
        if voice is None:
            raise LineError("the caller's voice is not open")
        return voice
