"""Tidying in `saldo serve`: what is kept how long, when, and what is said of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from structlog.testing import capture_logs

from ivr import tidying
from ivr.sections import Tidying
from ivr.storage.pool import Database
from ivr.storage.tidying import KINDS, PostgresTidying

NOBODY = "postgresql://nobody@127.0.0.1:1/none"
NOW = datetime(2026, 11, 23, 4, 5, tzinfo=UTC)


def test_every_kind_has_an_age_unless_it_is_kept_for_ever() -> None:
    assert set(tidying.days_of(Tidying())) == set(KINDS)
    kept = tidying.days_of(Tidying(messages_days=0, calls_days=0))
    assert set(KINDS) - set(kept) == {"deliveries", "events", "notifications", "calls"}


async def test_what_was_deleted_is_told_once_a_day(database: Database) -> None:
    await put_a_try(database)
    with capture_logs() as logs:
        for _ in range(2):
            await tidying.once(PostgresTidying(database), Tidying(), NOW)
    assert [(each["event"], each.get("tries")) for each in logs] == [("tidied", 1)]


async def put_a_try(database: Database) -> None:
    async with database.session() as session:
        await session.raw.execute(
            """INSERT INTO identification_tries (subject, hour, tries)
               VALUES ('everybody', now() - interval '3 days', 1)"""
        )


async def test_a_database_that_is_away_is_told_and_nothing_else_happens() -> None:
    database = await Database.open(NOBODY)
    with capture_logs() as logs:
        await tidying.once(PostgresTidying(database), Tidying(), NOW)
    assert [each["event"] for each in logs] == ["not_tidied"]
    await database.close()


async def test_who_wants_nothing_deleted_has_nothing_deleted(database: Database) -> None:
    migrated = asyncio.Event()
    migrated.set()
    async with asyncio.timeout(1):
        await tidying.tidy(Tidying(at=-1), database, migrated)
