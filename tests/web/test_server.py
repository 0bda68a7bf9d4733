"""The web server on its own socket."""

from __future__ import annotations

import asyncio
import socket

from starlette.responses import PlainTextResponse

from ivr.web.server import WebServer, listen

USUAL_SECONDS = 5
"""Many clients keep a connection so long, and uvicorn by itself too."""


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(len(b"here"))


async def test_it_keeps_a_connection_longer_than_a_client_and_closes_it_when_it_ends() -> None:
    listening: socket.socket = listen("127.0.0.1", 0)
    host, port = listening.getsockname()
    server = WebServer(PlainTextResponse("here"), listening)
    serving = asyncio.create_task(server.serve())
    reader, writer = await asyncio.open_connection(host, port)
    assert await asked(reader, writer) == b"here"
    await asyncio.sleep(USUAL_SECONDS + 0.5)
    assert await asked(reader, writer) == b"here"
    server.stop()
    async with asyncio.timeout(2):
        assert await reader.read() == b""
        await serving
    writer.close()
