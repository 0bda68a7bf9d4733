"""The daemon killed, started again, or asked to stop while callers talk."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from ivr.lab.processes import ProcessId
from tests.e2e.callers import (
    House,
    calling,
    hears,
    identifies,
    keys_a_card,
    no_channel_is_left,
    outcomes,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_a_daemon_killed_and_started_again_leaves_no_stuck_channel(house: House) -> None:
    async with calling(house.lab) as phone:
        await identifies(phone, "1047", "28001")
        await asyncio.to_thread(house.kill, "serve")
        capture = ProcessId.of(house.lab.pids["capture"])
        await asyncio.to_thread(house.mend)
        assert capture is None or not capture.alive, "the secure process outlived its parent"
        await hears(phone, "lab_agent", within=75)  # what was playing goes on to its end
        await phone.hang_up()
    await no_channel_is_left(house)


async def test_sigterm_takes_no_new_call_and_lets_the_running_one_end(house: House) -> None:
    serve = ProcessId.of(house.lab.pids["serve"])
    assert serve
    async with calling(house.lab) as phone:
        await identifies(phone, "1052", "28006")
        os.kill(serve.pid, signal.SIGTERM)
        async with calling(house.lab, "+447700900197") as late:
            await hears(late, "lab_agent", within=30)
        await keys_a_card(phone)
        await phone.press("1")
        await hears(phone, "paid")
        assert serve.alive
        await phone.hang_up()

    async def stopped() -> bool:
        return not serve.alive

    await until(stopped)
    assert await outcomes(house, "1052") == ["paid"]
