"""A wire to Postgres that counts round trips and can be cut before or after a message arrives."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

SOCKET = ".s.PGSQL.5432"
WAITED_FOR = {b"S", b"H", b"Q"}
"""Sync, Flush and a simple query: after each the client waits for the server."""


@dataclass
class Cut:
    """Cut the wire at the next message of `kind` whose body holds `words`."""

    kind: bytes
    words: bytes
    arrives: bool
    """whether the server still gets it, and does it, before the answer is lost"""


@dataclass
class Wire:
    """What went over the proxy."""

    url: str
    round_trips: int = 0
    cut: Cut | None = None
    cuts: int = 0
    streams: set[asyncio.StreamWriter] = field(default_factory=set)

    def lose_commit(self, *, arrives: bool) -> None:
        """The next COMMIT of a transaction breaks the connection."""
        self.cut = Cut(b"Q", b"COMMIT", arrives)

    def lose_statement(self, *, arrives: bool) -> None:
        """The next prepared statement that is run breaks the connection."""
        self.cut = Cut(b"E", b"", arrives)


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    """A proxy in front of the Unix socket that `url` names."""
    parts = urlsplit(url)
    server_folder = Path(parse_qs(parts.query)["host"][0])
    folder = Path(tempfile.mkdtemp(prefix="wire"))
    wire = Wire(urlunsplit(parts._replace(query=f"host={quote(str(folder))}")))

    async def serve(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, forth = await asyncio.open_unix_connection(str(server_folder / SOCKET))
        wire.streams |= {back, forth}
        answers = asyncio.create_task(_pass_on(server, back))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await _watch(wire, client, forth, answers)
        answers.cancel()
        back.close()
        forth.close()

    listener = await asyncio.start_unix_server(serve, str(folder / SOCKET))
    try:
        yield wire
    finally:
        listener.close()
        for stream in wire.streams:
            stream.close()
        await asyncio.sleep(0.02)
        shutil.rmtree(folder)


async def _watch(
    wire: Wire,
    client: asyncio.StreamReader,
    forth: asyncio.StreamWriter,
    answers: "asyncio.Task[None]",
) -> None:
    head = await client.readexactly(4)
    forth.write(head + await client.readexactly(int.from_bytes(head, "big") - 4))
    while True:
        head = await client.readexactly(5)
        body = await client.readexactly(int.from_bytes(head[1:], "big") - 4)
        cut = wire.cut
        if cut and head[:1] == cut.kind and cut.words in body:
            wire.cut, wire.cuts = None, wire.cuts + 1
            if cut.arrives:
                answers.cancel()
                forth.write(
                    head + body + (await client.readexactly(5) if cut.kind == b"E" else b"")
                )
                await asyncio.sleep(0.2)  # done by now, and nobody is told
            return
        wire.round_trips += head[:1] in WAITED_FOR
        forth.write(head + body)


async def _pass_on(server: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    while data := await server.read(65536):
        back.write(data)
    back.close()
