"""What billing may expect of any gateway's books: the fake, and the real client with a stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from ivr.billing.doubts import Undone
from ivr.billing.errors import GatewayError, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState, Captured, CardOnHand, Refusal
from ivr.billing.ports import Books
from ivr.billing.transactions import Standing, Transaction
from ivr.gateways.books import BraintreeBooks
from ivr.gateways.braintree import Braintree
from ivr.lab.gateway import StandIn
from tests.fakes.books import FakeBooks
from tests.gateways.charging import ledger, taken
from tests.gateways.clients import card, card_token, to_stand_in

NOW = datetime.now(UTC)


def an_attempt(amount: str = "42.50") -> Attempt:
    attempt_id = uuid4()
    money = Money.of(amount, "EUR")
    state = AttemptState.UNKNOWN
    zero = Money.zero("EUR")
    return Attempt(attempt_id, f"saldo-{attempt_id}", 1, None, money, (), state, zero)


class Leg(Protocol):
    """Books, and a way to get something into them."""

    @property
    def books(self) -> Books: ...

    async def charge(self, attempt: Attempt) -> Transaction | None:
        """The sale as it was written down; None if nothing can be said of it."""
        ...

    async def settle(self, sale: Transaction) -> None: ...

    async def again(self, attempt: Attempt) -> Captured | Refusal: ...


@dataclass
class FakeLeg:
    books: FakeBooks

    async def charge(self, attempt: Attempt) -> Transaction | None:
        is_refused = attempt.amount == Money.of("2001", "EUR")
        standing = Standing.REFUSED if is_refused else Standing.CAPTURED
        return self.books.write(attempt, standing, at=datetime.now(UTC))

    async def settle(self, sale: Transaction) -> None:
        kept = self.books.written[sale.id].transaction
        self.books.keep(
            Transaction(
                kept.id, kept.order_id, Standing.SETTLED, kept.amount, kept.created_at, kept.outcome
            )
        )

    async def again(self, attempt: Attempt) -> Captured | Refusal:
        return await self.books.send_again(
            means=CardOnHand("visa", "1111", "1230", "tok"),
            amount=attempt.amount,
            order_id=attempt.order_id,
            request_key=str(attempt.id),
        )


class StandInLeg:
    def __init__(self, client: Braintree, stand_in: StandIn) -> None:
        self.client = client
        self.stand_in = stand_in
        self.books = BraintreeBooks(client)
        self.tokens: dict[str, CardOnHand] = {}

    async def means(self, attempt: Attempt) -> CardOnHand:
        if attempt.order_id not in self.tokens:
            self.tokens[attempt.order_id] = card(await card_token(self.client))
        return self.tokens[attempt.order_id]

    async def charge(self, attempt: Attempt) -> Transaction | None:
        await self.client.charge(
            means=await self.means(attempt),
            amount=attempt.amount,
            order_id=attempt.order_id,
            request_key=str(attempt.id),
        )
        found = await self.books.of_order(attempt.order_id)
        return found[-1] if found else None

    async def settle(self, sale: Transaction) -> None:
        self.stand_in._desk.settle(sale.id, {})

    async def again(self, attempt: Attempt) -> Captured | Refusal:
        return await self.books.send_again(
            means=await self.means(attempt),
            amount=attempt.amount,
            order_id=attempt.order_id,
            request_key=str(attempt.id),
        )


@pytest.fixture(params=["fake", "stand-in"])
async def leg(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Leg]:
    if request.param == "fake":
        yield FakeLeg(FakeBooks())
        return
    stand_in = StandIn(tmp_path / "gateway.jsonl")
    await stand_in.start()
    client = to_stand_in(stand_in)
    yield StandInLeg(client, stand_in)
    await client.aclose()
    await stand_in.stop()


async def test_a_sale_is_found_by_its_order_with_its_outcome(leg: Leg) -> None:
    paid, declined = an_attempt(), an_attempt("2001")
    sale, refusal = await leg.charge(paid), await leg.charge(declined)
    assert sale
    assert refusal
    assert await leg.books.of_order(paid.order_id) == [sale]
    assert (sale.standing, sale.amount, sale.is_taken) == (Standing.CAPTURED, paid.amount, True)
    assert isinstance(sale.outcome, Captured)
    assert sale.created_at.utcoffset() == timedelta(0)
    assert (refusal.standing, refusal.is_taken) == (Standing.REFUSED, False)
    assert isinstance(refusal.outcome, Refusal)
    assert await leg.books.of_order("saldo-nobody") == []


async def test_a_charge_sent_again_gives_the_first_one(leg: Leg) -> None:
    attempt = an_attempt()
    sale = await leg.charge(attempt)
    assert sale
    assert await leg.again(attempt) == sale.outcome
    assert await leg.books.of_order(attempt.order_id) == [sale]


async def test_a_charge_that_never_arrived_is_taken_when_it_is_sent_again(leg: Leg) -> None:
    attempt = an_attempt()
    first = await leg.again(attempt)
    assert isinstance(first, Captured)
    assert await leg.again(attempt) == first
    assert len(await leg.books.of_order(attempt.order_id)) == 1


async def test_money_is_given_back_once_whether_it_is_settled_or_not(leg: Leg) -> None:
    for is_settled, how in ((False, "voided"), (True, "refunded")):
        sale = await leg.charge(an_attempt())
        assert sale
        if is_settled:
            await leg.settle(sale)
        expected: list[Undone] = [how, how]  # type: ignore[list-item]  # both are of them
        assert [await leg.books.reverse(sale.id) for _ in range(2)] == expected
        found = await leg.books.of_order(sale.order_id)
        refunds = [one for one in found if one.refund_of]
        assert [one.refund_of for one in refunds] == ([sale.id] if is_settled else [])
        assert found[0].standing is (Standing.SETTLED if is_settled else Standing.VOIDED)


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[StandInLeg]:
    stand_in = StandIn(tmp_path / "gateway.jsonl")
    await stand_in.start()
    client = to_stand_in(stand_in)
    yield StandInLeg(client, stand_in)
    await client.aclose()
    await stand_in.stop()


async def test_transactions_are_found_by_when_they_were_made_and_whose_they_are(
    real: StandInLeg,
) -> None:
    ours = [await real.charge(an_attempt()) for _ in range(60)]  # more than a page
    sale = ours[0]
    assert sale
    await real.client.charge(
        means=card(await card_token(real.client)),
        amount=sale.amount,
        order_id="somebody-else",
        request_key="k",
    )
    hour = timedelta(hours=1)
    found = await real.books.between(sale.created_at - hour, sale.created_at + hour)
    assert [one.id for one in found] == [one.id for one in ours if one]
    assert await real.books.between(sale.created_at - 2 * hour, sale.created_at - hour) == []
    some = [one.id for one in ours[:3] if one]
    assert [one.id for one in await real.books.of_ids([*some, "nobody"])] == some
    assert await real.books.of_ids([]) == []


async def test_keys_that_are_not_allowed_are_never_left_out(
    real: StandInLeg, tmp_path: Path
) -> None:
    """Sent again without its key a charge could be taken twice."""
    real.stand_in.faults.ask({"mode": "refuse-keys"})
    attempt = an_attempt()
    with pytest.raises(OutcomeUnknown):
        await real.again(attempt)
    assert not real.books.request_keys
    assert ledger(tmp_path) == []


async def test_another_request_with_the_same_key_does_not_tell(
    real: StandInLeg, tmp_path: Path
) -> None:
    attempt = an_attempt()
    await real.charge(attempt)
    real.tokens[attempt.order_id] = card(await card_token(real.client))
    with pytest.raises(OutcomeUnknown):
        await real.again(attempt)
    assert len(taken(tmp_path)) == 1


@pytest.mark.parametrize("mode", ["reset-before", "reset-after", "500-after-capture"])
async def test_a_reversal_that_was_cut_off_is_done_once(real: StandInLeg, mode: str) -> None:
    sale = await real.charge(an_attempt())
    assert sale
    await real.settle(sale)
    real.stand_in.faults.ask({"mode": mode, "count": 1, "on": ["reverse"]})
    with pytest.raises(GatewayError):
        await real.books.reverse(sale.id)
    assert await real.books.reverse(sale.id) == "refunded"
    refunds = [one for one in await real.books.of_order(sale.order_id) if one.refund_of]
    assert len(refunds) == 1


async def test_a_transaction_that_nobody_knows_cannot_be_given_back(real: StandInLeg) -> None:
    with pytest.raises(OutcomeUnknown, match="does not know this transaction"):
        await real.books.reverse("nobody1")


async def test_a_sale_that_the_bank_did_not_settle_has_come_back(real: StandInLeg) -> None:
    sale = await real.charge(an_attempt())
    assert sale
    book = real.stand_in._ledger
    kept = book.book.transactions[sale.id]
    for status, standing in (
        ("settlement_declined", Standing.RETURNED),
        ("authorized", Standing.PENDING),
        ("settling", Standing.CAPTURED),
        ("authorization_expired", Standing.VOIDED),
    ):
        book.transaction(kept.becomes(status, NOW))
        (found,) = await real.books.of_order(sale.order_id)
        assert found.standing is standing
