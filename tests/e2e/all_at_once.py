"""Many simulated calls of one lab, a few at a time, and what each of them must leave behind."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ivr.lab import database
from ivr.lab.lab import Lab
from ivr.lab.packages import ensure_tree
from ivr.lab.progress import SilentProgress
from ivr.lab.scenario import play, utterances
from ivr.lab.scenario_file import load
from ivr.lab.scenario_report import Report
from ivr.lab.speaking import synthesise

APART_SECONDS = 0.7
CARDS = ("4111" + "1" * 12, "4000" + "1" * 11 + "5", "5555" * 3 + "4444")


async def play_all(lab: Lab, files: Sequence[Path], at_once: int) -> dict[str, Report]:
    """How each call went, by its file's name; those with the most steps begin first."""
    scenarios = {file.stem: load(file) for file in files}
    longest_first = sorted(scenarios, key=lambda name: -len(scenarios[name].steps))
    words = [each for scenario in scenarios.values() for each in utterances(scenario)]
    said = await synthesise(words)  # before the calls, which it would slow down
    lines = asyncio.Semaphore(at_once)

    async def one(place: int, name: str) -> tuple[str, Report]:
        await asyncio.sleep(place * APART_SECONDS)
        async with lines:
            return name, await play(scenarios[name], lab, said=said)

    return dict(await asyncio.gather(*(one(*each) for each in enumerate(longest_first))))


def goes_as_written(report: Report) -> None:
    """Fail unless every step and expectation was met, without dead air."""
    wrong = [f"{step.what}: {step.why or 'not reached'}" for step in report.steps if not step.ok]
    assert not wrong, f"{wrong}; heard {[phrase for _, phrase, _ in report.heard]}"
    assert report.dead_air == []


def no_card_number_is_left(lab: Lab) -> None:
    """Fail when one is in any file of the lab or in a dump of its database, captures included."""
    folder = Path(lab.config).parent
    dump = folder / "dump.sql"
    with dump.open("wb") as file:
        program = ensure_tree(SilentProgress()).program("pg_dump")
        subprocess.run([program, lab.postgres], stdout=file, check=True)
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
