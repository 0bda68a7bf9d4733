"""How the PBX's REST interface is asked, and what its answers mean.

Rules kept here: credentials go in the Authorization header, never in a URL (URLs are logged); every
request has a time limit; a request that may have been carried out is never sent a second time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import quote

import aiohttp

from ivr.telephony.errors import (
    AnswerLate,
    BadCredentials,
    ChannelGone,
    NothingThere,
    PbxFailed,
    PbxUnreachable,
    Refused,
)
from ivr.telephony.operations import OPERATIONS

ANSWER_SECONDS = 5.0
"""the PBX answers in about 1 ms; what takes this long is stuck"""
KEEP_ALIVE_SECONDS = 10.0
"""the PBX closes an idle connection at 15 s: we must be first, or a POST meets the close"""
HEARTBEAT_SECONDS = 10.0
NEVER_SENT_RETRIES = 2
NEVER_SENT_PAUSE_SECONDS = 0.1
BLOCK_BYTES = 1 << 16
NOT_FOUND = 404
UNAUTHORISED = (401, 403)


class Transport:
    """A connection to one PBX, open inside `async with`."""

    def __init__(
        self, url: str, user: str, password: str, *, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._root = url.rstrip("/").removesuffix("/ari") + "/ari"
        self._authorization = aiohttp.encode_basic_auth(user, password)
        self._answer_seconds = answer_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": self._authorization},
            # No limit: aiohttp counts websockets too, and waits for ever at its limit of 100.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=self._answer_seconds),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _on_channel(
        self,
        name: str,
        channel_id: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        **path: str,
    ) -> Any:
        try:
            return await self._call(name, query=query, body=body, channelId=channel_id, **path)
        except NothingThere:
            raise ChannelGone(f"the PBX has no channel {channel_id} any more") from None

    async def _call(
        self,
        name: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        **path: str,
    ) -> Any:
        operation, url = OPERATIONS[name], self._url(name, path)
        tries = NEVER_SENT_RETRIES
        while True:
            try:
                return await self._send(name, operation.method, url, query, body)
            except aiohttp.ClientConnectorError as error:
                # There was no connection, so nothing was sent: the only case to try again.
                if not tries:
                    raise PbxUnreachable(self._cannot_reach(error)) from None
                tries -= 1
                await asyncio.sleep(NEVER_SENT_PAUSE_SECONDS)
            except TimeoutError:
                raise AnswerLate(
                    f"the PBX did not answer {name} within {self._answer_seconds:g} s"
                ) from None
            except aiohttp.ClientError as error:
                raise AnswerLate(self._cannot_reach(error)) from None

    async def _blocks(self, name: str, limit_seconds: float, **path: str) -> AsyncIterator[bytes]:
        """The file that the PBX answers with, block by block."""
        limit = aiohttp.ClientTimeout(total=limit_seconds, sock_read=self._answer_seconds)
        try:
            async with self._open().get(self._url(name, path), timeout=limit) as response:
                if not response.ok:
                    self._refuse(response.status, name, await response.text())
                async for block in response.content.iter_chunked(BLOCK_BYTES):
                    yield block
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PbxUnreachable(self._cannot_reach(error)) from None

    def _url(self, name: str, path: Mapping[str, str]) -> str:
        parts = {key: quote(value, safe="") for key, value in path.items()}
        return self._root + OPERATIONS[name].path.format(**parts)

    async def _websocket(self, url: str, **more: Any) -> aiohttp.ClientWebSocketResponse:
        try:
            async with asyncio.timeout(self._answer_seconds):
                websocket: aiohttp.ClientWebSocketResponse = await self._open().ws_connect(
                    url,
                    heartbeat=HEARTBEAT_SECONDS,
                    timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                    **more,
                )
                return websocket
        except aiohttp.WSServerHandshakeError as error:
            if error.status in UNAUTHORISED:
                self._refuse(error.status, "events", "")
            raise PbxUnreachable(
                f"no websocket at {self._root} (status {error.status}): check asterisk.url in "
                "saldo.toml and that the PBX has res_ari_events and chan_websocket"
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PbxUnreachable(self._cannot_reach(error)) from None

    async def _send(
        self,
        name: str,
        method: str,
        url: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
    ) -> Any:
        async with self._open().request(method, url, params=query, json=body) as response:
            text = await response.text()
            if not response.ok:
                self._refuse(response.status, name, text)
            return _json(name, text) if text else None

    def _refuse(self, status: int, name: str, text: str) -> NoReturn:
        if status in UNAUTHORISED:
            raise BadCredentials(
                "the PBX does not accept our ARI user and password: compare [asterisk] and "
                "[capture] in saldo.toml with the PBX's ari.conf"
            )
        if status == NOT_FOUND:
            raise NothingThere(f"{name}: {_message(text)}")
        if status >= 500:  # noqa: PLR2004 - HTTP's "the server's own fault"
            raise PbxFailed(f"the PBX failed at {name} with status {status}")
        raise Refused(status, f"the PBX refused {name}: {status} {_message(text)}")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise PbxUnreachable("the ARI client is not open: use it in `async with`")
        return self._session

    def _cannot_reach(self, error: BaseException) -> str:
        return f"the PBX cannot be reached at {self._root} ({type(error).__name__}): is it running?"


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise PbxUnreachable(
            f"what answered {name} is not a PBX: check asterisk.url in saldo.toml"
        ) from None


def _message(text: str) -> str:
    try:
        body = json.loads(text)
    except ValueError:
        return "no reason given"
    return str(body.get("message", "")) if isinstance(body, dict) else "no reason given"
