"""A whole telephone company for the tests, the daemon and the secure process included."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivr.lab import database
from ivr.lab import lab as laboratory
from ivr.lab.lab import Lab
from ivr.lab.progress import TerminalProgress
from ivr.settings import load
from tests.e2e.callers import House


@contextmanager
def a_lab() -> Iterator[tuple[Path, Lab]]:
    folder = Path(tempfile.mkdtemp(prefix="saldo-e2e-"))
    try:
        with TerminalProgress() as progress:
            yield folder, laboratory.up(folder, load(), progress)
    finally:
        laboratory.down(folder)
        database.remove(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One for all calls that leave it standing."""
    with a_lab() as (_, running):
        yield running


@pytest.fixture
def house() -> Iterator[House]:
    """One of its own, for tests that break something."""
    with a_lab() as (folder, running):
        yield House(folder, running)
