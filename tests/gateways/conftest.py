from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ivr.gateways.braintree import Braintree
from ivr.lab.gateway import StandIn
from tests.gateways.clients import to_stand_in


@pytest.fixture
async def gateway(stand_in: StandIn) -> AsyncIterator[Braintree]:
    client = to_stand_in(stand_in)
    yield client
    await client.aclose()
