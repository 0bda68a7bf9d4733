"""The clock of the tests jumps, and a call that hangs is told from one that waits."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.fakes.virtual_time import NothingWillHappen, VirtualTimeLoop


def in_virtual_time(work: object) -> float:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work)  # type: ignore[arg-type]  # each test gives a coroutine
        return runner.get_loop().time()


def test_an_hour_takes_no_time() -> None:
    began = time.monotonic()
    assert in_virtual_time(asyncio.sleep(3600)) == 3600
    assert time.monotonic() - began < 1


def test_timers_fire_in_order() -> None:
    order: list[int] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(20, order.append, 2)
        loop.call_later(10, order.append, 1)
        await asyncio.sleep(30)

    in_virtual_time(work())
    assert order == [1, 2]


def test_a_thread_is_waited_for() -> None:
    async def work() -> None:
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05)

    assert in_virtual_time(work()) == 0


def test_waiting_for_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fakes.virtual_time.REAL_SECONDS_FOR_THREADS", 0.01)
    loop = VirtualTimeLoop()
    never = loop.create_future()
    with pytest.raises(NothingWillHappen):
        loop.run_until_complete(never)
    never.cancel()
    loop.close()
