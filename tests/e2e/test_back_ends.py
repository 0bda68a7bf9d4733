"""Asterisk or Postgres killed under a call."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.callers import House, calling, hears, identifies, is_ready, keys_a_card, rows

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_asterisk_gone_for_a_while_is_found_again_by_itself(house: House) -> None:
    async with calling(house.lab) as phone:
        await hears(phone, "welcome")
        await asyncio.to_thread(house.kill, "asterisk")
        await asyncio.sleep(3)
        await asyncio.to_thread(house.restart_pbx)
    await is_ready(house)
    async with calling(house.lab) as phone:
        await identifies(phone, "1047", "28001")
        await keys_a_card(phone)
        await phone.press("1")
        await hears(phone, "paid")
    ended = await rows(house.lab, "select outcome from calls order by arrived_at")
    assert [row["outcome"] for row in ended] == ["hung-up", "paid"]


async def test_the_database_away_is_an_apology_and_a_person_and_comes_back(house: House) -> None:
    async with calling(house.lab) as phone:
        await hears(phone, "welcome")
        await asyncio.to_thread(house.kill, "postgres")
        await phone.press("1048#28002")
        await hears(phone, "technical_problem", within=40)
        await hears(phone, "lab_agent", within=30)
    await asyncio.to_thread(house.restart_database)
    await is_ready(house)
    async with calling(house.lab) as phone:
        await identifies(phone, "1048", "28002")
