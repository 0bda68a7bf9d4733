"""The PBX's REST interface (ARI), only the operations we use, typed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote

import aiohttp

from ivr.telephony.errors import (
    NothingThere,
    PbxFailed,
    PbxUnreachable,
)
from ivr.telephony.events import Channel
from ivr.telephony.operations import OPERATIONS
from ivr.telephony.transport import Transport

MEDIA_ID = "MEDIA_WEBSOCKET_CONNECTION_ID"
"""channel variable in the answer to external_media"""
STOP_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.0)


@dataclass(frozen=True, slots=True)
class Application:
    """A Stasis application; listed also when nobody is connected, as long as it has channels."""

    name: str
    channel_ids: frozenset[str]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Application:
        return cls(str(body.get("name", "")), frozenset(map(str, body.get("channel_ids", ()))))


@dataclass(frozen=True, slots=True)
class Bridge:
    """Channels that hear each other."""

    id: str
    channel_ids: tuple[str, ...]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Bridge:
        return cls(str(body.get("id", "")), tuple(map(str, body.get("channels", ()))))


class Ari(Transport):
    """A client of one PBX. Use as `async with Ari(...) as ari`; safe for any number of calls.

    Every method raises PbxUnreachable (AnswerLate when the request went out), BadCredentials or
    Refused; those about a channel raise ChannelGone.
    """

    # --- the PBX and its applications

    async def ping(self) -> None:
        """Return when the PBX answered."""
        await self._call("ping")

    async def applications(self) -> list[Application]:
        """Every application somebody is connected to or that still has channels."""
        return [Application.from_json(body) for body in await self._call("applications") or ()]

    async def application(self, name: str) -> Application | None:
        """One application; None when nobody is connected under that name and it has no channel."""
        try:
            return Application.from_json(await self._call("application", applicationName=name))
        except NothingThere:
            return None

    async def user_event(self, name: str, application: str, variables: Mapping[str, str]) -> None:
        """Send the programs connected as `application` a message.

        Raises:
            NothingThere: the PBX does not know that application.
        """
        await self._call(
            "user_event",
            eventName=name,
            query={"application": application},
            body={"variables": dict(variables)},
        )

    # --- channels

    async def channels(self) -> list[Channel]:
        """Every channel of the PBX, also those that are none of ours."""
        return [Channel.from_json(body) for body in await self._call("channels") or ()]

    async def channel(self, channel_id: str) -> Channel:
        """The channel as it is now."""
        return Channel.from_json(await self._on_channel("channel", channel_id))

    async def answer(self, channel_id: str) -> None:
        """Pick up; the PBX answers when it is done, and only after a running playback's end."""
        await self._on_channel("answer", channel_id)

    async def packets_from(self, channel_id: str) -> int:
        """How many packets of sound came from the caller.

        Raises:
            ChannelGone: also when the channel has no RTP.
        """
        body = await self._on_channel("rtp", channel_id)
        return int(body.get("rxcount", 0)) if isinstance(body, dict) else 0

    async def hang_up(self, channel_id: str) -> None:
        """End the call."""
        await self._on_channel("hang_up", channel_id, query={"reason": "normal"})

    async def move(self, channel_id: str, app: str, args: Sequence[str]) -> None:
        """Ask for the channel to be moved to another application.

        Measured on 22.10.1: the PBX says yes (204) before it is done and even when nobody is
        connected as `app`; that is told by ApplicationMoveFailed. A running or queued playback is
        played to its end first: stop it before. Two moves that wait together arrive as one with the
        arguments of both.
        """
        query = {"app": app, "appArgs": ",".join(args)}
        await self._on_channel("move", channel_id, query=query)

    async def variable(self, channel_id: str, name: str) -> str:
        """A variable of the channel; empty when it has none of that name.

        Also when there is no such channel: the PBX answers both in the same way.
        """
        try:
            body = await self._call("variable", channelId=channel_id, query={"variable": name})
        except NothingThere:
            return ""
        return str(body.get("value", "")) if isinstance(body, dict) else ""

    async def set_variable(self, channel_id: str, name: str, value: str) -> None:
        """Set a variable of the channel, for the dial plan; only after a running playback's end."""
        query = {"variable": name, "value": value}
        await self._on_channel("set_variable", channel_id, query=query)

    async def continue_in_dialplan(self, channel_id: str, context: str, extension: str) -> None:
        """Give the channel back to the dial plan, at priority 1 of that extension."""
        query = {"context": context, "extension": extension, "priority": "1"}
        await self._on_channel("continue", channel_id, query=query)

    async def play(self, channel_id: str, playback_id: str, media: Sequence[str]) -> None:
        """Queue sounds to be played one after the other; `playback_id` is the caller's choice.

        The PBX does not refuse an id that is in use: it plays twice.
        """
        # In the body, where the PBX takes query parameters too: a long list would not fit a URL.
        await self._on_channel(
            "play", channel_id, playbackId=playback_id, body={"media": list(media)}
        )

    async def stop_playback(self, playback_id: str) -> None:
        """Silence it, playing or queued; nothing happens when it is over.

        Measured on 22.10.1: one that is just starting can be refused with 500, and then holds up
        all that is asked of its channel until it has been played. So it is asked for again.
        """
        for pause in STOP_PAUSES_SECONDS:
            try:
                await self._call("stop_playback", playbackId=playback_id)
            except NothingThere:
                return
            except PbxFailed:
                if not pause:
                    raise
            else:
                return
            await asyncio.sleep(pause)

    async def is_playing(self, playback_id: str) -> bool:
        """Whether the playback is queued or playing."""
        try:
            await self._call("playback", playbackId=playback_id)
        except NothingThere:
            return False
        return True

    # --- what a channel hears and says, in a bridge (telephony/bridges.py)

    async def mute(self, channel_id: str) -> None:
        """Nobody hears the channel any more; its keys are still told, in-band ones too."""
        await self._on_channel("mute", channel_id, query={"direction": "in"})

    async def unmute(self, channel_id: str) -> None:
        """The channel is heard again; harmless when it is."""
        await self._on_channel("unmute", channel_id, query={"direction": "in"})

    async def start_silence(self, channel_id: str) -> None:
        """Send the channel silence in place of what it would hear."""
        await self._on_channel("start_silence", channel_id)

    async def stop_silence(self, channel_id: str) -> None:
        """The channel hears again."""
        await self._on_channel("stop_silence", channel_id)

    # --- the caller's voice (telephony/media.py)

    async def snoop(
        self,
        channel_id: str,
        snoop_id: str,
        app: str,
        args: Sequence[str],
        *,
        spy: str = "in",
        whisper: str = "none",
    ) -> None:
        """A second channel, in `app`, that hears what the caller says, with `spy` "both" all.

        With `whisper` "out", what is played to it is mixed into what the caller hears.
        """
        query = {"app": app, "appArgs": ",".join(args), "spy": spy, "whisper": whisper}
        await self._on_channel("snoop", channel_id, snoopId=snoop_id, query=query)

    async def external_media(self, channel_id: str, app: str, audio_format: str) -> str:
        """A channel made of a websocket that we open; its sound is raw samples of `audio_format`.

        Returns the id to connect to with `media`. It is the only secret of that websocket.
        """
        query = {
            "app": app,
            "channelId": channel_id,
            "external_host": "INCOMING",
            "transport": "websocket",
            "encapsulation": "none",
            "connection_type": "server",
            "format": audio_format,
            "transport_data": "f(json)",
        }
        body = await self._call("external_media", query=query)
        variables = body.get("channelvars") if isinstance(body, dict) else None
        media_id = variables.get(MEDIA_ID) if isinstance(variables, dict) else None
        if not isinstance(media_id, str) or not media_id:
            raise PbxUnreachable(
                "the PBX gave no id for the caller's voice: it needs chan_websocket, Asterisk 22.10"
            )
        return media_id

    async def media(self, media_id: str) -> aiohttp.ClientWebSocketResponse:
        """The websocket of an external media channel; the channel answers when it is opened."""
        url = f"{self._root.removesuffix('/ari')}/media/{quote(media_id, safe='')}"
        return await self._websocket(url, protocols=("media",))

    async def bridges(self) -> list[Bridge]:
        """Every bridge of the PBX, also those that are none of ours."""
        return [Bridge.from_json(body) for body in await self._call("bridges") or ()]

    async def create_bridge(self, bridge_id: str, kind: str = "mixing") -> None:
        """A bridge that lets what is put into it hear each other; see bridges.py for kinds."""
        await self._call("create_bridge", bridgeId=bridge_id, query={"type": kind})

    async def add_to_bridge(
        self, bridge_id: str, channel_ids: Sequence[str], *, absorb_keys: bool = False
    ) -> None:
        """Put channels that are in our application into the bridge.

        Absorbed keys reach the application alone, in a bridge that shows keys (bridges.py).
        """
        absorb = {"absorbDTMF": "true"} if absorb_keys else {}
        query = {"channel": ",".join(channel_ids), **absorb}
        await self._call("add_to_bridge", bridgeId=bridge_id, query=query)

    async def destroy_bridge(self, bridge_id: str) -> None:
        """Take the bridge down; harmless when it is gone. Its channels stay."""
        try:
            await self._call("destroy_bridge", bridgeId=bridge_id)
        except NothingThere:
            return

    # --- recordings: telephony/recording.py

    async def record(self, channel_id: str, name: str) -> None:
        """Record what the channel hears as WAV, 16 bits at 8 kHz, until it is no more."""
        query = {"name": name, "format": "wav", "ifExists": "fail"}
        await self._on_channel("record", channel_id, query=query)

    async def is_recording(self, name: str) -> bool:
        """Whether that recording is still being made."""
        try:
            await self._call("live_recording", recordingName=name)
        except NothingThere:
            return False
        return True

    async def recordings(self) -> list[str]:
        """The names of what lies recorded at the PBX, also of what is still being made."""
        return [str(body.get("name", "")) for body in await self._call("recordings") or ()]

    async def fetch_recording(self, name: str, into: BinaryIO, limit_seconds: float) -> None:
        """Write a recording's file into an open one. Raises NothingThere, and OSError of that."""
        async for block in self._blocks("recording_file", limit_seconds, recordingName=name):
            into.write(block)

    async def delete_recording(self, name: str) -> None:
        """Remove a recording from the PBX; harmless when it is gone."""
        try:
            await self._call("delete_recording", recordingName=name)
        except NothingThere:
            return

    # --- texts

    async def send_text(self, to: str, sender: str, body: str) -> None:
        """Send a SIP MESSAGE to an address such as pjsip:trunk/sip:+34600000001@provider.example.

        The PBX says yes before it has sent it, and never what became of it.

        Raises:
            NothingThere: it has no such endpoint.
        """
        await self._call("send_text", body={"to": to, "from": sender, "body": body})

    # --- events

    async def listen(self, app: str) -> aiohttp.ClientWebSocketResponse:
        """A websocket with the events of `app`; it breaks by itself when the PBX is silent.

        Whoever was connected under that name is cut off.
        """
        return await self._websocket(self._root + OPERATIONS["events"].path, params={"app": app})
