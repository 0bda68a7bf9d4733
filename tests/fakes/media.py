"""A small PBX that can also be listened to: snoops, media websockets and bridges."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from tests.fakes.asterisk import FakeAsterisk, FakeChannel, _not_found

PACKET = bytes(320)


class FakeMediaPbx(FakeAsterisk):
    """`bridges` maps ids to the channels in them; `media` are the open media websockets."""

    def __init__(self) -> None:
        super().__init__()
        self.bridges: dict[str, list[str]] = {}
        self.media: dict[str, web.WebSocketResponse] = {}
        self.tells_ids = True
        self.announces = True
        """whether channels that enter the application are told of"""
        self.keys_mode = "rfc4733"
        """how every caller's trunk sends keys; empty when the PBX cannot say"""
        self._opened = asyncio.Condition()

    def more_routes(self) -> list[web.RouteDef]:
        return [
            web.post("/ari/channels/externalMedia", self._external),
            web.post("/ari/channels/{id}/snoop/{snoop}", self._snoop),
            web.get("/ari/channels/{id}/variable", self._variable),
            web.post("/ari/channels/{id}/mute", self._mute),
            web.delete("/ari/channels/{id}/mute", self._mute),
            web.post("/ari/channels/{id}/silence", self._silence),
            web.delete("/ari/channels/{id}/silence", self._silence),
            web.get("/ari/bridges", self._list_bridges),
            web.post("/ari/bridges/{id}", self._create_bridge),
            web.post("/ari/bridges/{id}/addChannel", self._add),
            web.delete("/ari/bridges/{id}", self._destroy),
            web.get("/media/{id}", self._media),
        ]

    async def socket(self) -> web.WebSocketResponse:
        """The media websocket, when somebody has opened it."""
        async with self._opened, asyncio.timeout(5):
            await self._opened.wait_for(lambda: bool(self.media))
        return next(iter(self.media.values()))

    async def _enter(self, channel_id: str, app: str) -> None:
        self.channels[channel_id] = FakeChannel(channel_id, app)
        if self.announces:
            await self.enter(channel_id, app)

    async def _snoop(self, request: web.Request) -> web.Response:
        channel, query = self._channel(request), request.query
        await self._first("snoop", channel.id, query["spy"])
        await self._enter(request.match_info["snoop"], query["app"])
        return web.json_response(self.channels[request.match_info["snoop"]].as_json())

    async def _external(self, request: web.Request) -> web.Response:
        query = request.query
        await self._first("external_media", query["format"], query["external_host"])
        self.channels[query["channelId"]] = FakeChannel(query["channelId"], query["app"], state="")
        body = self.channels[query["channelId"]].as_json()
        if self.tells_ids:
            body["channelvars"] = {"MEDIA_WEBSOCKET_CONNECTION_ID": f"for {query['channelId']}"}
        return web.json_response(body)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        channel_id = request.match_info["id"].removeprefix("for ")
        await self._first("media", request.headers.get("Sec-WebSocket-Protocol", ""))
        socket = web.WebSocketResponse(protocols=("media",))
        await socket.prepare(request)
        await socket.send_bytes(PACKET)  # before MEDIA_START, as some versions do
        await socket.send_str(json.dumps({"event": "MEDIA_START"}))
        async with self._opened:
            self.media[channel_id] = socket
            self._opened.notify_all()
        await self._enter(channel_id, self.channels[channel_id].app)
        async for _ in socket:
            pass
        self.media.pop(channel_id, None)
        return socket

    async def _list_bridges(self, _: web.Request) -> web.Response:
        bridges = self.bridges.items()
        return web.json_response([{"id": each, "channels": inside} for each, inside in bridges])

    async def _create_bridge(self, request: web.Request) -> web.Response:
        await self._first("create_bridge", request.query["type"])
        self.bridges[request.match_info["id"]] = []
        return web.json_response({"id": request.match_info["id"]})

    async def _variable(self, request: web.Request) -> web.Response:
        name = request.query["variable"]
        await self._first("variable", name)
        if (value := self._channel(request).variables.get(name)) is not None:
            return web.json_response({"value": value})
        if not self.keys_mode:
            text = json.dumps({"message": "Unable to read provided function"})
            raise web.HTTPInternalServerError(text=text)
        return web.json_response({"value": self.keys_mode})

    async def _mute(self, request: web.Request) -> web.Response:
        what = "mute" if request.method == "POST" else "unmute"
        await self._first(what, self._in_stasis(request).id, request.query["direction"])
        return web.Response(status=204)

    async def _silence(self, request: web.Request) -> web.Response:
        what = "start_silence" if request.method == "POST" else "stop_silence"
        await self._first(what, self._in_stasis(request).id)
        return web.Response(status=204)

    async def _add(self, request: web.Request) -> web.Response:
        absorbs = ["absorbs"] if request.query.get("absorbDTMF") == "true" else []
        await self._first("add_to_bridge", *absorbs)
        for channel_id in request.query["channel"].split(","):
            assert self.channels[channel_id].app, "only channels in an application can be bridged"
            self.bridges[request.match_info["id"]].append(channel_id)
        return web.Response(status=204)

    async def _destroy(self, request: web.Request) -> web.Response:
        await self._first("destroy_bridge")
        if self.bridges.pop(request.match_info["id"], None) is None:
            raise _not_found("Bridge not found")
        return web.Response(status=204)
