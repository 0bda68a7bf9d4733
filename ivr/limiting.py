"""Limits in `saldo serve`: what they stop is shown, and the breaker looked at now and then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self

import structlog

from ivr.billing.errors import LedgerUnavailable
from ivr.billing.limiting import Limiting
from ivr.billing.limits import Limits, Phase
from ivr.billing.promises import PromiseRules
from ivr.billing.promising import Promising
from ivr.metrics import Metrics
from ivr.settings import Settings
from ivr.storage.errors import QueryRefused
from ivr.storage.limits import PostgresTries
from ivr.storage.pool import Database
from ivr.storage.promises import PostgresPromises

log = structlog.get_logger(__name__)

LOOK_SECONDS = 15.0
SHOWN = {Phase.CLOSED: 0.0, Phase.HALF_OPEN: 0.5, Phase.OPEN: 1.0}
TODO = "callers are offered a link or a person; look at the declined payments"


@dataclass(frozen=True, slots=True)
class Limited:
    """The limits of this daemon, which share their counts with every other."""

    limiting: Limiting
    metrics: Metrics

    @classmethod
    def of(cls, settings: Settings, database: Database, metrics: Metrics) -> Self:
        """All its parts; nothing is asked of anybody yet."""

        def notice(what: str, why: str) -> None:
            if what == "breaker":
                is_open = why == "open"
                log.error("cards_stopped", todo=TODO) if is_open else log.info("cards_taken_again")
                return
            metrics.stopped.labels(what=what, limit=why).inc()
            log.warning("limit", what=what, limit=why)

        limits = Limits(**settings.limits.model_dump())
        return cls(Limiting(PostgresTries(database), limits, notice), metrics)

    async def watch(self, migrated: asyncio.Event) -> None:
        """Show the breaker, and close it in time even if nobody calls."""
        await migrated.wait()
        while True:
            try:
                self.metrics.breaker.set(SHOWN[await self.limiting.look()])
            except (LedgerUnavailable, QueryRefused) as error:
                log.warning("limits_not_seen", why=str(error))
            await asyncio.sleep(LOOK_SECONDS)


def promising(settings: Settings, database: Database) -> Promising | None:
    """Who takes promises to pay, if the company wants them."""
    if not settings.promises.on:
        return None
    rules = PromiseRules(**settings.promises.model_dump(exclude={"on"}))
    return Promising(PostgresPromises(database), rules)
