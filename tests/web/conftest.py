"""A company with its pay page, and somebody who has loaded it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.web.pay_house import PayHouse, open_house
from tests.web.pay_script import AMOUNT, Script


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[PayHouse]:
    async with open_house(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=20) as asking:
        yield asking


@pytest.fixture
async def script(http: httpx.AsyncClient, house: PayHouse) -> Script:
    loaded = Script(http, house, await house.link(AMOUNT))
    await loaded.load()
    return loaded
