"""Postgres killed under a call."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.callers import (
    House,
    calling,
    hears,
    identifies,
    is_ready,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_the_database_away_is_an_apology_and_a_person_and_comes_back(house: House) -> None:
    async with calling(house.lab) as phone:
        await hears(phone, "welcome")
        await asyncio.to_thread(house.kill, "postgres")
        await phone.press("1047#28001")
        await hears(phone, "technical_problem", within=40)
        await hears(phone, "lab_agent", within=30)
    await asyncio.to_thread(house.restart_database)
    await is_ready(house)
    async with calling(house.lab) as phone:
        await identifies(phone, "1047", "28001")
