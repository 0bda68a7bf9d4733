"""What `saldo serve` does for captures with an agent: owns their tasks, takes up what was left."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from ivr import assisting as module
from ivr.assisting import Assisted, captures
from ivr.billing.errors import BillingError, LedgerUnavailable, TalkNotFound
from tests.billing.assistance import Assistance


@pytest.mark.parametrize(
    ("trouble", "event"),
    [(TalkNotFound("no such channel"), "capture_refused"), (KeyError("x"), "capture_failed")],
)
async def test_a_task_that_fails_is_told_once_and_to_who_waits(
    trouble: Exception, event: str
) -> None:
    async def fail() -> None:
        raise trouble

    work = captures()
    with capture_logs() as logs:
        task = work.spawn(fail())
        with pytest.raises(type(trouble)):
            await task
        await asyncio.sleep(0)
    assert [line["event"] for line in logs] == [event]


async def test_what_nobody_waits_for_goes_on_until_it_is_cancelled() -> None:
    work = captures()
    forever = asyncio.Event()
    task = work.spawn(forever.wait())
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_node_that_starts_again_takes_up_its_own_captures_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def on(node: str) -> str:
        monkeypatch.setattr("socket.gethostname", lambda: node)
        return module.place("saldo")

    assert on("pbx1") == on("pbx1")
    assert on("pbx1") != on("pbx2")


class Left:
    """Stands for Assisting: what each try to take up meets."""

    def __init__(self, *meets: BillingError | int) -> None:
        self.meets = list(meets)

    async def resume(self) -> int:
        met = self.meets.pop(0)
        if isinstance(met, BillingError):
            raise met
        return met


async def test_what_a_dead_daemon_left_is_taken_up_when_database_and_pbx_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RESUME_PAUSE_SECONDS", 0.01)
    left = Left(LedgerUnavailable("away"), 2)
    migrated, connected = asyncio.Event(), asyncio.Event()
    assisted = Assisted(cast("Any", left), captures())
    with capture_logs() as logs:
        resuming = asyncio.create_task(assisted.resume(migrated, connected))
        migrated.set()
        await asyncio.sleep(0.02)
        assert len(left.meets) == 2
        connected.set()
        await asyncio.wait_for(resuming, 5)
    assert [line["event"] for line in logs] == ["captures_not_resumed", "captures_resumed"]


async def test_stopping_begins_nothing_more_and_leaves_no_task() -> None:
    desk = Assistance()
    work = captures()
    desk.assisting.spawn = work.spawn
    await desk.begun()
    stopping = asyncio.create_task(Assisted(desk.assisting, work).stop(0.01))
    await asyncio.sleep(0.1)
    assert desk.talks.told == ["cancel"]
    desk.talks.is_dead = True
    await asyncio.wait_for(stopping, 10)
    assert desk.talks.given_back
    await asyncio.sleep(0.01)
    assert work._tasks == set()
