"""Places the planned calls, breaks what an ending asks for, and tells how each call went."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from ivr.lab.errors import LabError
from ivr.lab.leaktest.calls import Planned
from ivr.lab.leaktest.endings import BROKEN, FAULTS, Ending
from ivr.lab.leaktest.house import House
from ivr.lab.scenario import play, utterances
from ivr.lab.scenario_file import Presses
from ivr.lab.scenario_report import StepReport
from ivr.lab.speaking import Speech, Utterance, synthesise

APART_SECONDS = 0.6
BROKEN_AT_ONCE = 6
HALF_SECONDS = 45.0
"""how long the callers of a group have to key half of a number"""
DOWN_SECONDS = 4.0
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Played:
    """One call that was placed."""

    call: Planned
    as_planned: bool
    why: str = ""
    """what went otherwise"""


Told = Callable[[Played], None]


async def play_all(
    house: House, calls: Sequence[Planned], at_once: int, told: Told
) -> list[Played]:
    """Every call once: the caller's own endings side by side, the others in groups of their own."""
    words = [each for call in calls for each in utterances(call.scenario)]
    said = await synthesise(words)
    groups: dict[Ending | None, list[Planned]] = {}
    for call in calls:
        special = call.ending in FAULTS or call.ending in BROKEN
        groups.setdefault(call.ending if special else None, []).append(call)
    played: list[Played] = []
    for ending, group in groups.items():
        if ending in FAULTS:
            async with _misbehaving(house, FAULTS[ending]):
                played += await _side_by_side(house, group, at_once, said, told)
        elif ending in BROKEN:
            size = min(at_once, BROKEN_AT_ONCE)
            for first in range(0, len(group), size):
                few = group[first : first + size]
                played += await _broken(house, BROKEN[ending], few, told)
        else:
            played += await _side_by_side(house, group, at_once, said, told)
    return played


async def _side_by_side(
    house: House,
    calls: Sequence[Planned],
    at_once: int,
    said: Mapping[Utterance, Speech],
    told: Told,
) -> list[Played]:
    lines = asyncio.Semaphore(at_once)

    async def one(place: int, call: Planned) -> Played:
        await asyncio.sleep(min(place, at_once) * APART_SECONDS)
        async with lines:
            return await _one(house, call, told, said=said)

    return await asyncio.gather(*(one(*each) for each in enumerate(calls)))


async def _broken(house: House, part: str, calls: Sequence[Planned], told: Told) -> list[Played]:
    """All of them key half of a number; then the part is killed."""
    waiting = asyncio.Semaphore(0)

    def watch(step: StepReport) -> None:
        if step.what.startswith("waits 3") and step.ok is None:
            waiting.release()

    async def kill() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HALF_SECONDS):
                for _ in calls:
                    await waiting.acquire()
        await asyncio.to_thread(house.kill, part)
        if part == "postgres":
            await asyncio.sleep(DOWN_SECONDS)
            await asyncio.to_thread(house.mend_database)

    killing = asyncio.create_task(kill())
    played = await asyncio.gather(*(_one(house, call, told, watch=watch) for call in calls))
    await killing
    await is_ready(house)
    return list(played)


async def _one(
    house: House,
    call: Planned,
    told: Told,
    *,
    said: Mapping[Utterance, Speech] | None = None,
    watch: Callable[[StepReport], None] | None = None,
) -> Played:
    try:
        report = await play(call.scenario, house.lab, watch=watch, said=said or {})
    except LabError as error:
        played = Played(call, as_planned=False, why=str(error))
    else:
        wrong = [
            f"{step.what}: {step.why or 'not reached'}" for step in report.steps if not step.ok
        ]
        if call.ending in BROKEN:  # what the caller hears then is not certain; that they keyed is
            wrong = wrong if not _keyed_half(call, report.steps) else []
        played = Played(call, as_planned=not wrong, why="; ".join(wrong))
    told(played)
    return played


def _keyed_half(call: Planned, steps: Sequence[StepReport]) -> bool:
    """Whether the first keys of the card or account were pressed."""
    presses = [place for place, step in enumerate(call.scenario.steps) if isinstance(step, Presses)]
    return len(presses) > 1 and bool(steps[1 + presses[1]].ok)


@asynccontextmanager
async def _misbehaving(house: House, how: Mapping[str, object]) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(house.lab.gateway) as session:
        async with session.post("/misbehave", json=how) as answer:
            answer.raise_for_status()
        try:
            yield
        finally:
            async with session.delete("/misbehave"):
                pass


async def is_ready(house: House) -> None:
    """Return when every back end answers. Raises LabError."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS), aiohttp.ClientSession(house.lab.api) as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get("/readyz") as answer:
                        if answer.ok:
                            return
                await asyncio.sleep(0.2)
    raise LabError("the leak test's lab did not recover: look into serve.log, and run it again")
