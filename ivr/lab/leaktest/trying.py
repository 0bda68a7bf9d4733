"""Tries the mutants: switches each on, keys a canary, and searches the place it must be in."""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from ivr.lab.dialpad import KeyWay
from ivr.lab.errors import LabError
from ivr.lab.leaktest import calls, sinks, switching
from ivr.lab.leaktest.canaries import AnyCanary, Canary, Deck
from ivr.lab.leaktest.house import POSTAL_CODE, House, account
from ivr.lab.leaktest.listening import Listening
from ivr.lab.leaktest.matching import Matcher
from ivr.lab.leaktest.mutants import Mutant
from ivr.lab.leaktest.playing import is_ready
from ivr.lab.leaktest.sinks import Found, Report
from ivr.lab.leaktest.switching import Bench, bench, switched_on
from ivr.lab.leaktest.visiting import Answered, visit
from ivr.lab.scenario import play
from ivr.lab.scenario_file import HangsUp, Hears, Presses, Scenario, Step, Waits
from ivr.lab.scenario_report import StepReport
from ivr.settings import PROJECT

TOGETHER = 6
"""leaks of our own code that are tried side by side, each with a canary of its own"""
DOCTOR_SECONDS = 60.0
SETTLE_SECONDS = 1.2
"""what was keyed last has been written down by then"""
REFUSED = "segment_refused"
GRADES = frozenset({"fault", "warning"})
_LINE_NUMBER = re.compile(r"(\(\w+\.conf):\d+(?=\))")


@dataclass
class Tried:
    """How one mutant was caught."""

    mutant: Mutant
    canary: str
    found: list[Found] = field(default_factory=list)
    """the canary, in the very place of this leak"""
    doctor: list[str] = field(default_factory=list)
    """findings of `saldo doctor` that were not there before"""
    guard: str = ""
    """"refused", "let it pass", or empty where the guard is not asked"""
    trouble: str = ""
    """why it could not be tried"""
    seconds: float = 0.0

    @property
    def caught(self) -> bool:
        """Found by the search, and refused where the guard must refuse."""
        guarded = not self.mutant.guarded or self.guard == "refused"
        return bool(self.found) and guarded and not self.trouble


Told = Callable[[Tried], None]


async def try_all(
    house: House,
    listening: Listening,
    mutants: Sequence[Mutant],
    luck: random.Random,
    told: Told,
    places: Iterator[int],
    *,
    together: bool = False,
) -> list[Tried]:
    """Each of them, one after the other; those of our own code a few side by side.

    `places`: of customers who have not called yet. `together`: both kinds at the same time; only
    for mutants that refuse no card to each other.
    """
    deck = Deck.of(luck)
    async with bench(house, listening, mutants) as found:
        healthy = set(await asyncio.to_thread(_doctor, house))
        trials = Trials(found, deck, places, healthy, told)
        alone = [one for one in mutants if one.plan]
        planted = [one for one in mutants if not one.plan]
        if together:
            one, other = await asyncio.gather(trials.alone(alone), trials.side_by_side(planted))
        else:
            one, other = await trials.alone(alone), await trials.side_by_side(planted)
    return [*one, *other]


@dataclass
class Trials:
    """What all trials of a run share."""

    bench: Bench
    deck: Deck
    places: Iterator[int]
    healthy: set[str]
    """what `saldo doctor` finds before any mutant is on"""
    told: Told

    async def alone(self, mutants: Sequence[Mutant]) -> list[Tried]:
        """One after the other."""
        tried = []
        for mutant in mutants:
            card, place = next(self.deck.cards), next(self.places)
            tried.append(await Trial(self.bench, mutant, card, place, self.healthy).run())
            self.told(tried[-1])
        return tried

    async def side_by_side(self, mutants: Sequence[Mutant]) -> list[Tried]:
        """A few at the same time, each with a canary of its own, keyed in the secure part."""
        tried: list[Tried] = []
        for first in range(0, len(mutants), TOGETHER):
            few = mutants[first : first + TOGETHER]
            tried += await _side_by_side(self.bench, few, self.deck, self.places, self.healthy)
            for one in tried[first:]:
                self.told(one)
        return tried


@dataclass
class Trial:
    """One mutant whose canary is keyed at a number of the lab's own."""

    bench: Bench
    mutant: Mutant
    canary: Canary
    place: int
    healthy: set[str]

    async def run(self) -> Tried:
        """Switch it on, call, search, and call once more where the guard must refuse."""
        began = time.monotonic()
        tried = Tried(self.mutant, self.canary.label)
        before = await asyncio.to_thread(Before.of, self.bench)
        try:
            if self.mutant.planted:
                switching.plant(self.bench.house, [(self.canary, self.mutant)])
            async with switched_on(self.bench, self.mutant):
                if self.mutant.restarts:
                    await is_ready(self.bench.house)
                examining = asyncio.create_task(asyncio.to_thread(_doctor, self.bench.house))
                await self._key()
                await switching.show(self.bench, self.mutant)
                await asyncio.sleep(SETTLE_SECONDS)
                if self.mutant.guarded:
                    tried.guard = await self._guard()
                tried.doctor = sorted(set(await examining) - self.healthy)
                tried.found = (await before.search([(self.canary, self.mutant)]))[0]
            if self.mutant.restarts:
                await is_ready(self.bench.house)
        except Exception as error:  # noqa: BLE001 - the others are still tried; this one has failed
            tried.trouble = str(error) or type(error).__name__
        tried.seconds = time.monotonic() - began
        return tried

    async def _key(self) -> None:
        """Key the canary where no guard is asked."""
        steps = (Waits(1.2), Presses(f"{self.canary.number}#"), Waits(0.8), HangsUp())
        await self._place(switching.number_of(self.mutant), steps, self.mutant.keys)

    async def _guard(self) -> str:
        """Come to the secure part while the leak is on."""
        log = self.bench.house.folder / "serve.log"
        size = log.stat().st_size
        keys = f"{account(self.place)}#{POSTAL_CODE}#1"
        refused = Hears("card_not_taken", within=40)
        steps = (Waits(1.2), Presses(keys), refused, HangsUp())
        await self._place("pay", steps, KeyWay.RFC4733)
        with log.open("rb") as written:
            written.seek(size)
            return "refused" if REFUSED in written.read().decode() else "let it pass"

    async def _place(self, number: str, steps: tuple[Step, ...], keys: KeyWay) -> None:
        """One call; what the mutant's client wants is asked of ARI once the call is up."""
        asking: list[asyncio.Task[None]] = []

        def watch(step: StepReport) -> None:
            if step.what.startswith("waits 1.2") and step.ok is None:
                asking.append(asyncio.create_task(_ask_soon(self.bench, self.mutant)))

        scenario = Scenario("leak test mutant", steps, caller="+447900000000", to=number, keys=keys)
        await play(scenario, self.bench.house.lab, watch=watch)
        await asyncio.gather(*asking)


async def _ask_soon(found: Bench, mutant: Mutant) -> None:
    await asyncio.sleep(0.4)
    await switching.ask(found, mutant)


@dataclass
class Before:
    """How everything was before a mutant was switched on."""

    bench: Bench
    files: sinks.Sizes
    marks: dict[str, int]

    @classmethod
    def of(cls, found: Bench) -> Before:
        """As it is now."""
        folders = [*sinks.roots(found.house), found.listening.folder]
        return cls(found, sinks.sizes(folders), found.listening.marks())

    async def search(self, pairs: Sequence[tuple[AnyCanary, Mutant]]) -> list[list[Found]]:
        """For each pair, where the canary is in the very place of the mutant's leak."""
        report, wanted = Report(), {mutant.sink for _, mutant in pairs}
        matcher = Matcher(canary for canary, _ in pairs)
        house, listening = self.bench.house, self.bench.listening
        await asyncio.to_thread(self._search_files, report, matcher, wanted)
        if wanted & {"dump of the database"}:
            await sinks.search_database(report, matcher, house, listening.folder)
        if wanted & {"/metrics"}:
            await sinks.search_pages(report, matcher, house)
        return [
            [
                one
                for one in report.found
                if mutant.sink in one.where and one.hit.canary == canary.label
            ]
            for canary, mutant in pairs
        ]

    def _search_files(self, report: Report, matcher: Matcher, wanted: set[str]) -> None:
        house, listening = self.bench.house, self.bench.listening
        folders = [] if "pg_wal" in wanted else [house.database.data]
        sinks.search_files(report, matcher, house, self.files, without=folders)
        sinks.search_streams(report, matcher, listening.files, self.marks)
        if listening.packets and "packets" in wanted:
            sinks.search_packets(report, matcher, listening.packets, self.files)


async def _side_by_side(
    found: Bench,
    mutants: Sequence[Mutant],
    deck: Deck,
    places: Iterator[int],
    healthy: set[str],
) -> list[Tried]:
    """Leaks in the secure process: a whole card or account, keyed as any caller keys it."""
    began = time.monotonic()
    pairs: list[tuple[AnyCanary, Mutant]] = [
        (next(deck.accounts) if one.of_accounts else next(deck.cards), one) for one in mutants
    ]
    before = await asyncio.to_thread(Before.of, found)
    switching.plant(found.house, pairs)
    async with AsyncExitStack() as on:
        for mutant in mutants:
            await on.enter_async_context(switched_on(found, mutant))
        examining = asyncio.create_task(asyncio.to_thread(_doctor, found.house))
        troubles = await asyncio.gather(
            *(_entered(found.house, next(places), *pair) for pair in pairs)
        )
        await asyncio.sleep(SETTLE_SECONDS)
        findings = sorted(set(await examining) - healthy)
        places_found = await before.search(pairs)
    switching.plant(found.house, ())
    seconds = (time.monotonic() - began) / len(mutants)
    return [
        Tried(
            mutant,
            canary.label,
            found=there,
            doctor=findings if mutant.statements else [],
            trouble=trouble,
            seconds=seconds,
        )
        for (canary, mutant), there, trouble in zip(pairs, places_found, troubles, strict=True)
    ]


async def _entered(house: House, place: int, canary: AnyCanary, mutant: Mutant) -> str:
    """Key a card or account until its token is there, or type it; why that did not come about."""
    if mutant.on_page:
        return await visit(house, place, canary, Answered())
    steps = calls.up_to_the_charge(place, canary)
    scenario = Scenario("leak test mutant", tuple(steps), caller="+447900000000")
    try:
        report = await play(scenario, house.lab)
    except LabError as error:
        return str(error)
    wrong = (f"{step.what}: {step.why or 'not reached'}" for step in report.steps if not step.ok)
    return "; ".join(wrong)


def _doctor(house: House) -> list[str]:
    """The findings of `saldo doctor` that are not ok. Raises LabError."""
    command = [
        *(sys.executable, "-m", "ivr.cli.main", "doctor", "--json"),
        *("--config", house.lab.config, "--asterisk-config", str(house.pbx.config)),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, cwd=PROJECT, timeout=DOCTOR_SECONDS, check=False
        )
        findings = json.loads(done.stdout)["findings"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        raise LabError("`saldo doctor` gave no report of the leak test's lab") from None
    bad = (f"{one['id']}: {one['found']}" for one in findings if one["grade"] in GRADES)
    return [_LINE_NUMBER.sub(r"\1", one) for one in bad]
