"""Braintree's webhooks over HTTP: read by the real SDK, taken once, forged ones turned away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from ivr.billing.allocating import in_full
from ivr.billing.customers import ServiceStatus, SuspensionReason
from ivr.billing.invoices import Invoice
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState, BankAccountOnHand, Captured
from ivr.billing.settling import Settling
from ivr.gateways.braintree import Braintree
from ivr.gateways.notifications import BraintreeNotifications
from ivr.lab.gateway_bank import signed
from ivr.web import gateway_webhooks
from ivr.web.errors import add_handlers
from tests.fakes.bank_accounts import FakeNotifications
from tests.fakes.company import FakeCompany
from tests.fakes.ledger import FakeLedger
from tests.storage.test_contract_bank_accounts import AT

PUBLIC, PRIVATE = "saldo_public", "saldo_private"
HERE = "/braintree/webhooks"
MEANS = BankAccountOnHand("0000", "checking", "vaulted")


def form(
    kind: str = "transaction_settled",
    sale: str = "tx1",
    *,
    order: str = "saldo-1",
    at: str = "2026-11-23T12:00:00Z",
    key: str = PRIVATE,
) -> dict[str, str]:
    told = (
        f"<notification><timestamp type='datetime'>{at}</timestamp><kind>{kind}</kind>"
        f"<subject><transaction><id>{sale}</id><type>sale</type><amount>42.50</amount>"
        f"<order-id>{order}</order-id></transaction></subject></notification>"
    )
    return signed(told, PUBLIC, key)


class House:
    """The web server of a small company that took one debit."""

    def __init__(self, braintree: Braintree) -> None:
        self.company = FakeCompany()
        self.ledger = FakeLedger(self.company)
        self.line = self.company.service(
            self.company.customer(), suspended_for=SuspensionReason.NON_PAYMENT
        )
        self.invoice: Invoice = self.company.invoice(self.line, currency="USD")
        self.attempt_id: UUID = uuid4()
        settling = Settling(self.ledger, FakeNotifications(self.company))
        app = FastAPI()
        add_handlers(app)
        app.include_router(
            gateway_webhooks.routes(BraintreeNotifications(braintree).read, settling.take)
        )
        self.web = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://saldo")

    async def debit(self, *, captured: bool = True) -> None:
        attempt = Attempt(
            self.attempt_id,
            "saldo-1",
            self.invoice.customer_id,
            None,
            self.invoice.due,
            in_full([self.invoice]).allocations,
            AttemptState.CREATED,
            Money.zero("USD"),
        )
        await self.ledger.open_attempt(attempt)
        await self.ledger.begin_charging(self.attempt_id, MEANS)
        if captured:
            await self.ledger.captured(self.attempt_id, Captured("tx1", "1000", AT))

    async def told(self, values: dict[str, str]) -> int:
        return (await self.web.post(HERE, data=values)).status_code

    def state(self) -> AttemptState:
        return self.company.attempts[self.attempt_id].attempt.state

    def line_works(self) -> bool:
        return self.company.services[self.line.id].status is ServiceStatus.ACTIVE


@pytest.fixture
async def house() -> AsyncIterator[House]:
    braintree = Braintree(
        environment="sandbox",
        merchant_id="saldo_lab",
        public_key=PUBLIC,
        private_key=PRIVATE,
        merchant_accounts={"USD": "saldo_usd"},
    )
    house = House(braintree)
    yield house
    await house.web.aclose()
    await braintree.aclose()


async def test_a_debit_is_settled_and_then_returned(house: House) -> None:
    await house.debit()
    assert house.line_works()
    assert await house.told(form()) == 204
    assert house.state() is AttemptState.SETTLED
    assert await house.told(form("transaction_settlement_declined")) == 204
    assert house.state() is AttemptState.RETURNED
    assert not house.line_works()
    assert house.company.events[-5:] == [
        "payment.returned", "invoice.unpaid", "service.reactivation-reversed",
        "bank-return", "bank-return",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["transaction_settled", "transaction_settlement_declined"])
async def test_a_replay_is_taken_and_changes_nothing(house: House, kind: str) -> None:
    await house.debit()
    first = form(kind)
    assert await house.told(first) == 204
    before, state = list(house.company.events), house.state()
    for _ in range(3):
        assert await house.told(first) == 204
    assert await house.told(form(kind, at="2026-11-24T12:00:00Z")) == 204
    assert (house.company.events, house.state()) == (before, state)


async def test_many_of_the_same_at_once_change_it_once(house: House) -> None:
    await house.debit()
    answers = await asyncio.gather(*[house.told(form()) for _ in range(10)])
    assert set(answers) == {204}
    assert house.company.events.count("payment.settled") == 1


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"bt_signature": "", "bt_payload": ""},
        {"bt_signature": f"{PUBLIC}|{'0' * 40}", "bt_payload": form()["bt_payload"]},
        {"bt_signature": form()["bt_signature"], "bt_payload": form(sale="tx2")["bt_payload"]},
        form(key="another"),
        {"bt_signature": "\x00", "bt_payload": "\x00"},
    ],
    ids=["nothing", "empty", "guessed", "of another payload", "another key", "zeros"],
)
async def test_a_forged_one_changes_nothing(house: House, values: dict[str, str]) -> None:
    await house.debit()
    before = list(house.company.events)
    assert await house.told(values) == 400
    assert house.state() is AttemptState.CAPTURED
    assert house.company.events == before
    assert house.company.notifications == {}


async def test_one_that_is_too_long_is_not_read(house: House) -> None:
    assert await house.told({"bt_signature": "x", "bt_payload": "A" * 300_000}) == 413


async def test_a_dispute_is_kept_and_ignored(house: House) -> None:
    await house.debit()
    assert await house.told(form("dispute_opened")) == 204
    assert house.state() is AttemptState.CAPTURED
    assert len(house.company.notifications) == 1


async def test_what_is_told_before_we_know_of_the_charge_is_wanted_again(house: House) -> None:
    await house.debit(captured=False)
    assert await house.told(form()) == 503
    await house.ledger.captured(house.attempt_id, Captured("tx1", "1000", AT))
    assert await house.told(form()) == 204
    assert house.state() is AttemptState.SETTLED


async def test_a_database_that_is_away_is_told_again(house: House) -> None:
    await house.debit()
    house.company.away = True
    assert await house.told(form()) == 503
    house.company.away = False
    assert await house.told(form()) == 204
    assert house.state() is AttemptState.SETTLED
