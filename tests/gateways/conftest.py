from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.gateways.braintree import Braintree
from ivr.lab.gateway import StandIn
from tests.gateways.clients import to_stand_in


@pytest.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[StandIn]:
    gateway = StandIn(tmp_path / "gateway.jsonl")
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
async def gateway(stand_in: StandIn) -> AsyncIterator[Braintree]:
    client = to_stand_in(stand_in)
    yield client
    await client.aclose()
