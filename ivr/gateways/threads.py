"""A few named threads for a blocking library; a full pool says so instead of queueing for ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ivr.billing.errors import GatewayNotReached, OutcomeUnknown

T = TypeVar("T")


class Threads:
    """`count` threads. Cancelling a task that waits here neither stops nor frees its thread."""

    def __init__(self, name: str, count: int, *, queue_seconds: float) -> None:
        self._name = name
        self._count = count
        self._queue_seconds = queue_seconds
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._free = asyncio.Semaphore(count)
        self._closing = False

    async def run(self, work: Callable[[], T], *, limit_seconds: float) -> T:
        """What `work` returns; it must not raise.

        Raises:
            GatewayNotReached: no thread came free within the queue's limit, or we are stopping;
                `work` was not started.
            OutcomeUnknown: `work` is still running after `limit_seconds`.
        """
        await self._take_thread()
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._give_back(loop))
        waiting = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({waiting}, timeout=limit_seconds)
        if not done:
            raise OutcomeUnknown(f"the gateway did not answer within {limit_seconds:g} s")
        return waiting.result()

    async def _take_thread(self) -> None:
        self._refuse_when_closing()
        try:
            async with asyncio.timeout(self._queue_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise GatewayNotReached(
                f"all {self._count} {self._name} threads stayed busy for {self._queue_seconds:g} s:"
                " the gateway is slow, or set braintree.threads higher"
            ) from None
        try:
            self._refuse_when_closing()
        except GatewayNotReached:
            self._free.release()
            raise

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise GatewayNotReached("stopping: nothing more is sent to the gateway")

    def _give_back(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may have closed before the answer came
            loop.call_soon_threadsafe(self._free.release)

    async def close(self, *, limit_seconds: float) -> None:
        """Take nothing new, let what runs finish within the limit, end the threads."""
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_seconds):
                for _ in range(self._count):
                    await self._free.acquire()
        self._pool.shutdown(wait=False, cancel_futures=True)
