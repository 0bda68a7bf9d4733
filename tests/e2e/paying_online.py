"""Customers of the demo company who pay by a link, and what is left of it where."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from ivr.lab.gateway_ledger import Transaction, transactions
from ivr.lab.lab import Lab
from ivr.lab.phone import Phone
from ivr.lab.post import arrived
from tests.e2e.browser import PHONE, Visitor
from tests.e2e.callers import calling, hears, identifies, rows, until

TAKES_PAYPAL = {
    "SALDO_PAYMENTS__METHODS": '["card", "paypal"]',
    "SALDO_PAY_PAGE__URL": "http://127.0.0.1",  # the lab puts its port in place
    "SALDO_PAY_PAGE__KEY": "k" * 32,
}
LINK = re.compile(r"http://127\.0\.0\.1:[0-9]+/pay/[A-Za-z0-9_-]{20}(?= |$)")


@dataclass(frozen=True)
class Customer:
    """Somebody of the demo company, who owes one invoice."""

    account: str
    postal_code: str
    phone: str
    invoice: str


JAMES = Customer("1042", "28013", "+447700900001", "F-2026-0007")
EMILY = Customer("1047", "28001", "+447700900007", "F-2026-0110")
OLIVER = Customer("1049", "28003", "+447700900009", "F-2026-0112")
JOHN = Customer("1046", "28020", "+447700900005", "F-2026-0109")
"""what he owes is declined"""


@dataclass
class Company:
    """The lab and a browser, and what people do with both."""

    lab: Lab
    browser: Browser

    @asynccontextmanager
    async def link_for(self, customer: Customer) -> AsyncIterator[tuple[Phone, Visitor]]:
        """A caller who chose PayPal, with the link of the text open on another telephone."""
        async with calling(self.lab, customer.phone) as phone:
            await identifies(phone, customer.account, customer.postal_code)
            await phone.press("1")
            await hears(phone, "choose_method")
            await phone.press("2")
            await hears(phone, "paypal_link_sent")
            (link,) = await self.told("text", customer, LINK)
            async with self.opened(link) as visitor:
                yield phone, visitor

    @asynccontextmanager
    async def opened(self, link: str) -> AsyncIterator[Visitor]:
        """Somebody with the page of a link before them."""
        context = await self.browser.new_context(viewport=PHONE)
        visitor = Visitor(await context.new_page())
        await visitor.open(link)
        yield visitor
        await context.close()

    async def told(self, topic: str, customer: Customer, found: re.Pattern[str]) -> list[str]:
        """What of the texts to a customer is of this form, once there is any."""
        seen: list[str] = []

        async def came() -> bool:
            texts = [
                each["body"]
                for each in arrived(Path(self.lab.messages))
                if each["topic"] == topic and each["to"] == customer.phone
            ]
            seen[:] = found.findall(" ".join(texts))
            return bool(seen)

        await until(came)
        return seen

    async def webhook(self, kind: str, confirmation: str) -> dict[str, Any]:
        """The data of the one webhook of this kind about a payment, once it came."""
        seen: list[dict[str, Any]] = []

        async def came() -> bool:
            seen[:] = [
                each["body"]["data"]
                for each in arrived(Path(self.lab.messages))
                if each["topic"] == "webhook"
                and each["body"]["type"] == kind
                and each["body"]["data"]["payment"]["confirmation"] == confirmation
            ]
            return bool(seen)

        await until(came)
        (data,) = seen
        return data

    async def sales(self, customer: Customer) -> list[Transaction]:
        """What the gateway has of this customer, by its own ledger."""
        query = """
            SELECT order_id FROM attempts JOIN customers ON customers.id = customer_id
            WHERE account_number = $1"""
        orders = {row["order_id"] for row in await rows(self.lab, query, customer.account)}
        found = transactions(Path(self.lab.gateway_ledger))
        return [sale for sale in found if sale.order_id in orders]

    async def attempts(self, customer: Customer) -> list[tuple[str, str]]:
        query = """
            SELECT method, state FROM attempts JOIN customers ON customers.id = customer_id
            WHERE account_number = $1 ORDER BY seq"""
        return [tuple(row) for row in await rows(self.lab, query, customer.account)]

    async def due(self, customer: Customer) -> str:
        query = "SELECT (amount - paid)::numeric(9, 2)::text AS due FROM invoices WHERE number = $1"
        ((due,),) = await rows(self.lab, query, customer.invoice)
        return str(due)

    async def ending(self, customer: Customer) -> str:
        """How the customer's call ended, once it did."""
        query = """
            SELECT outcome FROM calls JOIN customers ON customers.id = customer_id
            WHERE account_number = $1 AND ended_at IS NOT NULL"""

        async def ended() -> bool:
            return bool(await rows(self.lab, query, customer.account))

        await until(ended)
        ((outcome,),) = await rows(self.lab, query, customer.account)
        return str(outcome)
