"""The processes that are killed: `saldo serve` without a telephone, charging or resolving."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from ivr import resolving
from ivr.beating import beating
from ivr.billing.comparing import Comparing
from ivr.billing.doubts import Schedule
from ivr.billing.errors import BillingError
from ivr.billing.limiting import Limiting
from ivr.billing.limits import Limits
from ivr.billing.money import Money
from ivr.billing.paying import Paying
from ivr.billing.payments import Captured, CardOnFile, CardOnHand, KeepCard, MeansOnHand
from ivr.gateways.books import BraintreeBooks
from ivr.gateways.braintree import Braintree
from ivr.lab.crashing.mutants import MUTANTS
from ivr.lab.crashing.points import Watch
from ivr.lab.crashing.trials import GOOD, TIMEOUT_SECONDS, Action, Caller
from ivr.lab.gateway_desk import Account
from ivr.metrics import Metrics
from ivr.owning import Work
from ivr.storage.comparing import PostgresCompared
from ivr.storage.daemons import PostgresDaemons
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.limits import PostgresTries
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.storage.resolving import ABANDONED_SECONDS, PostgresDoubts

SOON = Schedule(
    moments=(0, 0.2, 0.5, 1.5, 6, 30),
    then_every=60,
    misses=(0.2, 0.5, 1, 2, 3),
    replay_within=2,
    not_there_after=4,
)
"""The product's schedule, its pauses a tenth, its two windows less still; as the time-outs are."""
ROUND_SECONDS = 0.1
AWAY_SECONDS = (0.1, 0.2, 0.5)
NO_LIMITS = Limits(
    card_tries_an_invoice=10**6,
    card_tries_hidden=10**6,
    invoices_a_card=10**6,
    breaker_declines=10**6,
)
"""tries are counted as ever; but these trials are many, of one card"""
LONGEST_CALL_SECONDS = 1800.0
CHARGING, RESOLVING = "saldo-charging", "saldo-resolving"
"""what the processes are called in Postgres"""


@dataclass(frozen=True, slots=True)
class Job:
    """What one process is to do."""

    database_url: str
    gateway_url: str
    name: str
    """of the node: a process with the same name is its next run"""
    customer_id: int
    invoices: tuple[str, ...]
    token: str
    is_on_file: bool
    action: Action = Action.NOTHING
    caller: Caller = Caller.STAYS
    aim: str = ""
    mutant: str = ""
    schedule: Schedule = SOON
    knows_no_keys: bool = False
    is_gateway_away: bool = False
    cancels_left: bool = True
    """whether attempts that were opened and left are old enough to be canceled"""
    tokens: tuple[str, ...] = ()
    """for who calls back"""


class Wire:
    """What a process and its lane tell each other."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def tell(self, **news: object) -> None:
        """One line of JSON, gone before the next statement."""
        self._end.sendall(json.dumps(news).encode() + b"\n")

    def ask(self, **news: object) -> None:
        """Tell, and stand still until the lane has done its part."""
        self.tell(**news)
        self._end.recv(1)


def charge(job: Job, wire: Wire) -> None:
    """Pay once, resolve what has to be, and stay until killed."""
    asyncio.run(_Node(job, wire).charge())


def resolve(job: Job, wire: Wire) -> None:
    """The next run of the node, or another one: resolve until killed."""
    asyncio.run(_Node(job, wire).resolve())


@dataclass
class _Node:
    job: Job
    wire: Wire
    id: UUID = field(default_factory=uuid4)
    call: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.watch = Watch(self.job.aim, self._strike)
        self.work = Work("charge", self._ended)
        resolving.ROUND_SECONDS = ROUND_SECONDS
        resolving.AWAY_SECONDS = AWAY_SECONDS
        if self.job.mutant:
            MUTANTS[self.job.mutant].plant()

    async def charge(self) -> None:
        async with self._parts() as (database, paying, resolver):
            self.watch.watch_tasks(asyncio.get_running_loop())
            means = self._means(self.job.token)
            self.watch.is_on.set(True)
            self.call = asyncio.create_task(self._call(database, paying, means))
            self.watch.is_on.set(False)
            await asyncio.gather(self.call, return_exceptions=True)
            await self.work.finish()
            if self.job.caller is Caller.CALLS_BACK and self.job.action is not Action.KILL:
                await self._calls_back(database, paying)
            self.wire.tell(points=self.watch.seen)
            await resolver

    async def resolve(self) -> None:
        async with self._parts(is_resolver=True) as (database, paying, resolver):
            if self.job.caller is Caller.CALLS_BACK:
                await self._calls_back(database, paying)
            signal.signal(signal.SIGTERM, lambda *_: self.wire.tell(points=self.watch.seen))
            await resolver

    async def compare(self) -> None:
        database = await Database.open(self.job.database_url, application="saldo-night", size=4)
        ours, theirs = PostgresCompared(database), BraintreeBooks(self._gateway())
        comparing = Comparing(ours, theirs, PostgresLedger(database, self.id))
        until = datetime.now(UTC) + timedelta(seconds=1)
        found = await comparing.differences(until - timedelta(hours=2), until)
        for one in found.differences:
            await comparing.mend(one)
        self.wire.tell(differ=[f"{one.kind} {one.order_id}" for one in found.differences])

    async def vault(self) -> None:
        charged = await self._gateway().charge(
            means=self._means(self.job.token),
            amount=Money.of(GOOD, "EUR"),
            order_id="for-the-vault",
            request_key=str(self.id),
            keep=KeepCard(uuid4().hex),
        )
        if isinstance(charged, Captured) and charged.kept is not None:
            self.wire.tell(vaulted=charged.kept.token)

    @asynccontextmanager
    async def _parts(
        self, *, is_resolver: bool = False
    ) -> AsyncIterator[tuple[Database, Paying, asyncio.Task[None]]]:
        job = self.job
        application = RESOLVING if is_resolver else CHARGING
        database = await Database.open(job.database_url, application=application, size=4)
        daemons = PostgresDaemons(database, self.id, node=job.name, app="saldo")
        await daemons.begin()
        self.wire.tell(daemon=str(self.id))
        looking, charging = self._gateway(), self._gateway(is_away=job.is_gateway_away)
        ledger = PostgresLedger(database, self.id)
        limiting = Limiting(PostgresTries(database), NO_LIMITS)
        paying = Paying(ledger, charging, self.work.spawn, limiting)
        resolver = resolving.Resolver(
            ledger,
            PostgresDoubts(database, self.id),
            BraintreeBooks(looking),
            Metrics(),
            schedule=job.schedule,
        )
        self.watch.watch_requests()
        if is_resolver:
            self.watch.watch_tasks(asyncio.get_running_loop())
        migrated = asyncio.Event()
        migrated.set()
        longest = -ABANDONED_SECONDS if job.cancels_left else LONGEST_CALL_SECONDS
        async with beating(daemons):
            self.watch.is_on.set(is_resolver)
            task = asyncio.create_task(resolver.run(migrated, longest))
            self.watch.is_on.set(False)
            yield database, paying, task

    def _ended(self, charge: asyncio.Task[Any]) -> None:
        if not charge.cancelled() and (error := charge.exception()):
            self.wire.tell(broken=f"the charge's task raised {type(error).__name__}")

    def _gateway(self, *, is_away: bool = False) -> Braintree:
        account = Account()
        gateway = Braintree(
            environment="stand-in",
            url="http://127.0.0.1:9" if is_away else self.job.gateway_url,
            merchant_id=account.merchant_id,
            public_key=account.public_key,
            private_key=account.private_key,
            merchant_accounts=account.merchant_accounts,
            timeout_seconds=TIMEOUT_SECONDS,
            threads=4,
        )
        gateway.request_keys = not self.job.knows_no_keys
        return gateway

    def _means(self, token: str) -> MeansOnHand:
        if self.job.is_on_file:
            return CardOnFile(uuid4(), "visa", "1111", "1231", token)
        return CardOnHand("visa", "1111", "1231", token)

    async def _call(self, database: Database, paying: Paying, means: MeansOnHand) -> None:
        """One payment as the conversation makes it, and what the caller was told."""
        try:
            invoices = await PostgresInvoices(database).by_number(self.job.invoices)
            attempt = await paying.open(self.job.customer_id, invoices, None)
        except BillingError as error:
            self.wire.tell(attempt=None, said=type(error).__name__)
            return
        self.wire.tell(attempt=str(attempt.id))
        if self.job.caller is Caller.LEFT and self.call is not None:
            asyncio.get_running_loop().call_soon(self.call.cancel)
        result = await paying.pay(attempt, means)
        self.wire.tell(attempt=str(attempt.id), said=type(result).__name__)
        self.watch.at("answer.said")

    async def _calls_back(self, database: Database, paying: Paying) -> None:
        job = self.job
        self.job = replace(job, is_on_file=False, caller=Caller.STAYS)
        for token in job.tokens:
            await asyncio.create_task(self._call(database, paying, self._means(token)))
        self.job = job

    def _strike(self, point: str) -> None:
        match self.job.action:
            case Action.KILL | Action.KILL_RESOLVER:
                os.kill(os.getpid(), signal.SIGKILL)
            case Action.HANG_UP:
                self._hang_up()
            case Action.CUT:
                _cut_connections()
            case _:
                self.wire.ask(at=point)

    def _hang_up(self) -> None:
        call = self.call
        if call is not None:
            call.get_loop().call_soon_threadsafe(call.cancel)


def _cut_connections() -> None:
    """Both ways, of every connection to Postgres."""
    for entry in Path("/proc/self/fd").iterdir():
        try:
            copy = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:
            continue
        with copy:
            try:
                name = copy.getpeername()
            except OSError:
                continue
            if isinstance(name, str) and ".s.PGSQL" in name:
                copy.shutdown(socket.SHUT_RDWR)


def compare(job: Job, wire: Wire) -> None:
    """What the product does at night: compare both ledgers, mend, and tell what differed."""
    asyncio.run(_Node(job, wire).compare())


def vault(job: Job, wire: Wire) -> None:
    """Have a card kept at the gateway, and tell its token."""
    asyncio.run(_Node(job, wire).vault())
