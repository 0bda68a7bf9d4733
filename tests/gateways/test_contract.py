"""What billing may expect of any gateway: the fake, the real client, Braintree's sandbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from ivr.billing.errors import GatewayRefused, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import (
    BankAccountOnHand,
    Captured,
    CardOnFile,
    DeclineBucket,
    KeepCard,
    MeansOnHand,
    Refusal,
)
from ivr.gateways.braintree import Braintree
from ivr.lab.gateway import StandIn
from ivr.settings import load
from tests.fakes.gateway import FakeGateway
from tests.gateways.charging import found
from tests.gateways.clients import card, card_token, to_stand_in, vaulted_account

INDEX_SECONDS = 60


@dataclass
class Leg:
    gateway: FakeGateway | Braintree
    token: Callable[[], Awaitable[str]]
    look: Callable[[str], Awaitable[Captured | Refusal | None]]
    currency: str = "EUR"
    is_sandbox: bool = False

    async def charge(
        self,
        amount: str,
        *,
        token: str | None = None,
        order_id: str | None = None,
        means: MeansOnHand | None = None,
        keep: KeepCard | None = None,
    ) -> Captured | Refusal:
        order_id = order_id or new_order()
        return await self.gateway.charge(
            means=means or card(token or await self.token()),
            amount=Money.of(amount, self.currency),
            order_id=order_id,
            request_key=f"key-{order_id}",
            keep=keep,
        )

    async def account(self) -> BankAccountOnHand:
        """One whose holder agreed to a debit."""
        if isinstance(self.gateway, FakeGateway):
            return BankAccountOnHand("0000", "checking", self.gateway.token())
        return await vaulted_account(self.gateway)

    async def find(self, order_id: str) -> Captured | Refusal | None:
        """With the patience that the sandbox's index needs."""
        until = time.monotonic() + (INDEX_SECONDS if self.is_sandbox else 0)
        while True:
            outcome = await self.look(order_id)
            if outcome is not None or time.monotonic() > until:
                return outcome
            await asyncio.sleep(2)


def new_order() -> str:
    return f"test-{uuid4()}"


@pytest.fixture(params=["fake", "stand-in", "sandbox"])
async def leg(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Leg]:
    if request.param == "fake":
        fake = FakeGateway()
        yield Leg(
            fake,
            lambda: asyncio.sleep(0, fake.token()),
            lambda order_id: asyncio.sleep(0, fake.outcomes.get(order_id)),
        )
        return
    if request.param == "stand-in":
        stand_in = StandIn(tmp_path / "gateway.jsonl")
        await stand_in.start()
        client = to_stand_in(stand_in)
        yield Leg(client, lambda: card_token(client), partial(found, client))
        await client.aclose()
        await stand_in.stop()
        return
    settings = load().braintree
    if settings.environment != "sandbox" or not settings.private_key.get_secret_value():
        pytest.skip("no sandbox keys: set SALDO_BRAINTREE__ENVIRONMENT=sandbox and its keys")
    client = Braintree(
        environment="sandbox",
        merchant_id=settings.merchant_id,
        public_key=settings.public_key,
        private_key=settings.private_key.get_secret_value(),
        merchant_accounts=settings.merchant_accounts,
    )
    currency = next(iter(settings.merchant_accounts))
    yield Leg(client, lambda: card_token(client), partial(found, client), currency, True)
    await client.aclose()


async def test_a_good_card_is_captured(leg: Leg) -> None:
    outcome = await leg.charge("42.50")
    assert isinstance(outcome, Captured)
    assert outcome.transaction_id
    assert outcome.processor_code == "1000"
    assert outcome.captured_at.utcoffset() is not None


@pytest.mark.parametrize(
    ("amount", "code", "bucket"),
    [
        ("2001.00", "2001", DeclineBucket.SOFT),
        ("2015.00", "2015", DeclineBucket.HARD),
        ("2010.00", "2010", DeclineBucket.FIX),
        ("3000.00", "3000", DeclineBucket.SOFT),
        ("5001.00", "application_incomplete", DeclineBucket.SOFT),
    ],
)
async def test_a_refusal_keeps_its_raw_code_and_says_what_may_follow(
    leg: Leg, amount: str, code: str, bucket: DeclineBucket
) -> None:
    outcome = await leg.charge(amount)
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.bucket) == (code, bucket)
    assert outcome.transaction_id


async def test_a_currency_without_a_merchant_account_is_refused_with_the_setting_to_make(
    leg: Leg,
) -> None:
    with pytest.raises(GatewayRefused, match=r"braintree\.merchant_accounts\.CLP"):
        await leg.gateway.charge(
            means=card("x"), amount=Money.of(1, "CLP"), order_id=new_order(), request_key="k"
        )


async def test_a_token_nobody_gave_out_is_refused(leg: Leg) -> None:
    with pytest.raises(GatewayRefused):
        await leg.charge("10.00", token="tokencc_bf_unknown")


async def test_a_token_charged_again_is_never_called_not_charged(leg: Leg) -> None:
    token = await leg.token()
    assert isinstance(await leg.charge("10.00", token=token), Captured)
    with pytest.raises(OutcomeUnknown):
        await leg.charge("10.00", token=token)


async def test_the_same_charge_sent_again_takes_the_money_once(leg: Leg) -> None:
    token, order_id = await leg.token(), new_order()
    first = await leg.charge("10.00", token=token, order_id=order_id)
    try:
        again = await leg.charge("10.00", token=token, order_id=order_id)
    except OutcomeUnknown:
        assert leg.is_sandbox, "only an account without request keys may not know"
    else:
        assert again == first


async def test_an_order_is_found_as_it_ended(leg: Leg) -> None:
    paid, declined = new_order(), new_order()
    captured = await leg.charge("10.00", order_id=paid)
    refused = await leg.charge("2001.00", order_id=declined)
    assert await leg.find(paid) == captured
    assert await leg.find(declined) == refused


async def test_an_order_that_was_never_sent_is_not_found(leg: Leg) -> None:
    assert await leg.look(new_order()) is None


async def test_a_bank_account_is_debited_once_however_often_it_is_asked_for(leg: Leg) -> None:
    if leg.is_sandbox and leg.currency != "USD":
        pytest.skip("the sandbox's first merchant account is not in dollars")
    leg.currency, order, means = "USD", new_order(), await leg.account()
    first = await leg.charge("42.50", order_id=order, means=means)
    assert isinstance(first, Captured)
    assert first.kept is None
    again = await leg.charge("42.50", order_id=order, means=means)
    assert isinstance(again, Captured)
    assert again.transaction_id == first.transaction_id


async def kept_card(leg: Leg) -> CardOnFile:
    keep = KeepCard(f"test-{uuid4().hex[:20]}")
    outcome = await leg.charge("10.00", keep=keep)
    assert isinstance(outcome, Captured)
    assert outcome.kept
    return outcome.kept


async def test_a_card_is_kept_with_the_sale_that_it_was_keyed_for_and_charged_again(
    leg: Leg,
) -> None:
    kept = await kept_card(leg)
    assert (kept.brand, kept.last4, kept.expires) == ("visa", "1111", "1231")
    again = await leg.charge("11.00", means=kept)
    assert isinstance(again, Captured)
    assert again.kept == kept


async def test_a_card_is_not_kept_unasked_nor_if_it_is_declined(leg: Leg) -> None:
    outcome = await leg.charge("10.00")
    assert isinstance(outcome, Captured)
    assert outcome.kept is None
    declined = await leg.charge("2001.00", keep=KeepCard(f"test-{uuid4().hex[:20]}"))
    assert isinstance(declined, Refusal)


async def test_a_customer_of_the_gateway_may_leave_more_than_one_card(leg: Leg) -> None:
    keep = KeepCard(f"test-{uuid4().hex[:20]}")
    outcomes = [await leg.charge(amount, keep=keep) for amount in ("10.00", "11.00")]
    tokens = {each.kept.token for each in outcomes if isinstance(each, Captured) and each.kept}
    assert len(tokens) == 2


async def test_a_card_that_was_removed_is_refused_for_good(leg: Leg) -> None:
    kept = await kept_card(leg)
    await leg.gateway.forget_card(kept.token)
    await leg.gateway.forget_card(kept.token)
    outcome = await leg.charge("11.00", means=kept)
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.bucket) == ("91518", DeclineBucket.HARD)
