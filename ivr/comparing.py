"""The nightly comparison of both ledgers in `saldo serve`: one node a night, and what it found."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from ivr import parts
from ivr.billing.comparing import Comparing
from ivr.billing.differences import Become, Difference, Kind
from ivr.billing.errors import BillingError
from ivr.gateways.books import BraintreeBooks
from ivr.metrics import Metrics
from ivr.settings import Settings
from ivr.storage.comparing import PostgresCompared, PostgresComparisons
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database

log = structlog.get_logger(__name__)

LOOK_SECONDS = 60.0
AGAIN_SECONDS = 600.0
"""after a night's comparison came to nothing: the gateway or the database was away"""
DAYS = 3
"""so far back the gateway's books are read each night"""
YOUNG = timedelta(minutes=15)
"""what is younger is on its way in one of the ledgers"""
LIMIT_SECONDS = 2 * 3600.0


class Nightly:
    """Compares once a day, at an hour of UTC, or later if nobody ran at that hour."""

    def __init__(
        self, comparing: Comparing, nights: PostgresComparisons, metrics: Metrics, hour: int
    ) -> None:
        """`hour` is 0 to 23; a negative one is never."""
        self._comparing = comparing
        self._nights = nights
        self._metrics = metrics
        self._hour = hour

    async def run(self, migrated: asyncio.Event) -> None:
        """Until it is cancelled."""
        await migrated.wait()
        pause = LOOK_SECONDS
        while True:
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads nodes
            pause = LOOK_SECONDS
            now = datetime.now(UTC)
            if 0 <= self._hour <= now.hour:
                try:
                    await self.compare(now)
                except (BillingError, TimeoutError) as error:
                    log.warning("ledgers_not_compared", why=str(error) or "it took too long")
                    pause = AGAIN_SECONDS

    async def compare(self, now: datetime) -> None:
        """Compare if nobody has tonight. Raises LedgerUnavailable, GatewayError, TimeoutError."""
        night = now.date()
        if not await self._nights.claim(night):
            return
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await self._compare(night, now)
        except BaseException:
            with contextlib.suppress(BillingError):  # then it is free in two hours
                await self._nights.give_back(night)
            raise

    async def _compare(self, night: date, now: datetime) -> None:
        since = datetime(night.year, night.month, night.day, tzinfo=UTC) - timedelta(days=DAYS)
        found = await self._comparing.differences(since, now - YOUNG)
        left, mended = [], 0
        for difference in found.differences:
            if await self._comparing.mend(difference):
                mended += 1
                _tell("difference_mended", difference)
            else:
                left.append(difference)
                _tell("ledgers_differ", difference)
        counted = Counter(difference.kind for difference in left)
        for kind in Kind:
            self._metrics.differences.labels(kind=kind).set(counted[kind])
        await self._nights.ended(night, compared=found.compared, mended=mended, left_open=len(left))
        log.info("ledgers_compared", orders=found.compared, mended=mended, left=len(left))


def _tell(event: str, difference: Difference) -> None:
    """The audit line; what only went on at the gateway is no alarm."""
    is_everyday = isinstance(difference.mend, Become)
    say = log.info if is_everyday else log.error
    say(
        event,
        kind=str(difference.kind),
        order=difference.order_id,
        here=difference.here,
        there=difference.there,
        todo=difference.todo,
    )


def work(
    settings: Settings,
    stack: AsyncExitStack,
    database: Database,
    daemon: UUID,
    metrics: Metrics,
    migrated: asyncio.Event,
) -> dict[str, Coroutine[Any, Any, None]]:
    """What `saldo serve` does about differences between the ledgers, by name."""
    gateway = parts.gateway(settings)
    stack.push_async_callback(gateway.aclose)
    comparing = Comparing(
        PostgresCompared(database), BraintreeBooks(gateway), PostgresLedger(database, daemon)
    )
    nights = PostgresComparisons(database, daemon)
    nightly = Nightly(comparing, nights, metrics, settings.payments.compare_at)
    return {"comparing": nightly.run(migrated)}
