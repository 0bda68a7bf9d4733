"""A PostgreSQL of the lab's own: private, crash safe, never half made."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ivr.lab import database, processes
from ivr.lab.database import DatabaseInfo
from ivr.lab.packages import Tree

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def info(tree: Tree) -> Iterator[DatabaseInfo]:
    """One server for the tests that only ask."""
    folder = Path(tempfile.mkdtemp(prefix="saldo-test-"))
    yield database.start(folder, tree)
    database.remove(folder)
    shutil.rmtree(folder)


async def _ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close(timeout=5)


async def test_it_comes_with_its_roles_and_extensions(info: DatabaseInfo) -> None:
    assert await _ask(info.url, "SELECT current_user || ' ' || current_database()") == "saldo saldo"
    assert await _ask(info.capture_url, "SELECT current_user") == "saldo_capture"
    names = "SELECT array_agg(extname::text ORDER BY extname) FROM pg_extension"
    there = await _ask(info.url, names)
    assert isinstance(there, list)
    assert {"fuzzystrmatch", "pg_trgm", "unaccent"} <= set(there)


async def test_names_with_accents_are_letters_to_it(info: DatabaseInfo) -> None:
    assert await _ask(info.url, "SELECT upper('ñandú')") == "ÑANDÚ"
    assert await _ask(info.url, "SELECT similarity('Peña', 'Peña Muñoz') > 0.4") is True
    assert await _ask(info.url, "SELECT array_length(show_trgm('ñññ'), 1)") == 4


async def test_nobody_reaches_it_over_the_network_or_into_its_folder(info: DatabaseInfo) -> None:
    assert await _ask(info.url, "SHOW listen_addresses") == ""
    assert info.socket.stat().st_mode & 0o077 == 0
    assert info.data.stat().st_mode & 0o077 == 0


async def test_what_a_caller_keys_does_not_reach_its_log(info: DatabaseInfo) -> None:
    connection = await asyncpg.connect(info.url, timeout=10)
    with pytest.raises(asyncpg.PostgresError):
        await connection.fetchval("SELECT 1 / ($1::text::int)", "keyed-by-caller")
    with pytest.raises(asyncpg.PostgresError):
        await connection.fetchval("SELECT 'written-in-sql'::int")
    await connection.close(timeout=5)
    log = info.log.read_text()
    assert "keyed-by-caller" not in log
    assert "written-in-sql" not in log
    assert "ready to accept connections" in log


async def test_starting_twice_gives_the_same_server(tree: Tree, lab: Path) -> None:
    info = database.start(lab, tree)
    assert database.start(lab, tree) == info
    (lab / "database.json").unlink()  # the first start was interrupted before it noted it down
    assert database.start(lab, tree).process == info.process


async def test_data_outlives_a_kill_of_the_server(tree: Tree, lab: Path) -> None:
    info = database.start(lab, tree)
    await _ask(info.url, "CREATE TABLE kept AS SELECT 42 AS n")
    processes.stop(info.process, sign=signal.SIGKILL)
    again = database.start(lab, tree)
    assert again.process != info.process
    assert await _ask(again.url, "SELECT n FROM kept") == 42


async def test_a_lock_that_names_a_reused_number_is_no_obstacle(tree: Tree, lab: Path) -> None:
    info = database.start(lab, tree)
    lock = info.data / "postmaster.pid"
    left = lock.read_text()
    assert database.stop(lab)
    stranger = processes.start(["sleep", "60"], log=lab / "log", folder=lab)
    lock.write_text(left.replace(str(info.process.pid), str(stranger.pid), 1))
    try:
        assert await _ask(database.start(lab, tree).url, "SELECT 1") == 1
        assert stranger.alive
    finally:
        processes.stop(stranger)


async def test_a_half_made_data_folder_is_made_again(tree: Tree, lab: Path) -> None:
    info = database.start(lab, tree)
    database.stop(lab)
    info.data.rename(info.data.with_name("data.new"))
    (info.data.with_name("data.new") / "PG_VERSION").unlink()
    assert await _ask(database.start(lab, tree).url, "SELECT 1") == 1


async def test_stopping_ends_it_even_with_clients(tree: Tree, lab: Path) -> None:
    info = database.start(lab, tree)
    client = await asyncpg.connect(info.url, timeout=10)
    assert database.stop(lab)
    assert database.running(lab) is None
    assert not database.stop(lab)
    client.terminate()


async def test_two_labs_have_a_database_each(tree: Tree, lab: Path, other_lab: Path) -> None:
    one, two = database.start(lab, tree), database.start(other_lab, tree)
    await _ask(one.url, "CREATE TABLE mine (n int)")
    assert await _ask(two.url, "SELECT to_regclass('mine')::text") is None


async def test_a_long_folder_name_is_no_obstacle(tree: Tree, lab: Path) -> None:
    deep = lab / ("a" * 60) / ("b" * 60)
    try:
        info = database.start(deep, tree)
        assert await _ask(info.url, "SELECT 1") == 1
    finally:
        database.remove(deep)
    assert not info.socket.exists()
