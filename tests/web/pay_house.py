"""A pay page as customers meet it: our web server, Postgres, and a stand-in for the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ivr import online_paying
from ivr.billing.customers import SuspensionReason
from ivr.billing.links import Link
from ivr.billing.paying import Paying
from ivr.billing.payments import PayResult
from ivr.lab.gateway import StandIn
from ivr.lab.gateway_ledger import transactions
from ivr.parts import gateway
from ivr.settings import Settings
from ivr.storage.links import PostgresLinks
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.web.server import WebServer, listen
from tests.storage.world import PostgresWorld
from tests.web.staff_house import admit_staff


@dataclass
class Arrivals:
    """An ASGI application around ours that keeps every byte of every request."""

    app: ASGIApp
    bytes: bytearray = field(default_factory=bytearray)
    paths: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def heard() -> Message:
            message = await receive()
            self.bytes.extend(message.get("body", b""))
            return message

        self.paths.append(f"{scope['method']} {scope['path']}")
        self.bytes.extend(scope["raw_path"] + b"?" + scope["query_string"])
        for header in scope["headers"]:
            self.bytes.extend(b"\n" + b": ".join(header))
        await self.app(scope, heard, send)


@dataclass
class PayHouse:
    """One company with its page."""

    stand_in: StandIn
    world: PostgresWorld
    links: PostgresLinks
    paying: Paying
    arrivals: Arrivals
    ledger: Path
    """the stand-in's"""
    url: str
    """of our web server"""

    async def link(self, *amounts: str, minutes: float = 60, **more: Any) -> Link:
        """A link for a customer of their own, who owes so much on as many invoices of one line."""
        customer = await self.world.customer()
        service = await self.world.service(customer, SuspensionReason.NON_PAYMENT)
        bills = [await self.world.invoice(service, amount) for amount in amounts]
        return await self.links.make(customer.id, [bill.id for bill in bills], minutes, **more)

    async def taken(self, link: Link) -> list[str]:
        """Amounts that the gateway took of this link's customer, by its own ledger."""
        async with self.world.database.session() as session:
            rows = await session.raw.fetch(
                "SELECT order_id FROM attempts WHERE customer_id = $1", link.customer_id
            )
        orders = {row["order_id"] for row in rows}
        sales = transactions(self.ledger)
        return [sale.amount for sale in sales if sale.taken and sale.order_id in orders]

    async def left(self, link: Link) -> list[str]:
        """What is still due on each of the link's invoices."""
        async with self.world.database.session() as session:
            rows = await session.raw.fetch(
                "SELECT amount - paid AS due FROM invoices WHERE id = ANY($1) ORDER BY id",
                list(link.invoice_ids),
            )
        return [f"{row['due']:.2f}" for row in rows]


@asynccontextmanager
async def open_house(
    database_url: str, folder: Path, **changes: dict[str, Any]
) -> AsyncIterator[PayHouse]:
    """Everything started, on free ports of this machine; stopped again at the end."""
    database = await Database.open(database_url, application="saldo-test")
    ledger = folder / "gateway.jsonl"
    stand_in = StandIn(ledger)
    await stand_in.start()
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings = _settings(stand_in, url, changes)
    charges: set[asyncio.Task[PayResult]] = set()

    def spawn(charge: Coroutine[Any, Any, PayResult]) -> asyncio.Task[PayResult]:
        task = asyncio.create_task(charge)
        charges.add(task)
        return task

    charging = gateway(settings)
    paying = Paying(PostgresLedger(database), charging, spawn)
    stack = AsyncExitStack()
    links = online_paying.links(settings, database)
    assert links
    app = FastAPI()
    for router in online_paying.pages(settings, stack, database, paying):
        app.include_router(router)
    admit_staff(app, settings, stack, database)
    arrivals = Arrivals(app)
    server = WebServer(arrivals, listening)
    serving = asyncio.create_task(server.serve())
    house = PayHouse(stand_in, PostgresWorld(database), links, paying, arrivals, ledger, url)
    try:
        yield house
    finally:
        server.stop()
        await serving
        await asyncio.gather(*charges, return_exceptions=True)
        await stack.aclose()
        await charging.aclose()
        await stand_in.stop()
        await database.close()


def _settings(stand_in: StandIn, url: str, changes: dict[str, dict[str, Any]]) -> Settings:
    account = stand_in.account
    values: dict[str, dict[str, Any]] = {
        "braintree": {
            "environment": "stand-in",
            "url": stand_in.url,
            "merchant_id": account.merchant_id,
            "public_key": account.public_key,
            "private_key": account.private_key,
            "merchant_accounts": account.merchant_accounts,
            "timeout_seconds": 5,
        },
        "pay_page": {"url": url, "key": "k" * 32, "phone": "+34 900 123 456"},
        "payments": {"methods": ["card", "paypal"]},
    }
    for section, more in changes.items():
        values[section] = {**values.get(section, {}), **more}
    return Settings(**values)  # type: ignore[arg-type]  # validated by pydantic
