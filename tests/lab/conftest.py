"""What the lab's tests share: the unpacked programs and lab folders that clean up behind them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivr.lab import database, pbx
from ivr.lab.packages import Tree, ensure_tree
from ivr.lab.phrasebook import Phrasebook
from ivr.lab.progress import TerminalProgress
from ivr.settings import PROJECT
from ivr.speech.catalogue import Catalogue


@pytest.fixture(scope="session")
def tree() -> Tree:
    with TerminalProgress() as progress:
        return ensure_tree(progress)


@pytest.fixture
def lab() -> Iterator[Path]:
    """A lab folder of its own, whose servers are stopped and whose data is removed at the end."""
    with _lab_folder() as folder:
        yield folder


@pytest.fixture
def other_lab() -> Iterator[Path]:
    """A second one, side by side."""
    with _lab_folder() as folder:
        yield folder


@contextmanager
def _lab_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="saldo-test-"))
    try:
        yield folder
    finally:
        pbx.stop(folder)
        database.remove(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.load(PROJECT / "audio-prompts")


@pytest.fixture(scope="session")
def sounds(built_sounds: Path) -> Path:
    """To be read only."""
    return built_sounds


@pytest.fixture(scope="session")
def phrasebook(catalogue: Catalogue, sounds: Path) -> Phrasebook:
    """The phrases by their sounds."""
    return Phrasebook.load(catalogue, sounds)
