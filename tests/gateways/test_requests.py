"""So many requests cost each way of paying and of giving back: somebody waits for every one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from ivr.billing.money import Money
from ivr.billing.payments import Captured, CardOnFile, KeepCard
from ivr.gateways.books import BraintreeBooks
from ivr.gateways.braintree import Braintree
from ivr.gateways.giving_back import BraintreeRefunds
from ivr.gateways.transport import Transport
from ivr.lab.gateway import StandIn
from tests.gateways.charging import charge
from tests.gateways.clients import card, card_token, to_stand_in, vaulted_account

KEEP = KeepCard("saldo-customer")
EUROS, DOLLARS = Money.of("42.50", "EUR"), Money.of("42.50", "USD")


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of every request that is sent."""
    sent: list[str] = []
    send = Transport.http_do

    def told(self: Transport, verb: str, path: str, *more: Any) -> tuple[int, str]:
        sent.append(path)
        return send(self, verb, path, *more)

    monkeypatch.setattr(Transport, "http_do", told)
    return sent


async def kept(gateway: Braintree) -> CardOnFile:
    taken = await charged(gateway, card(await card_token(gateway)), keep=KEEP)
    assert taken.kept
    return taken.kept


async def charged(
    gateway: Braintree, means: Any, amount: Money = EUROS, keep: KeepCard | None = None
) -> Captured:
    order_id, key = f"saldo-{uuid4()}", str(uuid4())
    taken = await gateway.charge(
        means=means, amount=amount, order_id=order_id, request_key=key, keep=keep
    )
    assert isinstance(taken, Captured)
    return taken


Way = Callable[[Braintree], Awaitable[tuple[Any, Money, KeepCard | None]]]


async def keyed(gateway: Braintree) -> tuple[Any, Money, KeepCard | None]:
    return card(await card_token(gateway)), EUROS, None


async def keyed_and_kept(gateway: Braintree) -> tuple[Any, Money, KeepCard | None]:
    return card(await card_token(gateway)), EUROS, KEEP


async def on_file(gateway: Braintree) -> tuple[Any, Money, KeepCard | None]:
    return await kept(gateway), EUROS, None


async def bank_account(gateway: Braintree) -> tuple[Any, Money, KeepCard | None]:
    return await vaulted_account(gateway), DOLLARS, None


@pytest.mark.parametrize(
    ("way", "requests"), [(keyed, 1), (keyed_and_kept, 2), (on_file, 1), (bank_account, 1)]
)
async def test_each_way_to_pay_costs_so_many_requests(
    gateway: Braintree, paths: list[str], way: Way, requests: int
) -> None:
    means, amount, keep = await way(gateway)
    paths.clear()
    await charged(gateway, means, amount, keep)
    assert len(paths) == requests


async def test_giving_back_costs_a_look_at_the_sale_and_one_request(
    gateway: Braintree, paths: list[str]
) -> None:
    giver = BraintreeRefunds(gateway)
    taken = await charge(gateway, "42.50")
    assert isinstance(taken, Captured)
    paths.clear()
    await giver.standing(taken.transaction_id)
    await giver.void(taken.transaction_id, "k")
    assert len(paths) == 2


async def test_what_is_found_by_its_key_costs_one_request_and_by_search_two(
    stand_in: StandIn, paths: list[str]
) -> None:
    """Each look at an unknown outcome; looks are counted by the schedule (billing/doubts.py)."""
    gateway = to_stand_in(stand_in)
    means = card(await card_token(gateway))
    wish: dict[str, Any] = {"means": means, "amount": EUROS, "order_id": "saldo-1"}
    await gateway.charge(**wish, request_key="k")
    books = BraintreeBooks(gateway)
    paths.clear()
    await books.send_again(**wish, request_key="k")
    assert len(paths) == 1
    assert len(await books.of_order("saldo-1")) == 1
    assert len(paths) == 3
    await gateway.aclose()
