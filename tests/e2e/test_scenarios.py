"""Every simulated call of tests/scenarios, on real telephones, many at the same time."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from ivr.lab import database
from ivr.lab.lab import Lab
from ivr.lab.packages import ensure_tree
from ivr.lab.progress import SilentProgress
from ivr.lab.scenario import play
from ivr.lab.scenario_file import load
from ivr.lab.scenario_report import Report
from ivr.settings import PROJECT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

FILES = sorted((PROJECT / "tests/scenarios").glob("*.yaml"))
APART_SECONDS = 0.7
AT_ONCE = 10
"""telephones of one test process; with more, it is the telephones that come too late"""
CARDS = ("4111" + "1" * 12, "4000" + "1" * 11 + "5", "5555" * 3 + "4444")


@pytest.fixture(scope="module")
def reports(lab: Lab) -> dict[str, Report]:
    return asyncio.run(_play_all(lab))


async def _play_all(lab: Lab) -> dict[str, Report]:
    lines = asyncio.Semaphore(AT_ONCE)

    async def one(place: int, file: Path) -> tuple[str, Report]:
        await asyncio.sleep(place * APART_SECONDS)
        async with lines:
            return file.stem, await play(load(file), lab)

    return dict(await asyncio.gather(*(one(*each) for each in enumerate(FILES))))


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_the_call_goes_as_written(reports: dict[str, Report], name: str) -> None:
    report = reports[name]
    wrong = [f"{step.what}: {step.why or 'not reached'}" for step in report.steps if not step.ok]
    assert not wrong, f"{wrong}; heard {[phrase for _, phrase, _ in report.heard]}"
    assert report.dead_air == []


def test_no_card_number_is_left_anywhere(reports: dict[str, Report], lab: Lab) -> None:
    """Every file of the lab, and a dump of its database, after cards were keyed in many calls."""
    assert any(report.passed for report in reports.values())
    folder = Path(lab.config).parent
    tree = ensure_tree(SilentProgress())
    dump = folder / "dump.sql"
    with dump.open("wb") as file:
        subprocess.run([tree.program("pg_dump"), lab.postgres], stdout=file, check=True)
    data = database.running(folder)
    assert data
    found = [
        path
        for root in (folder, data.data)
        for path in root.rglob("*")
        if path.is_file() and any(card.encode() in path.read_bytes() for card in CARDS)
    ]
    assert found == []
    assert b"captured" in dump.read_bytes()
