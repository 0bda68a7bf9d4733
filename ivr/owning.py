"""Tasks of the daemon's own, so that nobody who leaves cuts one short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Work:
    """Owns tasks of one kind until they end."""

    def __init__(self, name: str, ended: Callable[[asyncio.Task[Any]], None]) -> None:
        """`ended` is told of each task when it has ended, however it did."""
        self._name = name
        self._tell = ended
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]:
        """Start it; it is ours until it ends."""
        task = asyncio.create_task(work, name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self) -> None:
        """Return when every task has ended; each has its own time limits."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cancel(self) -> None:
        """End what still runs; the next daemon takes it up."""
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._tell(task)
