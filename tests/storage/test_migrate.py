"""The schema: applied once, in order, by one program at a time."""

import asyncio
from pathlib import Path

import pytest

from ivr.storage.errors import MigrationError, QueryRefused
from ivr.storage.migrate import check, migrate, steps
from ivr.storage.pool import Database


@pytest.fixture
async def empty(database: Database) -> Database:
    async with database.session() as session:
        await session.script("empty", "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return database


def folder_of(tmp_path: Path, *steps: str) -> Path:
    for number, text in enumerate(steps, start=1):
        (tmp_path / f"{number:04d}_step.sql").write_text(text)
    return tmp_path


async def test_two_daemons_that_start_at_once_apply_every_step_once(empty: Database) -> None:
    done = await asyncio.gather(migrate(empty), migrate(empty), migrate(empty))
    assert sorted(map(len, done)) == [0, 0, len(list(steps()))]
    await check(empty)


async def test_a_database_without_schema_is_told_to_migrate(empty: Database) -> None:
    with pytest.raises(MigrationError, match="saldo db migrate"):
        await check(empty)
    with pytest.raises(QueryRefused, match="saldo db migrate"):
        await empty.rows("unpaid_invoices", 1)


async def test_a_changed_applied_file_is_an_error(empty: Database, tmp_path: Path) -> None:
    await migrate(empty, folder_of(tmp_path, "CREATE TABLE one (id int)"))
    changed = folder_of(tmp_path, "CREATE TABLE one (id bigint)")
    with pytest.raises(MigrationError, match=r"0001_step\.sql was changed after it was applied"):
        await migrate(empty, changed)


async def test_a_newer_database_asks_for_the_newer_program(empty: Database, tmp_path: Path) -> None:
    await migrate(empty, folder_of(tmp_path, "SELECT 1", "SELECT 2"))
    (tmp_path / "0002_step.sql").unlink()
    with pytest.raises(MigrationError, match="version 2, this program at 1: install the newer"):
        await migrate(empty, tmp_path)


async def test_a_step_that_fails_leaves_nothing_and_can_be_mended(
    empty: Database, tmp_path: Path
) -> None:
    bad = folder_of(tmp_path, "CREATE TABLE one (id int)", "CREATE TABLE two (id int); SELECT 1/0")
    with pytest.raises(QueryRefused, match=r"0002_step\.sql"):
        await migrate(empty, bad)
    mended = folder_of(tmp_path, "CREATE TABLE one (id int)", "CREATE TABLE two (id int)")
    assert await migrate(empty, mended) == ["0002 step"]


async def test_a_gap_in_the_numbers_is_an_error(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "0002_step.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match=r"0002_step\.sql is not number 0001"):
        await migrate(empty, tmp_path)
