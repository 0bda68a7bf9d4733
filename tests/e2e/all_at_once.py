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
from ivr.storage.calls import PostgresCalls
from ivr.storage.pool import Database

APART_SECONDS = 0.7
LONGEST_SILENCE_SECONDS = 5.0
"""that a machine busy with the other tests may leave in a call, which shows only that nobody was
forgotten; how short silences are to be is measured on a quiet one (`make bench`)"""
DEAF = " deaf"
"""how a step of a trail ends that says so"""
CARDS = ("4111" + "1" * 12, "4000" + "1" * 11 + "5", "5555" * 3 + "4444")


async def play_all(lab: Lab, files: Sequence[Path], at_once: int) -> dict[str, Report]:
    """How each call went, by its file's name; those with the most steps begin first.

    A call that fails because its ears were deaf is made once more, and never for another reason: a
    machine that is too busy to listen asks for keys, as it should, and nobody here presses them.
    """
    scenarios = {file.stem: load(file) for file in files}
    longest_first = sorted(scenarios, key=lambda name: -len(scenarios[name].steps))
    words = [each for scenario in scenarios.values() for each in utterances(scenario)]
    said = await synthesise(words)  # before the calls, which it would slow down
    lines = asyncio.Semaphore(at_once)

    async def one(place: int, name: str) -> tuple[str, Report]:
        await asyncio.sleep(place * APART_SECONDS)
        async with lines:
            report = await play(scenarios[name], lab, said=said)
            if report.passed:
                return name, report
            trail = await trail_of(lab, report)
            if not any(step.endswith(DEAF) for step in trail):
                return name, report
            again = await play(scenarios[name], lab, said=said)
            again.name += f" (once more: the first caller met deaf ears: {'; '.join(trail)})"
            return name, again

    return dict(await asyncio.gather(*(one(*each) for each in enumerate(longest_first))))


async def trail_of(lab: Lab, report: Report) -> list[str]:
    """What the daemon noted of the call; nothing when it never arrived there."""
    if report.sip_call_id is None:
        return []
    books = await Database.open(lab.postgres, size=1, application="saldo-test")
    try:
        found = await PostgresCalls(books).recent(sip_call_id=report.sip_call_id)
    finally:
        await books.close()
    return [step for call in found.items if call.ended for step in call.ended.trail]


def goes_as_written(report: Report) -> None:
    """Fail unless every step and expectation was met, and nobody was left in silence."""
    wrong = [f"{step.what}: {step.why or 'not reached'}" for step in report.steps if not step.ok]
    assert not wrong, f"{report.name}: {wrong}; heard {[phrase for _, phrase, _ in report.heard]}"
    silences = [one for one in report.dead_air if one[1] > LONGEST_SILENCE_SECONDS]
    assert silences == [], report.name


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
