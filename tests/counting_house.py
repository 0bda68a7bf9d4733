"""Charges and their resolving without a telephone: ledger in Postgres, real gateway client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from ivr.beating import beating
from ivr.billing.doubts import Doubt, Schedule, Stray
from ivr.billing.paying import Paying
from ivr.billing.payments import Attempt, PayResult
from ivr.billing.resolving import Resolving
from ivr.gateways.books import BraintreeBooks
from ivr.gateways.braintree import Braintree
from ivr.lab.gateway import StandIn
from ivr.storage.daemons import PostgresDaemons
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.storage.resolving import PostgresDoubts
from tests.gateways.clients import card, card_token, to_stand_in
from tests.storage.world import PostgresWorld

SOON = Schedule(
    moments=(0, 0.1, 0.3, 0.6, 1, 2), misses=(0.1, 0.2), not_there_after=2, replay_within=60
)
"""A schedule for tests that look at real seconds."""
INVOICES = count(1)
DUE = date(2026, 3, 31)


@dataclass
class CountingHouse:
    """One node: charges, and looks for what became of them."""

    database: Database
    daemon: UUID
    gateway: Braintree
    paying: Paying
    resolving: Resolving
    told: list[str] = field(default_factory=list)

    @property
    def world(self) -> PostgresWorld:
        return PostgresWorld(self.database)

    async def attempt(self, amount: str = "42.50") -> Attempt:
        """A new customer's payment, opened."""
        world = self.world
        invoice = await world.invoice(await world.service(await world.customer()), amount)
        return await self.paying.open(invoice.customer_id, [invoice], None)

    async def pay(self, attempt: Attempt) -> PayResult:
        return await self.paying.pay(attempt, card(await card_token(self.gateway)))

    async def resolved(self, seconds: float) -> bool:
        """Rounds until no outcome is unknown and no money is to be given back."""
        doubts = PostgresDoubts(self.database, self.daemon)
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            await self.resolving.round()
            counts = await doubts.counts()
            if not counts.unknown and not counts.strays:
                return True
            await asyncio.sleep(0.05)
        return False


@asynccontextmanager
async def counting_house(
    database_url: str, stand_in: StandIn, *, schedule: Schedule = SOON, **changes: Any
) -> AsyncIterator[CountingHouse]:
    """A node that is heard of as long as the block runs."""
    daemon, told = uuid4(), list[str]()

    def tell(event: str, _about: Doubt | Stray, _why: str) -> None:
        told.append(event)

    async with AsyncExitStack() as stack:
        database = await Database.open(database_url, application="saldo-test")
        stack.push_async_callback(database.close)
        charging, looking = to_stand_in(stand_in, **changes), to_stand_in(stand_in, **changes)
        stack.push_async_callback(charging.aclose)
        stack.push_async_callback(looking.aclose)
        ledger, doubts = PostgresLedger(database, daemon), PostgresDoubts(database, daemon)
        books = BraintreeBooks(looking)
        resolving = Resolving(ledger, doubts, books, schedule=schedule, told=tell)
        stack.callback(resolving.stop)
        paying = Paying(ledger, charging, asyncio.create_task)
        daemons = PostgresDaemons(database, daemon, node=daemon.hex, app="saldo")
        await stack.enter_async_context(beating(daemons))
        yield CountingHouse(database, daemon, charging, paying, resolving, told)
