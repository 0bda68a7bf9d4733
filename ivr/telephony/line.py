"""A channel of the PBX as the line of one caller (`dialogue.line.Line`).

Measured on Asterisk 22.10.1, and the reason for the order of things here: the PBX carries out what
is asked of a channel one after the other, and a playback counts as one thing: a move, a continue or
an answer waits until it has been played to its end. So whatever is playing is stopped first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

import structlog

from ivr.billing.calls import CallArrived
from ivr.dialogue.endings import NobodyAvailable, SecurePartAway
from ivr.telephony.ari import Ari
from ivr.telephony.errors import AnswerLate, ChannelGone
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
from ivr.telephony.lending import Lending, Witness
from ivr.telephony.places import Agents, Place, Queues, SecurePart
from ivr.telephony.playback import AsteriskPlayback, Playbacks
from ivr.telephony.presence import Presence
from ivr.telephony.settling import until_heard
from ivr.telephony.silence import Silence

log = structlog.get_logger(__name__)

DEPARTURE_SECONDS = 5.0
"""a move or a continue is done within 3 ms when nothing is playing"""
HINTS = frozenset({"account", "invoice", "language", "handoff", "amount", "back"})
"""what the contact centre may pass on, by the dial plan's names"""
WORD = "SALDO_"
"""begins the channel variables in which word is left: SALDO_RESULT, SALDO_PAID, …"""


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
        self._keys: deque[str] = deque()
        self._presence = presence = Presence(self._left)
        self._playbacks = Playbacks(
            ari, self.channel_id, wait=presence.until, changed=presence.bell.ring
        )
        self._silence = Silence(ari, self.channel_id)
        self._lending = Lending(
            ari, app, self.channel_id, arrived.id, presence, prepare=self._make_ready
        )

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
        return self._presence.has_left

    # --- what a conversation does

    async def answer(self) -> None:
        try:
            await self._presence.ask_pbx(self._ari.answer(self.channel_id))
        except AnswerLate:
            if (await self._presence.ask_pbx(self._ari.channel(self.channel_id))).state != "Up":
                raise
        await until_heard(self._ari, self.channel_id)

    async def play(self, sounds: Sequence[str]) -> AsteriskPlayback:
        self._presence.must_be_there()
        playback = await self._presence.ask_pbx(self._playbacks.start(sounds))
        self._silence.follow()
        return playback

    async def next_key(self) -> str:
        await self._presence.until(lambda: bool(self._keys))
        return self._keys.popleft()

    def forget_keys(self) -> None:
        self._keys.clear()

    async def enter_secure_part(self, capture_id: UUID) -> None:
        if self._secure is None:
            raise SecurePartAway("no secure part is set up: see [capture] in saldo.toml")
        await self._lending.stay(self._secure, capture_id)

    @property
    def goes_back(self) -> bool:
        """Whether an agent waits for the caller; the dial plan's [agents] knows where."""
        return "back" in self._hints

    async def leave_word(self, words: Mapping[str, str]) -> None:
        await self._hush()
        for name, value in words.items():
            variable = f"{WORD}{name.upper()}"
            await self._presence.ask_pbx(self._ari.set_variable(self.channel_id, variable, value))

    async def somebody_is_there(self) -> bool:
        if self._agents is None:
            return False
        self._presence.must_be_there()
        return self.goes_back or not await self._nobody_waits_in(self._agents.queue)

    async def transfer_to_agent(self) -> None:
        if self._agents is None:
            raise NobodyAvailable("no agent queue is set up: see [agents] in saldo.toml")
        if not await self.somebody_is_there():
            raise NobodyAvailable(f"nobody is logged in to the queue {self._agents.queue!r}")
        await self.continue_at(self._agents.context, self._agents.extension)

    async def continue_at(self, context: str, extension: str) -> None:
        """Give the caller back to the dial plan, at priority 1 of that extension, for good."""
        self._presence.must_be_there()
        await self._depart(
            lambda: self._ari.continue_in_dialplan(self.channel_id, context, extension)
        )

    async def move_to(self, app: str, args: Sequence[str]) -> None:
        """Give the caller to another application for good.

        Raises:
            SecurePartAway: nobody is connected as `app`; the caller is still here.
        """
        self._presence.must_be_there()
        await self._depart(lambda: self._ari.move(self.channel_id, app, args))
        if self._presence.move_failed:
            raise SecurePartAway(f"nobody is connected to the PBX as {app!r}")

    async def hang_up(self) -> None:
        """End the call; harmless when the caller has left."""
        if self.has_left:
            return
        await self._silence.end()  # the PBX logs a warning of what a hang-up cuts off
        try:
            await self._ari.hang_up(self.channel_id)
        except ChannelGone:
            pass
        finally:
            self._presence.leave()

    def heard_by(self, witness: Witness) -> None:
        """Have them leave before the caller enters the secure part, and come back after it."""
        self._lending.witnesses.append(witness)

    # --- what the router does

    def take(self, event: Event) -> None:  # noqa: C901 - one table of the events
        """Be told of an event of this channel; never waits."""
        presence = self._presence
        match event:
            case ChannelDtmfReceived():
                if presence.place is Place.HERE and not presence.is_departing:
                    self._keys.append(event.digit)
            case PlaybackFinished():
                self._playbacks.ended(event.playback_id)
                is_silence = self._silence.took(event.playback_id, failed=event.failed)
                if event.failed and not is_silence:
                    log.error("sound_not_played", media=event.media, call=self._arrived.id)
            case ChannelHangupRequest() | ChannelDestroyed():
                presence.leave()
            case StasisEnd():
                if presence.place is not Place.LENT:
                    presence.leave()
            case StasisStart():
                presence.come_back()
            case ApplicationMoveFailed():
                presence.move_failed = True
                presence.come_back()
            case ChannelUserevent():
                self._lending.take(event)
            case Resynchronised():
                self._take_resynchronised(here=event.here)
            case _:
                return
        presence.bell.ring()

    async def close(self) -> None:
        """End what is still under way on behalf of this line; the channel is not touched."""
        await self._playbacks.close()
        await self._silence.close()

    def _take_resynchronised(self, *, here: bool) -> None:
        if self._presence.place is Place.LENT and here:
            self._presence.come_back()
        elif self._presence.place is Place.HERE and not here:
            self._presence.leave()
        self._playbacks.check_all()

    async def _make_ready(self) -> None:
        """For the secure part."""
        self._keys.clear()  # never across its border
        await self._hush()

    async def _hush(self) -> None:
        """Have the PBX play nothing: until then it carries out nothing else on the channel."""
        await asyncio.gather(self._playbacks.silence(), self._silence.end())

    # --- leaving

    def _left(self) -> None:
        self._keys.clear()
        self._on_left()

    async def _nobody_waits_in(self, queue: str) -> bool:
        if self._queues is None:
            return False
        return await self._queues.queue_members_available(queue) == 0

    async def _depart(self, order: Callable[[], Awaitable[None]]) -> None:
        """Carry out an order that takes the channel from us, until it is gone or was refused."""
        await self._hush()
        self._presence.must_be_there()
        self._presence.is_departing, self._presence.move_failed = True, False
        late: AnswerLate | None = None
        try:
            await self._presence.ask_pbx(order())
        except AnswerLate as error:
            late = error  # it may have been carried out: the events will tell
        except BaseException:
            self._presence.is_departing = False
            raise
        try:
            async with asyncio.timeout(DEPARTURE_SECONDS):
                while self._presence.is_departing and not self.has_left:
                    await self._presence.bell.heard()
        except TimeoutError:
            if late is not None:
                self._presence.is_departing = False
                raise late from None
            log.warning("departure_not_reported", call=self._arrived.id)
            self._presence.leave()
