"""Lending a caller to the secure process, and getting them back whatever happens there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID

import structlog

from ivr.billing.captures import CaptureResult
from ivr.dialogue.endings import SecurePartAway
from ivr.telephony.ari import Ari
from ivr.telephony.errors import AnswerLate, ChannelGone, TelephonyError
from ivr.telephony.events import ChannelUserevent
from ivr.telephony.places import Place, SecurePart
from ivr.telephony.presence import Presence

log = structlog.get_logger(__name__)

FETCH_BACK_SECONDS = 30.0
"""the longest prompt that a dead secure process may have left playing"""
LOOK_AFTER_SECONDS = 2.0
"""how often a caller in the secure part is looked after, should nobody tell us of their end"""
ALIVE_SECONDS = 20.0
FIRST_SIGN_SECONDS = 30.0
"""longer: the secure process first asks the database and the PBX, each with its own limits"""

CAPTURE_ENDED = "SaldoCaptureEnded"
"""user event of the secure process: variables `capture` and `result`"""
CAPTURE_ALIVE = "SaldoCaptureAlive"
"""user event of the secure process, variable `capture`, at least every 5 s"""
CAPTURE_PROGRESS = "SaldoCaptureProgress"
"""user event of the secure process: variables `capture`, `field`, `state`, `masked`, `attempt`,
`error_type` (empty when nothing is wrong)"""
CAPTURE_COMMAND = "SaldoCaptureCommand"
"""user event for the secure process: variables `capture`, `action` and, with "ask", `field`"""


class Witness(Protocol):
    """Whoever hears a caller here, and may not hear them in the secure part."""

    async def leave(self) -> None:
        """Hear nothing any more when this returns. Raises SecurePartAway: that cannot be."""
        ...

    async def back(self, *, here: bool) -> None:
        """The stay is over; `here`: the caller is with us again. Raises nothing."""
        ...


class Lending:
    """The stays of one caller in the secure part; `app` is ours, where they come back to.

    `prepare` is awaited last before the caller goes: nothing may be playing or typed ahead then.
    """

    def __init__(
        self,
        ari: Ari,
        app: str,
        channel_id: str,
        call_id: str,
        presence: Presence,
        *,
        prepare: Callable[[], Awaitable[None]],
    ) -> None:
        self._ari = ari
        self._app = app
        self._channel_id = channel_id
        self._call_id = call_id
        self._presence = presence
        self._prepare = prepare
        self.witnesses: list[Witness] = []
        """all leave before each stay; called back after it, if the caller surely is"""
        self._capture: UUID | None = None
        self._last_sign = 0.0
        """when the secure process was last known to be well; until its first sign, a little later
        than the caller was lent"""

    async def stay(self, secure: SecurePart, capture_id: UUID) -> None:
        """Lend the caller; return when they are back. Raises SecurePartAway, HungUp."""
        self._presence.must_be_there()
        if not secure.is_alive() or not await self._is_there(secure.app):
            raise SecurePartAway(f"nobody is connected to the PBX as {secure.app!r}")
        try:
            for witness in self.witnesses:
                await witness.leave()
            await self._lend(secure, capture_id)
            await self._stay_with(secure, capture_id)
        finally:
            self._capture = None
            await self._call_back(secure.app)

    def take(self, event: ChannelUserevent) -> None:
        """Be told of a message; those of other stays are none of ours."""
        if self._capture is None or event.variables.get("capture") != str(self._capture):
            return
        if event.name == CAPTURE_ALIVE:
            self._last_sign = _now()
        is_gone = event.variables.get("result") == CaptureResult.CALLER_HUNG_UP
        if event.name == CAPTURE_ENDED and is_gone:
            self._presence.leave()

    async def _is_there(self, app: str) -> bool:
        try:
            return await self._ari.application(app) is not None
        except TelephonyError as error:
            raise SecurePartAway(str(error)) from None

    async def _call_back(self, app: str) -> None:
        if not self.witnesses:
            return
        here = self._presence.place is Place.HERE and await self._is_out_of(app)
        for witness in self.witnesses:
            await witness.back(here=here)

    async def _is_out_of(self, app: str) -> bool:
        """Not so when nobody can say: a caller who could not be fetched back counts as here."""
        try:
            application = await self._ari.application(app)
        except TelephonyError:
            return False
        return application is None or self._channel_id not in application.channel_ids

    async def _lend(self, secure: SecurePart, capture_id: UUID) -> None:
        await self._prepare()
        self._presence.must_be_there()
        self._capture = capture_id
        self._last_sign = _now() + FIRST_SIGN_SECONDS - ALIVE_SECONDS
        self._presence.move_failed = False
        self._presence.place = Place.LENT
        try:
            await self._presence.ask_pbx(
                self._ari.move(self._channel_id, secure.app, ("collect", str(capture_id)))
            )
        except AnswerLate:
            log.warning("move_unanswered", call=self._call_id)  # the events will tell
        except TelephonyError as error:
            self._presence.come_back()
            raise SecurePartAway(str(error)) from None

    async def _stay_with(self, secure: SecurePart, capture_id: UUID) -> None:
        """Return when the caller is back; look now and then whether all is well with them."""
        until = _now() + secure.limit_seconds
        while True:
            try:
                async with asyncio.timeout(max(0.0, min(LOOK_AFTER_SECONDS, until - _now()))):
                    await self._until_back()
            except TimeoutError:
                why = await self._what_is_wrong(secure, until)
                if why:
                    await self._fetch_back(capture_id)
                    raise SecurePartAway(why) from None
            else:
                break
        if self._presence.move_failed:
            raise SecurePartAway(f"nobody is connected to the PBX as {secure.app!r}")

    async def _until_back(self) -> None:
        await self._presence.until(lambda: self._presence.place is Place.HERE)

    async def _what_is_wrong(self, secure: SecurePart, until: float) -> str:
        """Why the caller must be fetched back; empty when nothing is wrong or nobody can say."""
        if not secure.is_alive():
            return "the secure process has died"
        if _now() - self._last_sign > ALIVE_SECONDS:
            return "the secure process has gone silent"
        try:
            channel = await self._ari.channel(self._channel_id)
            if not channel.in_stasis:
                self._presence.leave()  # handed on to the dial plan: not ours any more
            elif await self._ari.application(secure.app) is None:
                return "the secure process has left the PBX"
        except ChannelGone:
            self._presence.leave()
        except TelephonyError as error:
            log.warning("caller_not_looked_after", call=self._call_id, why=str(error))
        return "the caller was too long in the secure part" if _now() >= until else ""

    async def _fetch_back(self, capture_id: UUID) -> None:
        """Bring the caller back to us ourselves; waits for what is being played to them."""
        self._presence.must_be_there()
        if self._presence.place is Place.HERE:
            return
        log.warning("caller_fetched_back", call=self._call_id)
        try:
            await self._presence.ask_pbx(
                self._ari.move(
                    self._channel_id, self._app, ("returned", str(capture_id), "fetched")
                )
            )
            async with asyncio.timeout(FETCH_BACK_SECONDS):
                await self._until_back()
        except (TelephonyError, TimeoutError) as error:
            # Orders still reach the channel wherever it is; only its events do not.
            log.warning("caller_not_fetched_back", call=self._call_id, why=str(error))
            self._presence.come_back()


def _now() -> float:
    return asyncio.get_running_loop().time()
