"""The whole leak test: calls on an untouched lab, the search, and then every mutant."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from ivr.lab.dialpad import KeyWay
from ivr.lab.errors import LabError
from ivr.lab.leaktest import calls, packets, sinks, switching
from ivr.lab.leaktest.assisting import Overheard, play_assisted
from ivr.lab.leaktest.bank_days import days_later
from ivr.lab.leaktest.calls import Planned
from ivr.lab.leaktest.canaries import Deck
from ivr.lab.leaktest.endings import ACCOUNT_KEYS, ACCOUNT_TONES, ASSISTED, ON_PAGE, SPOKEN, Ending
from ivr.lab.leaktest.house import House
from ivr.lab.leaktest.listening import Listening, listening
from ivr.lab.leaktest.matching import Matcher
from ivr.lab.leaktest.mutants import MUTANTS, Mutant
from ivr.lab.leaktest.playing import Played, Told, play_all
from ivr.lab.leaktest.trying import Tried, try_all
from ivr.lab.leaktest.visiting import Answered, visit_all
from ivr.lab.progress import SetupProgress

CUSTOMERS, SHORT_CUSTOMERS = 1000, 180
"""of each kind: one for each call, for each that is placed again, and for each mutant"""
FOR_MUTANTS = 100
"""the last ones"""
SPARE = 50
CAP_SYS_RESOURCE = 24
ROUNDS = 3
"""how often a call that went otherwise is placed with another customer and card"""
AT_ONCE_SPOKEN = 4
BY_VOICE = {
    "SALDO_CAPTURE__VOICE": "true",
    "SALDO_SPEECH__MODELS__EN": "shipped",
    "SALDO_SPEECH__MODELS__ES": "shipped",
}
SHARES = {
    KeyWay.INBAND: 0.2,
    KeyWay.INFO: 0.06,
    ACCOUNT_KEYS: 0.07,
    ACCOUNT_TONES: 0.07,
    SPOKEN: 0.1,
    ASSISTED: 0.04,
    ON_PAGE: 0.02,
}
"""of all calls, by way; the rest is RFC 4733"""
SHORT_CALLS: dict[str, int] = {
    ACCOUNT_KEYS: 1,  # the longest one begins first
    KeyWay.RFC4733: 3,
    KeyWay.INBAND: 1,
    KeyWay.INFO: 1,
    ON_PAGE: 1,
}
SHORT_TURNS = {
    KeyWay.RFC4733: (Ending.PAID, Ending.HUNG_UP, Ending.LEFT),
    KeyWay.INBAND: (Ending.PAID,),
    KeyWay.INFO: (Ending.REFUSED,),
    ACCOUNT_KEYS: (Ending.NOT_AGREED,),
    ON_PAGE: (Ending.MISPLACED,),
}
SHORT_MUTANTS = (
    *("astdb", "mixmonitor"),
    *("code-log-lines", "code-compressed", "code-argv", "code-asyncpg", "code-tones"),
    "account-log",
)
"""none that the guard would refuse the others' cards for: they are tried at the same time"""

Say = Callable[[str], None]


@dataclass
class Asked:
    """What the user wants."""

    calls: int = 200
    mutants: tuple[Mutant, ...] = MUTANTS
    at_once: int = 8
    short: bool = False
    """a minute: few calls and mutants, the patched programs in place from the start"""

    @property
    def customers(self) -> int:
        """Of each kind; what is stored of them is searched too."""
        return SHORT_CUSTOMERS if self.short else CUSTOMERS


@dataclass
class Result:
    """Everything that the report tells."""

    asked: Asked
    began: datetime
    seconds: float = 0.0
    played: list[Played] = field(default_factory=list)
    """the last try of each call"""
    repeated: int = 0
    searched: sinks.Report = field(default_factory=sinks.Report)
    packets: dict[str, int] | None = None
    """None: this user may not look at packets"""
    overheard: Overheard = field(default_factory=Overheard)
    """what reached agents' telephones"""
    answered: Answered = field(default_factory=Answered)
    """what browsers on the pay page were told"""
    tried: list[Tried] = field(default_factory=list)
    not_tried: dict[str, str] = field(default_factory=dict)
    """mutants that this machine cannot have, and why"""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[Played]:
        """Calls that did not go as planned, however often they were placed."""
        return [one for one in self.played if not one.as_planned]

    @property
    def passed(self) -> bool:
        """Nothing was found, every mutant was caught, and every call was what it should be."""
        caught = all(one.caught for one in self.tried)
        return not self.searched.found and caught and not self.missing and bool(self.played)


async def run(asked: Asked, progress: SetupProgress, say: Say) -> Result:
    """Do all of it in a lab of its own, which is removed afterwards. Raises as `lab.up`."""
    result = Result(asked, datetime.now(UTC))
    began = time.monotonic()
    luck = random.Random()  # noqa: S311 - test cards, no secret
    with _folders() as (folder, evidence):
        house = House(folder)
        try:
            planted = switching.planting(house) if asked.short else {}
            await asyncio.to_thread(house.open, house.company() | planted, progress)
            result.versions = _versions(house)
            await house.take_in_customers(asked.customers)
            await _clean(house, evidence, result, luck, say)
            if asked.mutants:
                await _mutants(house, evidence, result, luck, say)
        finally:
            await asyncio.to_thread(house.close)
    result.seconds = time.monotonic() - began
    return result


async def _clean(
    house: House, evidence: Path, result: Result, luck: random.Random, say: Say
) -> None:
    """Calls on the product as it is, and the search of everything."""
    asked = result.asked
    before = await asyncio.to_thread(lambda: sinks.sizes(sinks.roots(house)))
    (evidence / "clean").mkdir()
    planned = _plan(asked, luck)
    every: list[Planned] = []
    async with listening(house, evidence / "clean") as ears:
        for kind in ("keyed", ON_PAGE, ASSISTED, SPOKEN):
            group = [one for one in planned if _kind(one) == kind]
            if group and kind == SPOKEN:
                await asyncio.to_thread(house.restart, BY_VOICE)
            every += await _until_as_planned(house, kind, group, result, luck, say)
        await days_later(house)
        say("searching everything")
        await asyncio.to_thread(_search_open_files, result, every, house)
    await _search(house, evidence, result, every, before, ears)


async def _until_as_planned(
    house: House,
    kind: str,
    group: Sequence[Planned],
    result: Result,
    luck: random.Random,
    say: Say,
) -> list[Planned]:
    """Place each call; one that went otherwise again, as another customer. All that were placed."""
    placed: list[Planned] = []
    left = list(group)
    for number in range(ROUNDS):
        if not left:
            break
        placed += left
        total = len(left)
        done = [0]

        def told(played: Played, done: list[int] = done, total: int = total) -> None:
            done[0] += 1
            how = "" if played.as_planned else f" ({played.why})"
            say(f"call {done[0]} of {total}: {played.call.name}{how}")

        played = await _play(house, kind, left, result, told)
        result.played += [one for one in played if one.as_planned or number == ROUNDS - 1]
        again = [one.call for one in played if not one.as_planned]
        left = _again(again, result, luck) if number < ROUNDS - 1 else []
    return placed


def _kind(call: Planned) -> str:
    return call.way if call.way in (ASSISTED, SPOKEN, ON_PAGE) else "keyed"


async def _play(
    house: House, kind: str, group: Sequence[Planned], result: Result, told: Told
) -> list[Played]:
    if kind == ASSISTED:
        return await play_assisted(house, group, result.overheard, told)
    if kind == ON_PAGE:
        return await visit_all(house, group, result.answered, told)
    at_once = AT_ONCE_SPOKEN if kind == SPOKEN else result.asked.at_once
    return await play_all(house, group, at_once, told)


def _again(failed: Sequence[Planned], result: Result, luck: random.Random) -> list[Planned]:
    deck, first = Deck.of(luck), _first_repeat(result)
    result.repeated += len(failed)
    return [
        calls.again(call, first + place, calls.drawn(deck, call.way, call.ending), luck)
        for place, call in enumerate(failed)
    ]


def _first_repeat(result: Result) -> int:
    """The first customer who was not called for yet."""
    asked = result.asked
    calls_planned = sum(SHORT_CALLS.values()) if asked.short else asked.calls
    return calls_planned + SPARE + result.repeated


def _plan(asked: Asked, luck: random.Random) -> list[Planned]:
    if asked.short:
        return calls.plan(SHORT_CALLS, luck, turns=SHORT_TURNS)
    shares = {way: max(1, round(asked.calls * share)) for way, share in SHARES.items()}
    ways = {str(KeyWay.RFC4733): max(1, asked.calls - sum(shares.values()))}
    return calls.plan(ways | {str(way): count for way, count in shares.items()}, luck)


def _search_open_files(result: Result, every: Sequence[Planned], house: House) -> None:
    matcher = Matcher(one.canary for one in every)
    sinks.search_open_files(result.searched, matcher, house.pids(), house)


async def _search(
    house: House,
    evidence: Path,
    result: Result,
    every: Sequence[Planned],
    before: sinks.Sizes,
    ears: Listening,
) -> None:
    report, matcher = result.searched, Matcher(one.canary for one in every)
    await sinks.search_database(report, matcher, house, evidence)
    await sinks.search_pages(report, matcher, house)
    await asyncio.to_thread(sinks.search_files, report, matcher, house, before)
    sinks.count_messages(report, house)
    await asyncio.to_thread(sinks.search_streams, report, matcher, ears.files)
    if result.overheard.calls:
        size = sum(sound.nbytes for sound in result.overheard.sounds)
        agents = report.of("what agents' telephones heard", unit="recordings")
        agents.take("an agent's telephone", result.overheard.search(matcher), size)
        agents.items = result.overheard.calls
    if result.answered.answers:
        browsers = report.of("what browsers are answered", unit="answers")
        browsers.take("a browser", result.answered.search(matcher), result.answered.bytes)
        browsers.items = len(result.answered.answers)
    if ears.packets is not None:
        await asyncio.to_thread(sinks.search_packets, report, matcher, ears.packets)
        result.packets = json.loads((ears.packets / packets.SUMMARY).read_text(encoding="utf-8"))


async def _mutants(
    house: House, evidence: Path, result: Result, luck: random.Random, say: Say
) -> None:
    if not result.asked.short:
        quiet = dict.fromkeys(BY_VOICE, "")
        more = {**house.environment, **switching.planting(house)}
        house.environment = {name: value for name, value in more.items() if name not in quiet}
        await asyncio.to_thread(house.restart, {})
    (evidence / "mutants").mkdir()
    count = len(result.asked.mutants)
    done = [0]

    def told(tried: Tried) -> None:
        done[0] += 1
        how = "caught" if tried.caught else f"NOT CAUGHT {tried.trouble}"
        say(f"mutant {done[0]} of {count}: {tried.mutant.name}: {how}")

    async with listening(house, evidence / "mutants") as ears:
        for one in result.asked.mutants:
            if why := _why_not(one, ears):
                result.not_tried[one.name] = why
        possible = [one for one in result.asked.mutants if one.name not in result.not_tried]
        places = itertools.count(result.asked.customers - FOR_MUTANTS)
        result.tried = await try_all(
            house, ears, possible, luck, told, places, together=result.asked.short
        )


def _why_not(mutant: Mutant, ears: Listening) -> str:
    """Why this machine or this user cannot have such a leak; empty when it can."""
    if mutant.sink == "packets" and ears.packets is None:
        return "only root (or CAP_NET_RAW) may look at packets"
    if mutant.planted == "core" and not (_may_raise_limits() and _cores_lie_beside()):
        return "the lab's programs may dump no core here, or it would not lie beside them"
    return ""


def _may_raise_limits() -> bool:
    """Whether a program may undo the limit on core files that the lab starts it with."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (rights,) = (line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(rights, 16) >> CAP_SYS_RESOURCE & 1)


def _cores_lie_beside() -> bool:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
    return not pattern.startswith(("|", "/"))


def named(names: str) -> tuple[Mutant, ...]:
    """Mutants by `all`, `none`, or names with commas. Raises LabError for a name nobody knows."""
    if names in ("all", "none"):
        return MUTANTS if names == "all" else ()
    known = {one.name: one for one in MUTANTS}
    wanted = [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise LabError(f"there is no mutant {unknown[0]}: choose of {', '.join(known)}")
    return tuple(known[name] for name in wanted)


def _versions(house: House) -> dict[str, str]:
    return {
        "Saldo": metadata.version("saldo"),
        "Asterisk": house.control("core show version").split()[1],
        "Postgres": (house.database.data / "PG_VERSION").read_text(encoding="ascii").strip(),
        "Python": sys.version.partition(" ")[0],
    }


@contextmanager
def _folders() -> Iterator[tuple[Path, Path]]:
    """One for the lab, one for what was recorded; both are removed."""
    folders = [Path(tempfile.mkdtemp(prefix=f"saldo-leak{name}-")) for name in ("test", "seen")]
    try:
        yield folders[0], folders[1]
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
