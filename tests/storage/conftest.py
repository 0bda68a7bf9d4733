"""One world after the other: every case that asks for `world` runs in memory and in Postgres."""

from collections.abc import AsyncIterator

import pytest

from ivr.storage.pool import Database
from tests.storage.trying import Trying
from tests.storage.world import FakeWorld, PostgresWorld, World


@pytest.fixture(params=["fake", "postgres"])
def place(request: pytest.FixtureRequest) -> str:
    """The address of the database, empty for the world in memory."""
    return str(request.getfixturevalue("database_url")) if request.param == "postgres" else ""


@pytest.fixture
async def world(place: str) -> AsyncIterator[World]:
    if not place:
        yield FakeWorld()
        return
    database = await Database.open(place, application="saldo-test")
    yield PostgresWorld(database)
    await database.close()


@pytest.fixture
def real(database: Database) -> PostgresWorld:
    """The world in Postgres only."""
    return PostgresWorld(database)


@pytest.fixture
async def trying(world: World) -> Trying:
    """Callers with cards, in either world."""
    if isinstance(world, PostgresWorld):  # the breaker is everybody's
        await world.ask("UPDATE attempts SET tried_at = tried_at - interval '2 days'")
        await world.ask("UPDATE card_breaker SET opened_at = NULL, closed_at = NULL")
    return Trying.at(world)
