"""One charge, and what the stand-in wrote down of it."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from ivr.billing.money import Money
from ivr.billing.payments import Captured, Refusal
from ivr.gateways.books import BraintreeBooks
from ivr.gateways.braintree import Braintree
from ivr.lab.gateway_ledger import Transaction, transactions
from tests.gateways.clients import card, card_token


async def charge(
    gateway: Braintree,
    amount: str = "42.50",
    *,
    token: str | None = None,
    order_id: str | None = None,
    key: str | None = None,
    currency: str = "EUR",
) -> Captured | Refusal:
    return await gateway.charge(
        means=card(token or await card_token(gateway)),
        amount=Money.of(amount, currency),
        order_id=order_id or f"saldo-{uuid4()}",
        request_key=key or str(uuid4()),
    )


async def found(gateway: Braintree, order_id: str) -> Captured | Refusal | None:
    """What the gateway's books say of an order; taken beats refused."""
    sales = [sale for sale in await BraintreeBooks(gateway).of_order(order_id) if sale.is_sale]
    best = sorted(sales, key=lambda sale: sale.is_taken)[-1:]
    return best[0].outcome if best else None


def ledger(tmp_path: Path) -> list[Transaction]:
    return transactions(tmp_path / "gateway.jsonl")


def taken(tmp_path: Path) -> list[Transaction]:
    return [each for each in ledger(tmp_path) if each.taken]
