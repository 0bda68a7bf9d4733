"""Rings when another transaction has told something: LISTEN on a connection of its own."""

from __future__ import annotations

import asyncio
import random

from ivr.billing.errors import LedgerUnavailable
from ivr.storage.faults import asked
from ivr.storage.pool import Database, Session

CHECK_SECONDS = 30.0
"""so often the connection is asked whether it lives"""
LIMIT_SECONDS = 10.0
PAUSE_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)


class Bell:
    """Rings at every notification, and after every new connection: one may have been missed."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake who waits."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Return when it has rung since the last time, or after so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            pass
        self._rung.clear()

    async def run(self) -> None:
        """Listen for ever; without a connection nobody is woken, and who waits looks by itself."""
        failures = 0
        while True:
            try:
                async with self._database.apart(LIMIT_SECONDS) as session:
                    await self._listen(session)
                    failures = 0
                    await self._while_it_lives(session)
            except LedgerUnavailable:
                pass
            pause = PAUSE_SECONDS[min(failures, len(PAUSE_SECONDS) - 1)]
            failures += 1
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads tries

    async def _listen(self, session: Session) -> None:
        await asked("listen", lambda: session.raw.add_listener(self._name, self._heard))
        self.ring()

    async def _while_it_lives(self, session: Session) -> None:
        lost = asyncio.Event()
        session.raw.add_termination_listener(lambda _: lost.set())
        while not lost.is_set():
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await lost.wait()
            except TimeoutError:
                await session.run("answers")

    def _heard(self, *_: object) -> None:
        self.ring()
