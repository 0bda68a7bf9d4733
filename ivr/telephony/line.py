"""A channel of the PBX as the line of one caller (`dialogue.line.Line`).

Measured on Asterisk 22.10.1, and the reason for the order of things here: the PBX carries out what
is asked of a channel one after the other, and a playback counts as one thing: a move, a continue or
an answer waits until it has been played to its end. So whatever is playing is stopped first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

import structlog

from ivr.billing.calls import CallArrived
from ivr.billing.captures import CaptureResult
from ivr.dialogue.endings import HungUp, NobodyAvailable, SecurePartAway
from ivr.telephony.ari import Ari
from ivr.telephony.errors import AnswerLate, ChannelGone, Refused, TelephonyError
from ivr.telephony.events import (
    ApplicationMoveFailed,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    ChannelUserevent,
    Event,
    PlaybackFinished,
    Resynchronised,
    StasisEnd,
    StasisStart,
)
from ivr.telephony.places import Agents, Place, Queues, SecurePart
from ivr.telephony.playback import AsteriskPlayback, Playbacks
from ivr.telephony.settling import until_heard
from ivr.telephony.waiting import Bell

log = structlog.get_logger(__name__)
T = TypeVar("T")

DEPARTURE_SECONDS = 5.0
"""a move or a continue is done within 3 ms when nothing is playing"""
FETCH_BACK_SECONDS = 30.0
"""the longest prompt that a dead secure process may have left playing"""
LOOK_AFTER_SECONDS = 2.0
"""how often a caller in the secure part is looked after, should nobody tell us of their end"""
ALIVE_SECONDS = 20.0
FIRST_SIGN_SECONDS = 30.0
"""longer: the secure process first asks the database and the PBX, each with its own limits"""
NOT_IN_STASIS = 409

HINTS = frozenset({"account", "invoice", "language", "handoff", "amount"})
"""what the contact centre may pass on, by the dial plan's names"""

CAPTURE_ENDED = "SaldoCaptureEnded"
"""user event of the secure process: variables `capture` and `result`"""
CAPTURE_ALIVE = "SaldoCaptureAlive"
"""user event of the secure process, variable `capture`, at least every 5 s"""


class AsteriskLine:
    """One caller's line.

    Besides what dialogue.line.Line promises: `args` are the arguments the channel came with, and
    `move_to` gives the caller to another application for good. TelephonyError (a LineError) when
    the PBX cannot do what was asked although the caller is there.
    """

    def __init__(
        self,
        ari: Ari,
        app: str,
        arrived: CallArrived,
        args: Sequence[str],
        *,
        secure: SecurePart | None = None,
        agents: Agents | None = None,
        queues: Queues | None = None,
        on_left: Callable[[], None] = lambda: None,
    ) -> None:
        self.args = tuple(args)
        self._ari = ari
        self._app = app
        self._arrived = arrived
        self._hints = {
            key: value
            for key, _, value in (arg.partition("=") for arg in args)
            if key in HINTS and value
        }
        self._secure = secure
        self._agents = agents
        self._queues = queues
        self._on_left = on_left
        self._place = Place.HERE
        self._is_departing = False
        self._move_failed = False
        self._departed = False
        """lent, and the PBX confirmed that the channel left us"""
        self._capture: UUID | None = None
        self._last_sign = 0.0
        """when the secure process was last known to be well; until its first sign, a little later
        than the caller was lent"""
        self._keys: deque[str] = deque()
        self._bell = Bell()
        self._playbacks = Playbacks(ari, self.channel_id, wait=self._until, changed=self._bell.ring)

    @property
    def arrived(self) -> CallArrived:
        return self._arrived

    @property
    def hints(self) -> Mapping[str, str]:
        return self._hints

    @property
    def channel_id(self) -> str:
        """The PBX's name of the channel."""
        return self._arrived.channel_id

    @property
    def has_left(self) -> bool:
        """Whether the caller hung up, or was handed on for good."""
        return self._place is Place.LEFT

    # --- what a conversation does

    async def answer(self) -> None:
        try:
            await self._ask_pbx(self._ari.answer(self.channel_id))
        except AnswerLate:
            if (await self._ask_pbx(self._ari.channel(self.channel_id))).state != "Up":
                raise
        await until_heard(self._ari, self.channel_id)

    async def play(self, sounds: Sequence[str]) -> AsteriskPlayback:
        self._must_be_there()
        return await self._ask_pbx(self._playbacks.start(sounds))

    async def next_key(self) -> str:
        await self._until(lambda: bool(self._keys))
        return self._keys.popleft()

    def forget_keys(self) -> None:
        self._keys.clear()

    async def enter_secure_part(self, capture_id: UUID) -> None:
        secure = self._secure
        if secure is None:
            raise SecurePartAway("no secure part is set up: see [capture] in saldo.toml")
        self._must_be_there()
        if not secure.is_alive() or not await self._is_there(secure.app):
            raise SecurePartAway(f"nobody is connected to the PBX as {secure.app!r}")
        await self._lend(secure, capture_id)
        try:
            await self._stay_with(secure, capture_id)
        finally:
            self._capture = None

    async def transfer_to_agent(self) -> None:
        if self._agents is None:
            raise NobodyAvailable("no agent queue is set up: see [agents] in saldo.toml")
        self._must_be_there()
        if await self._nobody_waits_in(self._agents.queue):
            raise NobodyAvailable(f"nobody is logged in to the queue {self._agents.queue!r}")
        agents = self._agents
        await self._depart(
            lambda: self._ari.continue_in_dialplan(
                self.channel_id, agents.context, agents.extension
            )
        )

    async def move_to(self, app: str, args: Sequence[str]) -> None:
        """Give the caller to another application for good.

        Raises:
            SecurePartAway: nobody is connected as `app`; the caller is still here.
        """
        self._must_be_there()
        await self._depart(lambda: self._ari.move(self.channel_id, app, args))
        if self._move_failed:
            raise SecurePartAway(f"nobody is connected to the PBX as {app!r}")

    async def hang_up(self) -> None:
        """End the call; harmless when the caller has left."""
        if self.has_left:
            return
        try:
            await self._ari.hang_up(self.channel_id)
        except ChannelGone:
            pass
        finally:
            self._leave()

    # --- what the router does

    def take(self, event: Event) -> None:  # noqa: C901 - one table of the events
        """Be told of an event of this channel; never waits."""
        match event:
            case ChannelDtmfReceived():
                if self._place is Place.HERE and not self._is_departing:
                    self._keys.append(event.digit)
            case PlaybackFinished():
                self._playbacks.ended(event.playback_id)
                if event.failed:
                    log.error("sound_not_played", media=event.media, call=self._arrived.id)
            case ChannelHangupRequest() | ChannelDestroyed():
                self._leave()
            case StasisEnd():
                self._take_end()
            case StasisStart():
                self._come_back()
            case ApplicationMoveFailed():
                self._move_failed = True
                self._come_back()
            case ChannelUserevent():
                self._take_message(event)
            case Resynchronised():
                self._take_resynchronised(here=event.here)
            case _:
                return
        self._bell.ring()

    async def close(self) -> None:
        """End what is still under way on behalf of this line; the channel is not touched."""
        await self._playbacks.close()

    def _take_end(self) -> None:
        if self._place is Place.LENT:
            self._departed = True
        else:
            self._leave()

    def _take_message(self, event: ChannelUserevent) -> None:
        if self._capture is None or event.variables.get("capture") != str(self._capture):
            return
        if event.name == CAPTURE_ALIVE:
            self._last_sign = _now()
        is_gone = event.variables.get("result") == CaptureResult.CALLER_HUNG_UP
        if event.name == CAPTURE_ENDED and is_gone:
            self._leave()

    def _take_resynchronised(self, *, here: bool) -> None:
        if self._place is Place.LENT and here:
            self._come_back()
        elif self._place is Place.HERE and not here:
            self._leave()
        self._playbacks.check_all()

    def _come_back(self) -> None:
        self._is_departing = False
        if self._place is Place.LENT:
            self._place = Place.HERE

    def _leave(self) -> None:
        if self._place is not Place.LEFT:
            self._place = Place.LEFT
            self._keys.clear()
            self._bell.ring()
            self._on_left()

    # --- the secure part

    async def _is_there(self, app: str) -> bool:
        try:
            return await self._ari.application(app) is not None
        except TelephonyError as error:
            raise SecurePartAway(str(error)) from None

    async def _lend(self, secure: SecurePart, capture_id: UUID) -> None:
        self._keys.clear()  # never across the border of the secure part
        await self._playbacks.silence()
        self._must_be_there()
        self._capture = capture_id
        self._last_sign = _now() + FIRST_SIGN_SECONDS - ALIVE_SECONDS
        self._move_failed = self._departed = False
        self._place = Place.LENT
        try:
            await self._ask_pbx(
                self._ari.move(self.channel_id, secure.app, ("collect", str(capture_id)))
            )
        except AnswerLate:
            log.warning("move_unanswered", call=self._arrived.id)  # the events will tell
        except TelephonyError as error:
            self._come_back()
            raise SecurePartAway(str(error)) from None

    async def _stay_with(self, secure: SecurePart, capture_id: UUID) -> None:
        """Return when the caller is back; look now and then whether all is well with them."""
        until = _now() + secure.limit_seconds
        while True:
            try:
                async with asyncio.timeout(max(0.0, min(LOOK_AFTER_SECONDS, until - _now()))):
                    await self._until(lambda: self._place is Place.HERE)
            except TimeoutError:
                why = await self._what_is_wrong(secure, until)
                if why:
                    await self._fetch_back(capture_id)
                    raise SecurePartAway(why) from None
            else:
                break
        if self._move_failed:
            raise SecurePartAway(f"nobody is connected to the PBX as {secure.app!r}")

    async def _what_is_wrong(self, secure: SecurePart, until: float) -> str:
        """Why the caller must be fetched back; empty when nothing is wrong or nobody can say."""
        if not secure.is_alive():
            return "the secure process has died"
        if _now() - self._last_sign > ALIVE_SECONDS:
            return "the secure process has gone silent"
        try:
            channel = await self._ari.channel(self.channel_id)
            if not channel.in_stasis:
                self._leave()  # handed on to the dial plan: not ours any more
            elif await self._ari.application(secure.app) is None:
                return "the secure process has left the PBX"
        except ChannelGone:
            self._leave()
        except TelephonyError as error:
            log.warning("caller_not_looked_after", call=self._arrived.id, why=str(error))
        return "the caller was too long in the secure part" if _now() >= until else ""

    async def _fetch_back(self, capture_id: UUID) -> None:
        """Bring the caller back to us ourselves; waits for what is being played to them."""
        self._must_be_there()
        if self._place is Place.HERE:
            return
        log.warning("caller_fetched_back", call=self._arrived.id)
        try:
            await self._ask_pbx(
                self._ari.move(self.channel_id, self._app, ("returned", str(capture_id), "fetched"))
            )
            async with asyncio.timeout(FETCH_BACK_SECONDS):
                await self._until(lambda: self._place is Place.HERE)
        except (TelephonyError, TimeoutError) as error:
            # Orders still reach the channel wherever it is; only its events do not.
            log.warning("caller_not_fetched_back", call=self._arrived.id, why=str(error))
            self._come_back()

    # --- leaving

    async def _nobody_waits_in(self, queue: str) -> bool:
        if self._queues is None:
            return False
        return await self._queues.queue_members_available(queue) == 0

    async def _depart(self, order: Callable[[], Awaitable[None]]) -> None:
        """Carry out an order that takes the channel from us, until it is gone or was refused."""
        await self._playbacks.silence()
        self._must_be_there()
        self._is_departing, self._move_failed = True, False
        late: AnswerLate | None = None
        try:
            await self._ask_pbx(order())
        except AnswerLate as error:
            late = error  # it may have been carried out: the events will tell
        except BaseException:
            self._is_departing = False
            raise
        try:
            async with asyncio.timeout(DEPARTURE_SECONDS):
                while self._is_departing and not self.has_left:
                    await self._bell.heard()
        except TimeoutError:
            if late is not None:
                self._is_departing = False
                raise late from None
            log.warning("departure_not_reported", call=self._arrived.id)
            self._leave()

    # --- waiting

    def _must_be_there(self) -> None:
        if self._place is Place.LEFT:
            raise HungUp

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Return when it is so; raise HungUp when the caller has left."""
        while True:
            self._must_be_there()
            if is_so():
                return
            await self._bell.heard()

    async def _ask_pbx(self, request: Awaitable[T]) -> T:
        try:
            return await request
        except ChannelGone:
            self._leave()
        except Refused as error:
            if error.status != NOT_IN_STASIS:
                raise
            self._leave()
        raise HungUp


def _now() -> float:
    return asyncio.get_running_loop().time()
