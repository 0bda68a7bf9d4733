"""What every area's tests share: logs as they were, a PostgreSQL, a database for each module."""

import asyncio
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
import structlog

from ivr.lab import database as lab_database
from ivr.lab.database import DatabaseInfo
from ivr.lab.gateway import StandIn
from ivr.lab.packages import Tree, ensure_tree
from ivr.lab.progress import TerminalProgress
from ivr.log import QUIET, SILENT
from ivr.settings import PROJECT
from ivr.speech import prompts
from ivr.speech.catalogue import Catalogue
from ivr.speech.tts import Tts
from ivr.storage.migrate import migrate
from ivr.storage.pool import Database


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """After each test: what `log.configure` changes is shared by all tests of a process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    others = [logging.getLogger(name) for name in (*QUIET, *SILENT)]
    states = [(other.level, other.disabled) for other in others]
    yield
    root.handlers = handlers
    root.setLevel(level)
    for other, (level_before, disabled) in zip(others, states, strict=True):
        other.setLevel(level_before)
        other.disabled = disabled
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def tree() -> Tree:
    """The lab's programs, fetched and unpacked if they are not there yet."""
    with TerminalProgress() as progress:
        return ensure_tree(progress)


@pytest.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[StandIn]:
    """A gateway of its own; its clock is the real one."""
    gateway = StandIn(tmp_path / "gateway.jsonl")
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture(scope="module")
def machine_to_itself(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the modules that use this, one runs at a time: they decode much speech, in time."""
    with _alone(tmp_path_factory, "machine"):
        yield


@pytest.fixture(scope="module")
def lines_to_itself(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the modules that use this, one runs at a time: many calls by keys at once, all timed."""
    with _alone(tmp_path_factory, "lines"):
        yield


@contextmanager
def _alone(folders: pytest.TempPathFactory, what: str) -> Iterator[None]:
    shared = folders.getbasetemp().parent  # by all workers of a run
    with (shared / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # pytest-timeout ends what waits too long
        yield


@pytest.fixture(scope="session")
def built_sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every prompt, as `saldo prompts build` makes it: once for all workers of a run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "sounds"
    asyncio.run(_build(folder))  # the first makes them, the others wait and find them
    return folder


async def _build(sounds: Path) -> None:
    texts, tts = PROJECT / "audio-prompts", Tts()
    try:
        await prompts.build(Catalogue.load(texts), texts, sounds, tts)
    finally:
        await tts.aclose()


@pytest.fixture(scope="session")
def postgres(tree: Tree) -> Iterator[DatabaseInfo]:
    """A server for the whole run; its database `saldo` has our schema and is copied for tests."""
    folder = Path(tempfile.mkdtemp(prefix="saldo-test-"))
    try:
        server = lab_database.start(folder, tree)
        asyncio.run(_with(server.url, migrate))
        yield server
    finally:
        lab_database.remove(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def database_url(postgres: DatabaseInfo) -> Iterator[str]:
    """A database of the module's own: our schema, no rows. Roles: saldo, and saldo_capture."""
    name = f"test_{uuid4().hex[:12]}"
    asyncio.run(_administer(postgres, f"CREATE DATABASE {name} OWNER saldo TEMPLATE saldo"))
    yield _renamed(postgres.url, name)
    asyncio.run(_administer(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool for this test's event loop."""
    opened = await Database.open(database_url, application="saldo-test")
    yield opened
    await opened.close()


def _renamed(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _administer(server: DatabaseInfo, statement: str) -> None:
    connection = await asyncpg.connect(server.admin_url, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close(timeout=5)


async def _with(url: str, work: Callable[[Database], Awaitable[object]]) -> None:
    opened = await Database.open(url)
    try:
        await work(opened)
    finally:
        await opened.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole calls first: they mostly wait, and the rest fills the gaps.

    Modules that want the machine or the lines to themselves take turns with others, or workers
    would wait.
    """
    items.sort(key=_whole_calls_first)


TURNS = (
    "e2e/test_spoken",
    "e2e/test_scenarios",
    "e2e/",
    "speech/test_answers_and_other_sounds",
    "e2e/test_entry_ways",
    "e2e/test_recordings",
    "e2e/test_card_by_voice",
    "",
)


def _whole_calls_first(item: pytest.Item) -> int:
    longest = max((turn for turn in TURNS if turn in item.nodeid), key=len)
    return TURNS.index(longest)
