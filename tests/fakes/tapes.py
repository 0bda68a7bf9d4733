"""A small PBX that also records: snoops, recordings, variables, and MixMonitors behind AMI."""

from __future__ import annotations

import asyncio
import io
import wave
from dataclasses import dataclass, field

from aiohttp import web

from ivr.billing.recordings import RATE
from ivr.telephony.errors import PbxUnreachable, Refused
from tests.fakes.asterisk import FakeAsterisk, FakeChannel, _not_found


@dataclass
class FakeTapePbx(FakeAsterisk):
    """`live` maps snoops to what they record, `stored` names to seconds of sound.

    A snoop that is hung up, or whose caller hangs up, ends its recording of `seconds` seconds.
    """

    seconds: float = 1.0
    live: dict[str, str] = field(default_factory=dict)
    stored: dict[str, float] = field(default_factory=dict)
    snooped: dict[str, str] = field(default_factory=dict)
    """snoop → caller"""
    variables: dict[str, str] = field(default_factory=dict)
    """name → value, the same for every channel"""
    files: dict[str, bytes] = field(default_factory=dict)
    """what is answered instead of sound"""

    def __post_init__(self) -> None:
        super().__init__()

    def more_routes(self) -> list[web.RouteDef]:
        return [
            web.post("/ari/channels/{id}/snoop/{snoop}", self._snoop),
            web.post("/ari/channels/{id}/record", self._record),
            web.get("/ari/channels/{id}/variable", self._variable),
            web.get("/ari/recordings/live/{name}", self._live),
            web.get("/ari/recordings/stored", self._stored),
            web.get("/ari/recordings/stored/{name}/file", self._file),
            web.delete("/ari/recordings/stored/{name}", self._delete),
        ]

    async def caller_hangs_up(self, channel_id: str) -> None:
        for snoop, caller in list(self.snooped.items()):
            if caller == channel_id:
                self._end(snoop)
                await super().caller_hangs_up(snoop)
        await super().caller_hangs_up(channel_id)

    def end(self, snoop: str) -> None:
        """The snoop dies by itself."""
        self._end(snoop)
        self.channels.pop(snoop, None)

    def _end(self, snoop: str) -> None:
        self.snooped.pop(snoop, None)
        name = self.live.pop(snoop, None)
        if name is not None:
            self.stored[name] = self.seconds

    async def _snoop(self, request: web.Request) -> web.Response:
        channel, snoop = self._channel(request), request.match_info["snoop"]
        await self._first("snoop", channel.id, request.query["spy"])
        self.snooped[snoop] = channel.id
        self.channels[snoop] = FakeChannel(snoop, request.query["app"])
        await self.enter(snoop, request.query["app"])
        return web.json_response(self.channels[snoop].as_json())

    async def _hang_up(self, request: web.Request) -> web.Response:
        answer = await super()._hang_up(request)
        self._end(request.match_info["id"])
        return answer

    async def _record(self, request: web.Request) -> web.Response:
        channel, query = self._channel(request), request.query
        await self._first("record", query["format"])
        assert query["ifExists"] == "fail"
        self.live[channel.id] = query["name"]
        return web.json_response({"name": query["name"]}, status=201)

    async def _variable(self, request: web.Request) -> web.Response:
        name = request.query["variable"]
        await self._first("variable", name)
        if name not in self.variables:
            raise _not_found("Provided variable was not found")
        return web.json_response({"value": self.variables[name]})

    async def _live(self, request: web.Request) -> web.Response:
        if request.match_info["name"] not in self.live.values():
            raise _not_found("Recording not found")
        return web.json_response({"name": request.match_info["name"]})

    async def _stored(self, _: web.Request) -> web.Response:
        await self._first("recordings")
        names = [*self.stored, *self.live.values()]  # files lie there while they are written
        return web.json_response([{"name": name, "format": "wav"} for name in names])

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        await self._first("recording_file")
        if name not in self.stored:
            raise _not_found("Recording not found")
        return web.Response(body=self.files.get(name) or silence(self.stored[name]))

    async def _delete(self, request: web.Request) -> web.Response:
        await self._first("delete_recording")
        if self.stored.pop(request.match_info["name"], None) is None:
            raise _not_found("Recording not found")
        return web.Response(status=204)


def silence(seconds: float) -> bytes:
    """A WAV file as the PBX writes it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(bytes(round(seconds * RATE) * 2))
    return file.getvalue()


class FakeManager:
    """AMI of a PBX: variables and MixMonitors of channels, and what was done in order."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        self.connected.set()
        self.variables: dict[str, dict[str, str]] = {}
        """channel → name → value; a channel that is not here is gone"""
        self.done: list[str] = []
        self.is_away = False
        self.starts: list[str] = []
        """files of MixMonitors that begin just when the others are muted"""

    async def variable(self, channel: str, name: str) -> str:
        return self._of(channel).get(name, "")

    async def set_variable(self, channel: str, name: str, value: str) -> None:
        self._of(channel)[name] = value
        self.done.append(f"{name}={value}")

    async def mute_recordings(self, channel: str, *, muted: bool) -> None:
        variables = self._of(channel)
        self.done.append("mute" if muted else "unmute")
        if muted and self.starts:
            variables["MIXMONITOR_FILENAME"] = self.starts.pop(0)

    def _of(self, channel: str) -> dict[str, str]:
        if self.is_away:
            raise PbxUnreachable("the manager interface is not connected")
        try:
            return self.variables[channel]
        except KeyError:
            raise Refused(400, "No such channel") from None
