"""Refunds and voids, built for `saldo serve`: who carries them out, and who finds lost ones."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import structlog
from fastapi import APIRouter

from ivr import parts
from ivr.billing.errors import BillingError
from ivr.billing.refunding import Refunding
from ivr.gateways.giving_back import BraintreeRefunds
from ivr.owning import Work
from ivr.settings import Settings
from ivr.storage.pool import Database
from ivr.storage.refunds import PostgresRefunds
from ivr.web import refunds
from ivr.web.keys import Keys

log = structlog.get_logger(__name__)

ROUND_SECONDS = 10.0


class Office:
    """Where money is given back."""

    def __init__(self, settings: Settings, stack: AsyncExitStack, database: Database) -> None:
        gateway = parts.gateway(settings)
        stack.push_async_callback(gateway.aclose)
        work = Work("refund", _ended)
        stack.push_async_callback(work.finish)
        self._refunds = PostgresRefunds(database)
        self._refunding = Refunding(self._refunds, BraintreeRefunds(gateway), work.spawn)

    def routes(self, keys: Keys) -> APIRouter:
        """What staff may ask for."""
        return refunds.routes(self._refunding, self._refunds, keys)

    async def resolve(self, migrated: asyncio.Event) -> None:
        """Find out what became of refunds without an answer, until it is cancelled."""
        await migrated.wait()
        while True:
            try:
                if left := await self._refunding.resolve():
                    log.warning("refunds_without_an_answer", refunds=left)
            except BillingError as error:  # away: the next round looks again
                log.warning("refunds_not_looked_at", why=str(error))
            await asyncio.sleep(ROUND_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads nodes


def _ended(refund: asyncio.Task[Any]) -> None:
    """Who asked may have left: what went wrong is looked for, and said here."""
    if not refund.cancelled() and (error := refund.exception()):
        log.error("refund_not_written", why=str(error) or type(error).__name__)
