"""Plays trials one after the other: a charge, what goes wrong, the recovery, and the count."""

from __future__ import annotations

import signal
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ivr.billing.doubts import Schedule
from ivr.lab.crashing import counting
from ivr.lab.crashing.children import Child, News
from ivr.lab.crashing.counting import Accounts
from ivr.lab.crashing.house import House
from ivr.lab.crashing.mutants import MUTANTS
from ivr.lab.crashing.node import CHARGING, SOON, Job, Wire, charge, compare, resolve, vault
from ivr.lab.crashing.trials import GATEWAYS, Action, Caller, Gateway, Trial
from ivr.lab.gateway_ledger import Transaction

ACT_SECONDS = 20.0
"""how long one charge may take, its faults included"""
RECOVER_SECONDS = 60.0
"""how long its recovery may"""
FULL_SECONDS = 0.4
FROZEN_SECONDS = 8.0
POLL_SECONDS = 0.01
REAL_SHARE = 10
"""one trial of so many goes by the product's own schedule, where its first steps suffice"""
TELL = "?"
"""in place of a point of resolving: tell which there are"""
DEADLY = {Action.KILL, Action.KILL_RESOLVER}
LEFT_BEHIND = "SELECT FROM pg_stat_activity WHERE application_name = $1"
OPEN = """
SELECT count(*) FILTER (WHERE state IN ('charging', 'unknown')) AS unknown,
       count(*) FILTER (WHERE state = 'created') AS created,
       (SELECT count(*) FROM doubts JOIN attempts AS of ON of.id = doubts.attempt_id
        WHERE of.customer_id = $1 AND resolved_at IS NULL) AS doubts,
       (SELECT count(*) FROM strays JOIN attempts AS of ON of.id = strays.attempt_id
        WHERE of.customer_id = $1 AND undone IS NULL) AS strays
FROM attempts WHERE customer_id = $1"""


@dataclass(frozen=True, slots=True)
class Played:
    """One trial and what came of it."""

    trial: Trial
    is_reached: bool
    """whether its point came"""
    wrong: tuple[str, ...]
    broken: tuple[str, ...]
    """what the processes said of themselves before they ended; nothing, if all is well"""
    seconds: float
    recovered_seconds: float
    charging: tuple[str, ...] = ()
    """points of the charge, where it went through"""
    resolving: tuple[str, ...] = ()


@dataclass
class _Course:
    """One trial under way."""

    trial: Trial
    customer_id: int
    job: Job
    sales_before: int
    children: list[Child] = field(default_factory=list)
    is_reached: bool = False
    paid_too_early: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    """what was not done in time"""

    @property
    def said(self) -> list[tuple[str | None, str]]:
        news = [one for child in self.children for one in child.news]
        return [(one["attempt"], one["said"]) for one in news if "said" in one]

    @property
    def broken(self) -> list[str]:
        return [
            str(one["broken"]) for child in self.children for one in child.news if "broken" in one
        ]


class Lane:
    """One after the other; lanes go side by side."""

    def __init__(self, house: House, mutant: str = "") -> None:
        self._house = house
        self.mutant = mutant
        self._vaulted = ""
        self.recover_seconds = RECOVER_SECONDS

    def prepare(self) -> None:
        """A card on file, for charges whose token can be used twice."""
        job = self._job(Trial(Action.NOTHING, "ok"), (0, ()), self._house.token())
        child = Child(vault, job, self._house.log)
        told = child.hear("vaulted", ACT_SECONDS)
        child.end()
        if told is None:
            raise RuntimeError(f"the stand-in keeps no card: see {self._house.log}")
        self._vaulted = told["vaulted"]

    def play(self, trial: Trial) -> Played:
        """Play it from the bill to the count."""
        began = time.monotonic()
        house, gateway = self._house, GATEWAYS[trial.gateway]
        house.misbehave(gateway.wishes)
        bill = house.open_bill(gateway.amount)
        before = len(house.money.look())
        course = _Course(trial, bill[0], self._job(trial, bill), before)
        if trial.action is Action.TERMINATE:
            house.fail("slow-commit")
        try:
            return self._play(course, began)
        finally:
            for child in course.children:
                child.end()
            house.heal()

    def _play(self, course: _Course, began: float) -> Played:
        payer = self._charge(course)
        self._house.heal()
        course.paid_too_early += self._paid_too_early(course)
        since = time.monotonic()
        self._recover(course, payer)
        recovered = time.monotonic() - since
        resolving = self._points_of_resolving(course) if course.trial.then == TELL else ()
        return Played(
            course.trial,
            course.is_reached,
            self._wrong(course),
            tuple(course.broken),
            time.monotonic() - began,
            recovered,
            _points(payer),
            resolving,
        )

    def _wrong(self, course: _Course) -> tuple[str, ...]:
        for child in course.children:
            child.end()
        return tuple(dict.fromkeys(counting.wrong(self._accounts(course))))

    def _compare(self) -> list[str]:
        child = Child(compare, self._job(Trial(Action.NOTHING, "ok"), (0, ())), self._house.log)
        told = child.hear("differ", ACT_SECONDS)
        child.end()
        return told["differ"] if told else ["the ledgers could not be compared"]

    def strangers(self) -> list[str]:
        """What differs in both whole ledgers, by our count and by the product's own comparison."""
        self._house.misbehave(())
        rows = self._house.ask(counting.ALL_ORDERS)
        orders = {row["order_id"]: row for row in rows}
        return [*counting.strangers(self._house.money.look(), orders), *self._compare()]

    def _job(self, trial: Trial, bill: tuple[int, Sequence[str]], token: str = "") -> Job:
        number = zlib.crc32(trial.id.encode())
        gateway = GATEWAYS[trial.gateway]
        is_on_file = bool(self._vaulted) and number % 2 == 0
        return Job(
            database_url=self._house.database_url,
            gateway_url=self._house.gateway_url,
            name="node1",
            customer_id=bill[0],
            invoices=tuple(bill[1]),
            token=self._vaulted if is_on_file else token or self._house.token(),
            is_on_file=is_on_file,
            action=trial.action,
            caller=trial.caller,
            aim=trial.point,
            mutant=self.mutant,
            schedule=_schedule(number, gateway),
            knows_no_keys=gateway.is_known,
            is_gateway_away=gateway.is_away,
            cancels_left=trial.action is not Action.FREEZE,
            tokens=(self._house.token(),) if trial.caller is Caller.CALLS_BACK else (),
        )

    # --- the charge

    def _charge(self, course: _Course) -> Child:
        payer = self._child(course, charge, course.job)
        for news in payer.listen(ACT_SECONDS):
            if "at" in news:
                course.is_reached = True
                self._strike(course, payer)
            if "points" in news:
                break
        if course.trial.action in DEADLY:
            course.is_reached = payer.is_dead or _dies(payer)
            payer.end()
        elif course.trial.action in (Action.HANG_UP, Action.CUT):
            course.is_reached = course.trial.point in _points(payer)
        return payer

    def _strike(self, course: _Course, payer: Child) -> None:
        house = self._house
        match course.trial.action:
            case Action.FREEZE:
                self._freeze(course, payer)
            case Action.TERMINATE:
                house.terminate(CHARGING)
                payer.go_on()
            case Action.FULL | Action.FULL_AT_COMMIT as mode:
                house.fail(mode)
                payer.go_on()
                time.sleep(FULL_SECONDS)
                house.heal()
            case Action.CRASH:
                house.crash()
                payer.go_on()
                house.restart()
            case other:
                raise AssertionError(other)

    def _freeze(self, course: _Course, payer: Child) -> None:
        """Another daemon hears nothing of it for so long that it takes over."""
        payer.send(signal.SIGSTOP)
        daemon = next(news["daemon"] for news in payer.news if "daemon" in news)
        silent = (
            "UPDATE daemons SET beat_at = now() - interval '1 minute' WHERE id = $1::text::uuid"
        )
        self._house.ask(silent, daemon)
        self._resolver(course, "node2")
        self._wait_until_settled(course, FROZEN_SECONDS)
        payer.send(signal.SIGCONT)
        payer.go_on()

    # --- the recovery

    def _recover(self, course: _Course, payer: Child) -> None:
        trial = course.trial
        if payer.is_dead:
            if trial.action is Action.KILL_RESOLVER:
                self._killed_while_resolving(course)
            first = self._resolver(course, course.job.name, calls_back=True)
            if trial.resolvers > 1:
                self._resolver(course, "node2")
            if trial.caller is Caller.CALLS_BACK and not first.hear("said", self.recover_seconds):
                course.late.append("who called back was told nothing")
        is_alive = not payer.is_dead
        if not self._wait_until_settled(course, self.recover_seconds, is_alive=is_alive):
            course.late.append(f"not settled after {self.recover_seconds:g} s")

    def _killed_while_resolving(self, course: _Course) -> None:
        child = self._resolver(course, course.job.name, aim=course.trial.then)
        until = time.monotonic() + FROZEN_SECONDS
        while not child.is_dead and time.monotonic() < until and not self._is_settled(course):
            time.sleep(POLL_SECONDS)
        course.is_reached = course.is_reached and child.is_dead
        child.end()

    def _resolver(
        self, course: _Course, name: str, *, aim: str = "", calls_back: bool = False
    ) -> Child:
        caller = course.job.caller if calls_back else Caller.STAYS
        job = replace(course.job, name=name, aim=aim, is_gateway_away=False, caller=caller)
        return self._child(course, resolve, job)

    def _child(self, course: _Course, work: Callable[[Job, Wire], None], job: Job) -> Child:
        child = Child(work, job, self._house.log)
        course.children.append(child)
        return child

    def _wait_until_settled(
        self, course: _Course, seconds: float, *, is_alive: bool = True
    ) -> bool:
        """Whether it was in time."""
        until = time.monotonic() + seconds
        while not self._is_settled(course, is_alive=is_alive):
            if time.monotonic() > until:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _is_settled(self, course: _Course, *, is_alive: bool = True) -> bool:
        """Whether nothing is left to find out; what nobody charged may stay while its node runs."""
        if not is_alive and self._house.ask(LEFT_BEHIND, CHARGING):
            return False  # a backend of the dead process is still at work
        left = self._house.ask(OPEN, course.customer_id)[0]
        is_open = left["unknown"] or left["doubts"] or left["strays"]
        return not (is_open or (left["created"] and not is_alive))

    def _points_of_resolving(self, course: _Course) -> tuple[str, ...]:
        last = course.children[-1]
        last.send(signal.SIGTERM)
        return _points(last)

    # --- the count

    def _paid_too_early(self, course: _Course) -> list[str]:
        """Nobody has recovered anything yet: what was said to be paid must be there."""
        paid = [one for one, what in course.said if what == counting.PAID and one]
        found = "SELECT FROM attempts WHERE id = $1::text::uuid AND state = 'captured'"
        return [one for one in paid if not self._house.ask(found, one)]

    def _accounts(self, course: _Course) -> Accounts:
        attempts = self._house.ask(counting.ATTEMPTS, course.customer_id)
        orders = {attempt["order_id"] for attempt in attempts}
        sales = self._house.money.look()
        return Accounts(
            attempts=attempts,
            lines=self._house.ask(counting.LINES, course.customer_id),
            sales=[sale for sale in sales if sale.order_id in orders],
            said=course.said,
            paid_too_early=course.paid_too_early,
            may_be_left=course.trial.action not in DEADLY,
            others=(*course.late, *self._unheard_of(sales[course.sales_before :])),
        )

    def _unheard_of(self, sales: Sequence[Transaction]) -> list[str]:
        """Sales under orders that nobody here has made."""
        known = "SELECT order_id FROM attempts WHERE order_id = ANY ($1::text[])"
        asked = {sale.order_id for sale in sales}
        orders = {row["order_id"] for row in self._house.ask(known, list(asked))}
        return [f"the gateway's {one} is not in our ledger" for one in sorted(asked - orders)]


def _schedule(number: int, gateway: Gateway) -> Schedule:
    return Schedule() if number % REAL_SHARE == 0 and gateway.has_keys else SOON


def _points(child: Child) -> tuple[str, ...]:
    told: News | None = child.hear("points", 2)
    return tuple(told["points"]) if told else ()


def _dies(child: Child) -> bool:
    """Whether it has killed itself: the wire ends a moment before the process does."""
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        if child.is_dead:
            return True
        time.sleep(0.002)
    return False


def mutated(lane: Lane, house: House, name: str) -> None:
    """Plant a mutant, or with "" take the one that is there out again."""
    gone, comes = MUTANTS.get(lane.mutant), MUTANTS.get(name)
    if gone and gone.mended:
        house.ask(gone.mended)
    if comes and comes.database:
        house.ask(comes.database)
    lane.mutant = name
