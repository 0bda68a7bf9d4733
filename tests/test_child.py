"""The secure process as a child: started again, and never the end of its parent."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr import child as module
from ivr.child import Child

SECONDS = 5.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.01)


def a_child(monkeypatch: pytest.MonkeyPatch, program: Path) -> Child:
    monkeypatch.setattr("sys.executable", str(program))
    return Child("capture", None)


def program(folder: Path, text: str) -> Path:
    """A program that stands for Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


async def until_logged(logs: Sequence[object], times: int) -> None:
    async with asyncio.timeout(SECONDS):
        while len(logs) < times:  # noqa: ASYNC110 - the list of logs tells nobody
            await asyncio.sleep(0.01)


async def test_a_child_that_cannot_be_started_is_tried_again_and_does_not_end_its_parent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = a_child(monkeypatch, tmp_path / "nothing here")
    with capture_logs() as logs:
        running = asyncio.create_task(child.run())
        await until_logged(logs, 2)
        assert not child.is_alive()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {line["status"] for line in logs} == {"No such file or directory"}


async def test_a_child_that_ends_is_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = a_child(monkeypatch, program(tmp_path, "exit 3"))
    with capture_logs() as logs:
        running = asyncio.create_task(child.run())
        await until_logged(logs, 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {line["status"] for line in logs} == {3}


async def test_a_child_is_alive_while_it_runs_and_ends_with_its_owner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = a_child(monkeypatch, program(tmp_path, f"touch {tmp_path}/up; exec sleep 60"))
    running = asyncio.create_task(child.run())
    async with asyncio.timeout(SECONDS):
        while not (tmp_path / "up").exists():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.01)
    assert child.is_alive()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not child.is_alive()


async def test_ctrl_c_in_the_terminal_reaches_the_parent_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = a_child(monkeypatch, program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60"))
    running = asyncio.create_task(child.run())
    async with asyncio.timeout(SECONDS):
        while not (written := tmp_path / "pid").exists() or not written.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert os.getpgid(int(written.read_text())) != os.getpgid(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
