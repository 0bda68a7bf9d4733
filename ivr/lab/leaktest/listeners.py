"""Who listens while cards are keyed: hostile clients of AMI and ARI, and a watcher of processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from ivr.lab.errors import LabError

AGAIN_SECONDS = 0.5
POLL_SECONDS = 0.5
SAMPLE_SECONDS = 0.2
_MOST_BYTES = 1 << 20


class Stream:
    """What one listener was told, a line each, in a file of its own."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines = 0
        self._out = file.open("ab", buffering=0)

    def write(self, line: str) -> None:
        """Keep one line."""
        self._out.write(line.replace("\n", "\\n").encode(errors="replace") + b"\n")
        self.lines += 1

    def close(self) -> None:
        """No more lines come."""
        self._out.close()


async def listen_to_manager(
    host: Callable[[], tuple[str, int]], user: str, secret: str, out: Stream
) -> None:
    """As a client of AMI with all rights: every event, and every variable of every channel."""
    while True:
        with contextlib.suppress(OSError, LabError):
            reader, writer = await asyncio.open_connection(*host(), limit=_MOST_BYTES)
            try:
                _ask(writer, Action="Login", Username=user, Secret=secret, Events="on")
                async with asyncio.TaskGroup() as both:
                    both.create_task(_read_events(reader, out))
                    both.create_task(_poll_variables(writer))
            except* (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass
            finally:
                writer.close()
        await asyncio.sleep(AGAIN_SECONDS)


async def _read_events(reader: asyncio.StreamReader, out: Stream) -> None:
    while True:
        block = await reader.readuntil(b"\r\n\r\n")
        out.write(" | ".join(block.decode(errors="replace").split("\r\n")))


async def _poll_variables(writer: asyncio.StreamWriter) -> None:
    while True:
        _ask(writer, Action="Status", AllVariables="true")
        _ask(writer, Action="CoreShowChannels")
        await writer.drain()
        await asyncio.sleep(POLL_SECONDS)


def _ask(writer: asyncio.StreamWriter, **action: str) -> None:
    lines = [f"{name}: {value}\r\n" for name, value in action.items()]
    writer.write("".join([*lines, "\r\n"]).encode())


async def listen_to_ari(
    url: Callable[[], str],
    login: Callable[[], tuple[str, str]],
    app: str,
    out: Stream,
    *,
    everything: bool = False,
    sources: Iterable[str] = (),
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
) -> None:
    """As an application of ARI; `everything` is subscribeAll, `sources` what it subscribes to."""
    query = {"app": app, "subscribeAll": "true" if everything else "false"}
    while True:
        with contextlib.suppress(aiohttp.ClientError, OSError, LabError):
            auth = aiohttp.BasicAuth(*login())
            async with (
                aiohttp.ClientSession(auth=auth) as session,
                session.ws_connect(f"{url()}/events", params=query) as socket,
            ):
                for source in sources:
                    await session.post(
                        f"{url()}/applications/{app}/subscription", params={"eventSource": source}
                    )
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        out.write(message.data)
                        on_event(json.loads(message.data))
        await asyncio.sleep(AGAIN_SECONDS)


async def watch_processes(pids: Callable[[], Iterable[int]], out: Stream, seen: set[bytes]) -> None:
    """Every command line and environment of the lab's processes and of what they start."""
    while True:
        for kind, text in await asyncio.to_thread(lambda: list(_shown(pids()))):
            if text not in seen:
                seen.add(text)
                plain = text.replace(b"\0", b"\n").decode(errors="replace")
                out.write(f"{kind} {plain}")
        await asyncio.sleep(SAMPLE_SECONDS)


def _shown(roots: Iterable[int]) -> Iterable[tuple[str, bytes]]:
    for pid in family(roots):
        for kind in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                yield kind, Path(f"/proc/{pid}/{kind}").read_bytes()


def family(roots: Iterable[int]) -> set[int]:
    """These processes and all that come from them."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names only, many times a second
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = Path(f"/proc/{entry}/stat").read_text(errors="replace")
                parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


async def watch_queries(url: Callable[[], str], out: Stream) -> None:
    """What the database shows of the statements that run (pg_stat_activity)."""
    seen: set[str] = set()
    while True:
        with contextlib.suppress(OSError, LabError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(url(), timeout=5)
            try:
                while True:
                    rows = await connection.fetch("SELECT query FROM pg_stat_activity")
                    for text in {str(row["query"]) for row in rows} - seen:
                        seen.add(text)
                        out.write(text)
                    await asyncio.sleep(SAMPLE_SECONDS)
            finally:
                await connection.close(timeout=2)
        await asyncio.sleep(AGAIN_SECONDS)
