"""The secure process, or all of Saldo, killed while a card is keyed."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.callers import (
    House,
    calling,
    enters_the_secure_part,
    hears,
    identifies,
    is_ready,
    no_channel_is_left,
    outcomes,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_the_secure_process_killed_during_the_card_is_no_dead_end(house: House) -> None:
    async with calling(house.lab) as phone:
        await identifies(phone, "1047", "28001")
        await enters_the_secure_part(phone)
        await phone.press("41111111")
        await asyncio.to_thread(house.kill, "capture")
        await hears(phone, "card_not_available", within=60)
        await hears(phone, "lab_agent", within=30)
    await no_channel_is_left(house)
    await is_ready(house)  # a new secure process is there
    assert await outcomes(house, "1047") == ["agent"]


async def test_a_daemon_killed_during_the_card_gives_the_caller_to_a_person(house: House) -> None:
    async with calling(house.lab) as phone:
        await identifies(phone, "1048", "28002")
        await enters_the_secure_part(phone)
        await phone.press("41111111")
        await asyncio.to_thread(house.kill, "serve")
        await asyncio.to_thread(house.mend)
        await hears(phone, "lab_agent", within=75)
        await phone.hang_up()
    await no_channel_is_left(house)
