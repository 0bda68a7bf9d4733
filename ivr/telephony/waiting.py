"""Waiting until something is so, told by whoever changed it."""

from __future__ import annotations

import asyncio


class Bell:
    """Wakes everybody who waits; each then looks for himself whether it concerns him."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Something changed."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    async def heard(self) -> None:
        """Return at the next ring."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)
