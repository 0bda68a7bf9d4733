"""A small PBX for tests: speaks ARI on a free port of this machine and does as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import WSMsgType, encode_basic_auth, web

from ivr.telephony.silence import SILENCE

USER = "saldo"
PASSWORD = "correct horse"


@dataclass
class FakeChannel:
    """A channel and what was done to it."""

    id: str
    app: str
    """the application it is in; empty when the dial plan has it"""
    number: str = "600100200"
    state: str = "Up"
    playing: list[str] = field(default_factory=list)
    silences: list[str] = field(default_factory=list)
    """those behind what is playing; neither asking for them nor stopping them is in `done`"""
    packets: int = 1
    """of sound that came from the caller"""
    doing: str = "Playback"
    """its application of the dial plan, while the dial plan has it"""
    context: str = ""
    extension: str = ""
    since: str = ""
    name: str = ""
    """empty: the trunk's, with the id at its end"""
    variables: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name or f"PJSIP/trunk-{self.id}",
            "state": self.state,
            "protocol_id": f"sip-{self.id}",
            "caller": {"name": "", "number": self.number},
            "creationtime": self.since,
            "dialplan": {
                "context": self.context,
                "exten": self.extension,
                "app_name": "Stasis" if self.app else self.doing,
            },
        }


class FakeAsterisk:
    """Channels, playbacks and applications, with the order of things of Asterisk 22.10.1.

    `done` lists what was asked. `before` maps an operation's name to something that happens first:
    a wait, or an exception that becomes the answer. An application is listed while somebody is
    connected or a channel is in it.
    """

    def __init__(self) -> None:
        self.channels: dict[str, FakeChannel] = {}
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.done: list[str] = []
        self.urls: list[str] = []
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        self.refuses_websockets = False
        self.leave_seconds = 0.0
        """so long a channel that is to go on in the dial plan is still in its application"""
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._connected = asyncio.Condition()
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._check])
        app.add_routes(
            [
                web.get("/ari/events", self._events),
                web.post("/ari/events/user/{name}", self._user_event),
                web.get("/ari/asterisk/ping", self._ping),
                web.get("/ari/channels", self._list_channels),
                web.get("/ari/channels/{id}", self._get_channel),
                web.get("/ari/channels/{id}/rtp_statistics", self._rtp),
                web.delete("/ari/channels/{id}", self._hang_up),
                web.post("/ari/channels/{id}/answer", self._answer),
                web.post("/ari/channels/{id}/play/{playback}", self._play),
                web.post("/ari/channels/{id}/move", self._move),
                web.post("/ari/channels/{id}/continue", self._continue),
                web.post("/ari/channels/{id}/variable", self._set_variable),
                web.get("/ari/playbacks/{id}", self._get_playback),
                web.delete("/ari/playbacks/{id}", self._stop),
                web.get("/ari/applications", self._list_applications),
                web.get("/ari/applications/{name}", self._get_application),
                *self.more_routes(),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in list(self.sockets.values()):
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def more_routes(self) -> list[web.RouteDef]:
        """What a kind of PBX that can more answers besides."""
        return []

    # --- what a test does

    async def connected(self, app: str) -> None:
        """Return when somebody listens as `app`."""
        async with self._connected, asyncio.timeout(5):
            await self._connected.wait_for(lambda: app in self.sockets)

    async def drop(self, app: str) -> None:
        """Cut the websocket without a word."""
        socket = self.sockets.pop(app)
        transport = socket._req.transport if socket._req is not None else None
        assert transport is not None
        transport.abort()

    async def call(self, channel_id: str, *args: str, app: str = "saldo", **has: Any) -> None:
        """A caller enters the application."""
        self.channels[channel_id] = FakeChannel(channel_id, app, **has)
        await self.enter(channel_id, app, *(args or ("inbound", "900")))

    async def enter(self, channel_id: str, app: str, *args: str) -> None:
        self.channels[channel_id].app = app
        await self.tell(app, "StasisStart", channel_id, args=list(args))

    async def press(self, channel_id: str, keys: str) -> None:
        for key in keys:
            app = self.channels[channel_id].app
            await self.tell(app, "ChannelDtmfReceived", channel_id, digit=key, duration_ms=100)

    async def caller_hangs_up(self, channel_id: str) -> None:
        channel = self.channels.pop(channel_id)
        await self.tell(channel.app, "ChannelHangupRequest", channel, cause=16)
        await self.tell(channel.app, "StasisEnd", channel)

    async def finish(self, channel_id: str, *, state: str = "done") -> None:
        """The oldest playback of the channel has been played to its end."""
        channel = self.channels[channel_id]
        await self._finished(channel, channel.playing.pop(0), state)

    async def silence_ends(self, channel_id: str, *, state: str = "done") -> None:
        """The silence of the channel has been played to its end."""
        channel = self.channels[channel_id]
        await self._finished(channel, channel.silences.pop(0), state)

    async def tell(self, app: str, kind: str, channel: str | FakeChannel = "", **more: Any) -> None:
        body: dict[str, Any] = {"type": kind, "application": app, **more}
        if isinstance(channel, str) and channel:
            channel = self.channels[channel]
        if isinstance(channel, FakeChannel):
            body["channel"] = channel.as_json()
        await self.send(app, json.dumps(body))

    async def send(self, app: str, text: str) -> None:
        if app in self.sockets:
            await self.sockets[app].send_str(text)

    # --- what it answers

    @web.middleware
    async def _check(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.urls.append(str(request.rel_url))
        if request.headers.get("Authorization") != encode_basic_auth(USER, PASSWORD):
            return web.json_response({"error": "Authentication required"}, status=401)
        return await handler(request)

    async def _first(self, operation: str, *about: str) -> None:
        self.done.append(" ".join((operation, *about)))
        if operation in self.before:
            await self.before[operation]()

    def _channel(self, request: web.Request) -> FakeChannel:
        try:
            return self.channels[request.match_info["id"]]
        except KeyError:
            raise _not_found("Channel not found") from None

    def _in_stasis(self, request: web.Request) -> FakeChannel:
        channel = self._channel(request)
        if not channel.app:
            text = json.dumps({"message": "Channel not in Stasis application"})
            raise web.HTTPConflict(text=text)
        return channel

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.refuses_websockets:
            return web.json_response({"message": "Not now"}, status=503)
        app = request.query["app"]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if app in self.sockets:
            await self.tell(app, "ApplicationReplaced")
        async with self._connected:
            self.sockets[app] = socket
            self._connected.notify_all()
        async for message in socket:
            assert message.type is WSMsgType.TEXT
        if self.sockets.get(app) is socket:
            del self.sockets[app]
        return socket

    async def _ping(self, _: web.Request) -> web.Response:
        await self._first("ping")
        return web.json_response({"ping": "pong"})

    async def _user_event(self, request: web.Request) -> web.Response:
        name, app = request.match_info["name"], request.query["application"]
        await self._first("user_event", name, app)
        if app not in self.sockets:
            raise _not_found("Application not found")
        variables = (await request.json())["variables"]
        told = {"eventname": name, **variables}
        await self.tell(app, "ChannelUserevent", eventname=name, userevent=told)
        return web.Response(status=204)

    async def _list_channels(self, _: web.Request) -> web.Response:
        await self._first("channels")
        return web.json_response([channel.as_json() for channel in self.channels.values()])

    async def _get_channel(self, request: web.Request) -> web.Response:
        await self._first("channel", request.match_info["id"])
        return web.json_response(self._channel(request).as_json())

    async def _hang_up(self, request: web.Request) -> web.Response:
        await self._first("hang_up", request.match_info["id"])
        channel = self._channel(request)
        del self.channels[channel.id]
        await self.tell(channel.app, "StasisEnd", channel)
        return web.Response(status=204)

    async def _answer(self, request: web.Request) -> web.Response:
        await self._first("answer", request.match_info["id"])
        self._in_stasis(request).state = "Up"
        return web.Response(status=204)

    async def _rtp(self, request: web.Request) -> web.Response:
        # Not in `done`: how often it is asked depends on the time.
        if "rtp" in self.before:
            await self.before["rtp"]()
        return web.json_response({"rxcount": self._channel(request).packets})

    async def _play(self, request: web.Request) -> web.Response:
        channel = self._in_stasis(request)
        media = (await request.json())["media"]
        if media == [SILENCE]:
            if "silence" in self.before:
                await self.before["silence"]()
            channel.silences.append(request.match_info["playback"])
            return web.json_response({"id": request.match_info["playback"]}, status=201)
        channel.playing.append(request.match_info["playback"])
        await self._first("play", channel.id, *media)
        return web.json_response({"id": request.match_info["playback"]}, status=201)

    async def _get_playback(self, request: web.Request) -> web.Response:
        await self._first("playback")
        self._of_playback(request)
        return web.json_response({"id": request.match_info["id"], "state": "playing"})

    async def _stop(self, request: web.Request) -> web.Response:
        if self._stop_silence(request.match_info["id"]):
            return web.Response(status=204)
        await self._first("stop_playback")
        channel = self._of_playback(request)
        channel.playing.remove(request.match_info["id"])
        await self._finished(channel, request.match_info["id"], "done")
        return web.Response(status=204)

    def _stop_silence(self, playback_id: str) -> bool:
        for channel in self.channels.values():
            if playback_id in channel.silences:
                channel.silences.remove(playback_id)
                return True
        return False

    def _of_playback(self, request: web.Request) -> FakeChannel:
        for channel in self.channels.values():
            if request.match_info["id"] in channel.playing:
                return channel
        raise _not_found("Playback not found")

    async def _finished(self, channel: FakeChannel, playback_id: str, state: str) -> None:
        playback = {
            "id": playback_id,
            "media_uri": "sound:last",
            "target_uri": f"channel:{channel.id}",
            "state": state,
        }
        await self.tell(channel.app, "PlaybackFinished", playback=playback)

    async def _move(self, request: web.Request) -> web.Response:
        channel, app = self._in_stasis(request), request.query["app"]
        args = request.query["appArgs"].split(",")
        await self._first("move", channel.id, app, *args)
        assert not channel.playing + channel.silences, (
            "the PBX plays to the end before it moves a channel"
        )
        if app not in self.sockets:
            more = {"destination": app, "args": args}
            await self.tell(channel.app, "ApplicationMoveFailed", channel, **more)
        else:
            await self.tell(channel.app, "StasisEnd", channel)
            await self.enter(channel.id, app, *args)
        return web.Response(status=204)

    async def _continue(self, request: web.Request) -> web.Response:
        channel = self._in_stasis(request)
        query = request.query
        await self._first("continue", channel.id, query["context"], query["extension"])
        if self.leave_seconds:
            task = asyncio.create_task(self._leave_late(channel))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        else:
            await self._leave(channel)
        return web.Response(status=204)

    async def _leave_late(self, channel: FakeChannel) -> None:
        await asyncio.sleep(self.leave_seconds)
        await self._leave(channel)

    async def _leave(self, channel: FakeChannel) -> None:
        app, channel.app = channel.app, ""
        await self.tell(app, "StasisEnd", channel)

    async def _set_variable(self, request: web.Request) -> web.Response:
        channel = self._in_stasis(request)
        query = request.query
        await self._first("set_variable", channel.id, f"{query['variable']}={query['value']}")
        return web.Response(status=204)

    async def _list_applications(self, _: web.Request) -> web.Response:
        await self._first("applications")
        names = set(self.sockets) | {c.app for c in self.channels.values() if c.app}
        return web.json_response([self._application(name) for name in sorted(names)])

    async def _get_application(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        await self._first("application", name)
        application = self._application(name)
        if name not in self.sockets and not application["channel_ids"]:
            raise _not_found("Application not found")
        return web.json_response(application)

    def _application(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "channel_ids": [
                channel.id for channel in self.channels.values() if channel.app == name
            ],
        }


def _not_found(text: str) -> web.HTTPNotFound:
    return web.HTTPNotFound(text=json.dumps({"message": text}))
