"""A bridge in which a caller and an agent hear each other, and the caller's keys reach only us.

Measured on Asterisk 22.10.1, with the packets of a real telephone counted: in a bridge of type
`mixing,dtmf_events` whose caller was added with `absorbDTMF=true`, the agent's telephone receives
no digit packet and our application every digit once, also through a Local channel of a queue.
In-band tones are another matter: of some, 22 ms pass before the PBX knows them. So the caller is
muted while one may come; the PBX still knows every tone. Muted, it sends the agent nothing at all,
and some telephones hang up on that: so the agent is sent silence.
"""

from __future__ import annotations

import asyncio
import contextlib
from uuid import UUID

import structlog

from ivr.telephony.ari import Ari
from ivr.telephony.errors import ChannelGone, PbxUnreachable, Refused

log = structlog.get_logger(__name__)

PREFIX = "talk-"
"""of the ids of such bridges"""
CONTEXT = "saldo-assist"
"""of the dial plan (asterisk-config/extensions.conf): where both came from and go to"""
CALLER, AGENT = "caller", "agent"
"""extensions they came by"""
TALK, WAIT = "talk", "wait"
"""extensions they go to: the caller fetches the agent, who waits"""
PARTNER_VARIABLE = "SALDO_PARTNER"
"""of either channel: the name of the other one"""
LEAVE_SECONDS = 3.0
"""shorter than the agent's wait in the dial plan"""
LEAVE_LOOK_SECONDS = 0.02
KEYS_MODE = "PJSIP_DTMF_MODE()"
BESIDE_THE_VOICE = frozenset({"rfc4733", "info"})
"""modes in which no key is a tone; `auto` may be either"""


class TalkBridge:
    """One such bridge. Every method raises TelephonyError."""

    def __init__(self, ari: Ari, capture_id: UUID, caller_id: str, agent_id: str) -> None:
        self.id = f"{PREFIX}{capture_id}"
        self.keys_are_heard = True
        """whether the agent could hear the keys, were it not for `hush`"""
        self.caller_id = caller_id
        self.agent_id = agent_id
        self._ari = ari
        self._is_hushed = False

    async def open(self) -> None:
        """Let both hear each other; they are in our application."""
        with contextlib.suppress(PbxUnreachable):  # its answer for what is no SIP channel
            mode = await self._ari.variable(self.caller_id, KEYS_MODE)
            self.keys_are_heard = mode not in BESIDE_THE_VOICE
        await self._ari.create_bridge(self.id, "mixing,dtmf_events")
        await self._ari.add_to_bridge(self.id, (self.caller_id,), absorb_keys=True)
        await self._ari.add_to_bridge(self.id, (self.agent_id,))

    async def hush(self) -> None:
        """From now on the agent hears silence in place of the caller."""
        if not self._is_hushed:
            self._is_hushed = True  # before it is: what may have been done is undone too
            await self._ari.mute(self.caller_id)
            await self._ari.start_silence(self.agent_id)

    async def unhush(self) -> None:
        """The agent hears the caller again; harmless when that is so already."""
        if self._is_hushed:
            await self._ari.unmute(self.caller_id)
            with contextlib.suppress(ChannelGone):
                await self._ari.stop_silence(self.agent_id)
            self._is_hushed = False

    async def close(self) -> None:
        """Take it down; who is still in it stays in our application, and hears nothing."""
        await self._ari.destroy_bridge(self.id)


async def sweep(ari: Ari) -> None:
    """Remove the bridges of talks that have gone on without us: nobody is in them any more.

    For the start of a process, before talks are taken.
    """
    for bridge in await ari.bridges():
        if bridge.id.startswith(PREFIX) and not bridge.channel_ids:
            await ari.destroy_bridge(bridge.id)


async def give_back(ari: Ari, channel_id: str) -> bool:
    """Let the talk go on of which a secure process that died has left this channel.

    False when it is no such channel. Raises TelephonyError.
    """
    channel = await ari.channel(channel_id)
    if channel.place.context != CONTEXT:
        return False
    bridges = [one for one in await ari.bridges() if channel_id in one.channel_ids]
    if channel.place.extension in (AGENT, WAIT):
        await _send_to_wait(ari, channel_id)
    else:
        await rejoin(ari, channel_id, await _partner(ari, channel_id))
    for bridge in bridges:
        if bridge.id.startswith(PREFIX):
            with contextlib.suppress(Refused):  # somebody else takes it down at the same time
                await ari.destroy_bridge(bridge.id)
    return True


async def rejoin(ari: Ari, caller_id: str, agent_id: str | None) -> None:
    """Send both into the dial plan, where they find each other; whoever is there is left alone.

    Harmless when somebody else does the same at the same time. Raises TelephonyError.
    """
    if agent_id is not None:
        await _send_to_wait(ari, agent_id)
    await _continue(ari, caller_id, TALK)


async def _partner(ari: Ari, channel_id: str) -> str | None:
    """The id of who talks with that caller; None when they are gone."""
    name = await ari.variable(channel_id, PARTNER_VARIABLE)
    return next((one.id for one in await ari.channels() if one.name == name), None)


async def _send_to_wait(ari: Ari, agent_id: str) -> None:
    """Return when the agent waits in the dial plan, or has been fetched there.

    The PBX says yes before it is done. Measured on 22.10.1, beside load: in one of a hundred talks
    the caller came to Bridge() before the agent had left us. An agent who is fetched while they are
    leaving leaves that bridge too, and the caller is alone in it for ever.
    """
    await _continue(ari, agent_id, WAIT)
    with contextlib.suppress(ChannelGone):
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                while (await ari.channel(agent_id)).in_stasis:  # noqa: ASYNC110 - the PBX lists
                    await asyncio.sleep(LEAVE_LOOK_SECONDS)
        except TimeoutError:
            log.warning("agent_does_not_leave", channel=agent_id)


async def _continue(ari: Ari, channel_id: str, extension: str) -> None:
    try:
        await ari.continue_in_dialplan(channel_id, CONTEXT, extension)
    except (ChannelGone, Refused) as error:  # gone, or out of our hands already
        log.info("talk_not_held", channel=channel_id, why=str(error))
