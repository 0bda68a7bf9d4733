"""The talks of agents with callers, at the PBX: found, lent to the secure process, given back.

Such a talk belongs to the dial plan (Queue, Dial, Bridge), not to an application of ours. ARI can
set no variable on its channels and move none of them, so both are sent into the secure part by AMI.
The dial plan's side of this is `[saldo-assist]` in asterisk-config/extensions.conf.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar
from uuid import UUID

import structlog

from ivr.billing.assisted_captures import FieldProgress, FieldState, Leg, Talk
from ivr.billing.captures import CaptureField, ErrorType
from ivr.billing.errors import TalkNotFound, TalkRecorded, TalkUnreachable
from ivr.dialogue.endings import SecurePartAway
from ivr.telephony.ami import Destination
from ivr.telephony.ari import Ari, Bridge
from ivr.telephony.bridges import AGENT, CALLER, CONTEXT, PARTNER_VARIABLE, WAIT, rejoin
from ivr.telephony.errors import ChannelGone, PbxUnreachable, Refused, TelephonyError
from ivr.telephony.events import Channel, ChannelUserevent
from ivr.telephony.lending import CAPTURE_ALIVE, CAPTURE_COMMAND, CAPTURE_ENDED, CAPTURE_PROGRESS
from ivr.telephony.places import Agents, SecurePart

log = structlog.get_logger(__name__)
T = TypeVar("T")

CAPTURE_VARIABLE = "SALDO_CAPTURE"
CALLED = frozenset({"AppQueue", "AppDial", "AppDial2"})
"""what the PBX says a leg is doing that was called by Queue or Dial: an agent's"""
TWO = 2
WAY_OUT = (
    "give saldo's user of manager.conf write = call, or stop the recording (StopMixMonitor), clear "
    "MIXMONITOR_FILENAME, and ask again"
)
"""where a talk is recorded and that cannot be muted"""


class Manager(Protocol):
    """What the manager interface does for us (ami.Ami)."""

    async def set_variable(self, channel: str, name: str, value: str) -> None: ...

    async def redirect(self, context: str, first: Destination, second: Destination) -> None: ...


class Tapes(Protocol):
    """What mutes the PBX's own recordings (muting.Muting)."""

    async def mute(self, channel_id: str) -> None: ...

    async def release(self, channel_id: str, *, at_once: bool) -> None: ...

    def sent(self, channel_id: str) -> None: ...


class Hear(Protocol):
    """Is told what the secure process tells (billing.assisting.Assisting.heard)."""

    def __call__(
        self,
        capture_id: UUID,
        about: CaptureField | None = None,
        progress: FieldProgress | None = None,
        *,
        is_ended: bool = False,
    ) -> None: ...


class AsteriskTalks:
    """`billing.ports.Talks`. `is_connected` tells whether events of our application arrive."""

    def __init__(
        self,
        ari: Ari,
        manager: Manager,
        tapes: Tapes,
        secure: SecurePart,
        agents: Agents,
        *,
        is_connected: Callable[[], bool],
    ) -> None:
        self._ari = ari
        self._manager = manager
        self._tapes = tapes
        self._secure = secure
        self._agents = agents
        self._is_connected = is_connected

    @property
    def hears(self) -> bool:
        return self._is_connected()

    async def going_on(self) -> list[Talk]:
        channels, bridges = await self._look()
        return sorted(
            (
                _talk(*(channels[one] for one in bridge.channel_ids))
                for bridge in bridges
                if _is_talk(bridge, channels)
                and not any(_is_in_between(channels[one]) for one in bridge.channel_ids)
            ),
            key=lambda talk: talk.since,
        )

    async def find(self, channel: str, agent_channel: str) -> Talk:
        channels, bridges = await self._look()
        caller = _channel(channel, channels)
        bridge = next((one for one in bridges if caller.id in one.channel_ids), None)
        if caller.in_stasis:
            raise TalkNotFound("this call is with saldo or with another application now")
        if _is_in_between(caller):
            raise TalkNotFound("this channel is in the middle of a call: name the caller's own")
        if bridge is None or not _is_talk(bridge, channels):
            raise TalkNotFound("this call is not a talk of two: nobody else, or more, are in it")
        (agent,) = (channels[one] for one in bridge.channel_ids if one != caller.id)
        if agent_channel and agent_channel not in (agent.id, agent.name):
            raise TalkNotFound("the agent's channel is not in the caller's talk")
        return Talk(_leg(caller), _leg(agent), caller.since)

    async def lend(self, talk: Talk, capture_id: UUID) -> None:
        caller, agent = talk.caller.channel, talk.agent.channel
        try:
            for channel, partner in ((caller, agent), (agent, caller)):
                await self._manager.set_variable(channel, CAPTURE_VARIABLE, str(capture_id))
                await self._manager.set_variable(channel, PARTNER_VARIABLE, partner)
        except Refused:
            raise TalkNotFound("one of both has just hung up") from None
        except PbxUnreachable as error:
            raise TalkUnreachable(str(error)) from None
        async with self._silent_tapes(talk):
            try:
                await self._manager.redirect(
                    CONTEXT, Destination(caller, CALLER), Destination(agent, AGENT)
                )
            except Refused:
                raise TalkNotFound("one of both has just hung up") from None
            except PbxUnreachable as error:  # it may have been done: signs of life will tell
                log.warning("redirect_unanswered", why=str(error))

    async def tell(self, capture_id: UUID, action: str, field: CaptureField | None = None) -> None:
        about = {"field": field.value} if field else {}
        variables = {"capture": str(capture_id), "action": action, **about}
        await _reached(self._ari.user_event(CAPTURE_COMMAND, self._secure.app, variables))

    async def is_held(self, talk: Talk) -> bool:
        return any(
            channel is not None and channel.in_stasis
            for channel in (await self._find(talk.caller), await self._find(talk.agent))
        )

    async def is_secure_part_away(self) -> bool:
        if not self._secure.is_alive():
            return True
        return await _reached(self._ari.application(self._secure.app)) is None

    async def give_back(self, talk: Talk) -> None:
        caller, agent = await self._find(talk.caller), await self._find(talk.agent)
        log.warning("talk_given_back", caller=caller is not None, agent=agent is not None)
        if caller is None and agent is not None:
            await self._ask(agent, self._ari.hang_up)
        if caller is not None and agent is not None:
            await _reached(rejoin(self._ari, caller.id, agent.id))
        elif caller is not None:
            await self._continue(caller, self._agents.context, self._agents.extension)

    # --- how

    @asynccontextmanager
    async def _silent_tapes(self, talk: Talk) -> AsyncIterator[None]:
        """Mute what the PBX records of both ends, whose voices it hears at either.

        Un-muted once they are out of the secure part; at once when they do not go there.
        """
        ends = (talk.caller.channel_id, talk.agent.channel_id)
        try:
            for channel_id in ends:
                await self._tapes.mute(channel_id)
            yield
        except BaseException as error:
            for channel_id in ends:
                await self._tapes.release(channel_id, at_once=True)
            if isinstance(error, SecurePartAway):
                raise TalkRecorded(f"{error}: {WAY_OUT}") from None
            raise
        for channel_id in ends:
            self._tapes.sent(channel_id)

    async def _look(self) -> tuple[dict[str, Channel], list[Bridge]]:
        channels = await _reached(self._ari.channels())
        return {one.id: one for one in channels}, await _reached(self._ari.bridges())

    async def _find(self, leg: Leg) -> Channel | None:
        """The channel as it is now; None when it is no more."""
        try:
            return await self._ari.channel(leg.channel_id)
        except ChannelGone:
            return None
        except TelephonyError as error:
            raise TalkUnreachable(str(error)) from None

    async def _continue(self, channel: Channel, context: str, extension: str) -> None:
        if channel.in_stasis:
            await self._ask(
                channel, lambda id_: self._ari.continue_in_dialplan(id_, context, extension)
            )

    async def _ask(self, channel: Channel, order: Callable[[str], Awaitable[None]]) -> None:
        """Carry out an order; a channel that is gone or not held any more needs none."""
        try:
            await order(channel.id)
        except (ChannelGone, Refused):
            return
        except TelephonyError as error:
            raise TalkUnreachable(str(error)) from None


def told(event: ChannelUserevent, hear: Hear) -> None:
    """Pass on what the secure process tells of a capture; anything else is no concern of ours."""
    capture_id = _uuid(event.variables.get("capture", ""))
    if capture_id is None:
        return
    if event.name == CAPTURE_ALIVE:
        hear(capture_id)
    elif event.name == CAPTURE_ENDED:
        hear(capture_id, is_ended=True)
    elif event.name == CAPTURE_PROGRESS:
        try:
            about, progress = _progress(event.variables)
        except (KeyError, ValueError):
            log.warning("progress_not_understood", capture=str(capture_id))
        else:
            hear(capture_id, about, progress)


def _progress(variables: Mapping[str, str]) -> tuple[CaptureField, FieldProgress]:
    error = variables.get("error_type", "")
    return CaptureField(variables["field"]), FieldProgress(
        FieldState(variables["state"]),
        variables.get("masked", ""),
        int(variables.get("attempt") or 0),
        ErrorType(error) if error else None,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _is_talk(bridge: Bridge, channels: Mapping[str, Channel]) -> bool:
    """Two legs that hear each other and belong to the dial plan."""
    legs = [channels.get(one) for one in bridge.channel_ids]
    return len(legs) == TWO and all(leg is not None and not leg.in_stasis for leg in legs)


def _is_in_between(channel: Channel) -> bool:
    """The far half of a Local channel: whom it stands for is in another bridge, and so a talk."""
    return channel.name.startswith("Local/") and channel.name.endswith(";2")


def _talk(one: Channel, other: Channel) -> Talk:
    """Who of both is the agent: whom Queue or Dial called; else who came later."""
    caller, agent = sorted((one, other), key=lambda leg: (_is_agents(leg), leg.since, leg.id))
    return Talk(_leg(caller), _leg(agent), caller.since)


def _is_agents(channel: Channel) -> bool:
    if channel.place.context == CONTEXT:
        return channel.place.extension in (AGENT, WAIT)
    return channel.place.application in CALLED


def _leg(channel: Channel) -> Leg:
    return Leg(channel.id, channel.name, channel.caller_number, channel.caller_name)


def _channel(wanted: str, channels: Mapping[str, Channel]) -> Channel:
    for channel in channels.values():
        if wanted in (channel.id, channel.name):
            return channel
    raise TalkNotFound("the PBX has no such channel")


async def _reached(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except TelephonyError as error:
        raise TalkUnreachable(str(error)) from None
