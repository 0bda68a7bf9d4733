"""The heartbeat: heard as long as the daemon runs, whatever the database does meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from ivr import beating as module
from ivr.beating import beating
from ivr.billing.errors import LedgerUnavailable
from ivr.storage.daemons import PostgresDaemons
from ivr.storage.errors import QueryRefused
from ivr.storage.pool import Database


class Heard:
    """What others hear; each call may meet a trouble first."""

    def __init__(self, *troubles: Exception | None) -> None:
        self.troubles = list(troubles)
        self.heard: list[str] = []

    async def begin(self) -> None:
        self._hear("begin")

    async def beat(self) -> None:
        self._hear("beat")

    async def end(self) -> None:
        self._hear("end")

    def _hear(self, what: str) -> None:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble:
            raise trouble
        self.heard.append(what)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.01)


async def beats(heard: Any, seconds: float = 0.1) -> None:
    async with beating(cast("PostgresDaemons", heard)):
        await asyncio.sleep(seconds)


async def test_a_daemon_is_heard_of_until_it_ends() -> None:
    heard = Heard()
    await beats(heard)
    assert heard.heard[0] == "begin"
    assert heard.heard[-1] == "end"
    assert heard.heard.count("beat") >= 3
    assert heard.heard.count("begin") == 1


async def test_a_database_that_is_away_or_not_migrated_is_waited_for_and_said_once() -> None:
    heard = Heard(QueryRefused("no such table"), None, *[LedgerUnavailable("away")] * 3)
    with capture_logs() as logs:
        await beats(heard)
    assert heard.heard[:2] == ["begin", "beat"]
    assert [line["event"] for line in logs] == ["heartbeat_missed"]


async def test_no_trouble_stops_a_heart() -> None:
    heard = Heard(None, KeyError("unforeseen"), None)
    with capture_logs() as logs:
        await beats(heard)
    assert heard.heard.count("beat") >= 3
    assert [line["why"] for line in logs] == ["'unforeseen'"]


async def test_an_end_that_cannot_be_written_delays_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stuck(Heard):
        async def end(self) -> None:
            await asyncio.sleep(3600)

    monkeypatch.setattr(module, "LIMIT_SECONDS", 0.05)
    async with asyncio.timeout(2):
        await beats(Stuck())


async def is_gone(database: Database, daemon: object) -> bool:
    async with database.session() as session:
        found = await session.raw.fetchval("SELECT true FROM daemons_gone WHERE id = $1", daemon)
    return bool(found)


async def test_a_daemon_that_starts_again_in_the_same_place_ends_the_one_before(
    database: Database,
) -> None:
    node = uuid4().hex
    first, second = uuid4(), uuid4()
    one = PostgresDaemons(database, first, node=node, app="saldo")
    await one.begin()
    assert not await is_gone(database, first)
    await PostgresDaemons(database, second, node=node, app="saldo").begin()
    assert await is_gone(database, first)
    assert not await is_gone(database, second)
    await one.beat()  # it was only taken for dead
    assert not await is_gone(database, first)


async def test_another_place_ends_nobody(database: Database) -> None:
    first, second = uuid4(), uuid4()
    await PostgresDaemons(database, first, node="a" + first.hex, app="saldo").begin()
    await PostgresDaemons(database, second, node="b" + second.hex, app="saldo").begin()
    assert not await is_gone(database, first)


async def test_a_daemon_that_was_not_heard_of_for_15_seconds_is_gone(database: Database) -> None:
    daemon = uuid4()
    daemons = PostgresDaemons(database, daemon, node=daemon.hex, app="saldo")
    await daemons.begin()
    silent = "UPDATE daemons SET beat_at = now() - make_interval(secs => $2) WHERE id = $1"
    async with database.session() as session:
        await session.raw.execute(silent, daemon, 14.0)
    assert not await is_gone(database, daemon)
    async with database.session() as session:
        await session.raw.execute(silent, daemon, 16.0)
    assert await is_gone(database, daemon)
    await daemons.beat()
    assert not await is_gone(database, daemon)


async def test_a_daemon_is_heard_of_in_a_database_that_was_restored_meanwhile(
    database: Database,
) -> None:
    daemon = uuid4()
    daemons = PostgresDaemons(database, daemon, node="restored", app="saldo")
    await daemons.begin()
    async with database.session() as session:
        await session.raw.execute("DELETE FROM daemons WHERE id = $1", daemon)
        await daemons.beat()
        found = await session.raw.fetchval("SELECT node FROM daemons WHERE id = $1", daemon)
    assert found == "restored"
    assert not await is_gone(database, daemon)
