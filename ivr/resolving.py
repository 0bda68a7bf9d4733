"""Unknown outcomes, in `saldo serve`: looked for until each is known, logged and counted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import structlog

from ivr import parts
from ivr.billing.doubts import Doubt, Schedule, Stray
from ivr.billing.errors import BillingError
from ivr.billing.ports import Books, Ledger
from ivr.billing.resolving import Resolving
from ivr.gateways.books import BraintreeBooks
from ivr.metrics import Metrics
from ivr.settings import Settings
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.storage.resolving import ABANDONED_SECONDS, PostgresDoubts

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0
ANSWER_SECONDS = 20.0
"""how long one request of a look may take, which is safe to repeat: when the gateway comes back,
nobody may still be waiting for the answer to one that it lost before"""
AWAY_SECONDS = (1.0, 2.0, 5.0)
"""pauses while the database is away"""
COUNT_ROUNDS = 10
ALARMS = {"charged_twice", "payment_needs_a_person", "look_failed", "stray_not_given_back"}
"""what is nobody's everyday business"""


class Resolver:
    """The rounds of one daemon."""

    def __init__(
        self,
        ledger: Ledger,
        doubts: PostgresDoubts,
        books: Books,
        metrics: Metrics,
        schedule: Schedule = Schedule(),  # noqa: B008 - it is frozen
    ) -> None:
        self._doubts = doubts
        self._metrics = metrics
        self._resolving = Resolving(ledger, doubts, books, schedule=schedule, told=self._told)

    async def run(self, migrated: asyncio.Event, longest_call_seconds: float) -> None:
        """Until it is cancelled; attempts older than the longest call and never charged go too."""
        await migrated.wait()
        rounds = misses = 0
        try:
            while True:
                try:
                    await self._round(rounds, longest_call_seconds)
                except BillingError as error:  # away, or refusing
                    if not misses:
                        log.warning("resolving_interrupted", why=str(error))
                    pause = AWAY_SECONDS[min(misses, len(AWAY_SECONDS) - 1)]
                    misses += 1
                else:
                    pause, misses = ROUND_SECONDS, 0
                    rounds += 1
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads nodes
        finally:
            self._resolving.stop()

    async def _round(self, rounds: int, longest_call_seconds: float) -> None:
        await self._resolving.begin()
        if rounds % COUNT_ROUNDS:
            return
        if left := await self._doubts.cancel_left(longest_call_seconds + ABANDONED_SECONDS):
            log.info("attempts_left_behind", canceled=left)
        counts = await self._doubts.counts()
        for state, number in (
            ("unknown", counts.unknown),
            ("needs-a-person", counts.need_person),
            ("stray", counts.strays),
        ):
            self._metrics.unresolved.labels(state=state).set(number)

    def _told(self, event: str, about: Doubt | Stray, why: str) -> None:
        self._metrics.resolved.labels(event=event).inc()
        order = about.attempt.order_id if isinstance(about, Doubt) else about.order_id
        say = log.error if event in ALARMS else log.info
        say(event, order=order, why=why)


def work(
    settings: Settings,
    stack: AsyncExitStack,
    database: Database,
    daemon: UUID,
    metrics: Metrics,
    migrated: asyncio.Event,
) -> dict[str, Coroutine[Any, Any, None]]:
    """What `saldo serve` does about unknown outcomes, by name."""
    gateway = parts.gateway(settings, ANSWER_SECONDS)
    stack.push_async_callback(gateway.aclose)
    ledger, doubts = PostgresLedger(database, daemon), PostgresDoubts(database, daemon)
    resolver = Resolver(ledger, doubts, BraintreeBooks(gateway), metrics)
    return {"resolving": resolver.run(migrated, settings.calls.max_minutes * 60)}
