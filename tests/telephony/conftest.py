from collections.abc import AsyncIterator

import pytest

from ivr.telephony.ari import Ari
from tests.fakes.asterisk import PASSWORD, USER, FakeAsterisk


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk() as pbx:
        yield pbx


@pytest.fixture
async def ari(pbx: FakeAsterisk) -> AsyncIterator[Ari]:
    async with Ari(pbx.url, USER, PASSWORD, answer_seconds=1.0) as ari:
        yield ari
