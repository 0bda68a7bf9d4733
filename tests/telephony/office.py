"""A router with a fake PBX behind it, and one conversation that a test writes down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ivr.dialogue.endings import HungUp
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from ivr.telephony.places import Agents, SecurePart
from ivr.telephony.router import Router

AGENTS = Agents("agents", "queue", "agents")
SECURE = SecurePart("saldo-capture", limit_seconds=5)


class Desk:
    """Runs one conversation a call and keeps how each ended."""

    def __init__(self, talk: Callable[[AsteriskLine], Awaitable[Any]]) -> None:
        self._talk = talk
        self.lines: list[AsteriskLine] = []
        self.endings: asyncio.Queue[Any] = asyncio.Queue()

    async def take_call(self, line: AsteriskLine) -> None:
        self.lines.append(line)
        try:
            ending: Any = await self._talk(line)
        except HungUp:
            ending = HungUp
        self.endings.put_nowait(ending)

    async def ending(self) -> Any:
        async with asyncio.timeout(5):
            return await self.endings.get()


@asynccontextmanager
async def office(ari: Ari, desk: Desk, **settings: Any) -> AsyncIterator[Router]:
    """A router that takes calls for `desk`; whatever still runs at the end is cancelled."""
    given = {"agents": AGENTS, "secure": SECURE, **settings}
    async with asyncio.TaskGroup() as tasks:
        router = Router(ari, "saldo", {"inbound": desk.take_call}, tasks, node="n1", **given)
        running = tasks.create_task(router.run())
        async with asyncio.timeout(5):
            await router.stream.connected.wait()
        try:
            yield router
        finally:
            await router.drain(0)
            running.cancel()


async def settled() -> None:
    """Let what was sent arrive."""
    await asyncio.sleep(0.05)
