"""Giving money back: by which way, exactly once, and what happens when nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.errors import (
    BillingError,
    GatewayNotReached,
    LedgerUnavailable,
    OutcomeUnknown,
)
from ivr.billing.money import Money, total
from ivr.billing.payments import Allocation, Attempt, AttemptState, Captured
from ivr.billing.refunding import (
    AGAIN_SECONDS,
    GONE_SECONDS,
    NotRefundable,
    Refunding,
    RefundKeyUsed,
)
from ivr.billing.refunds import (
    NotGivenBack,
    Refund,
    RefundKind,
    RefundState,
    RefundWish,
    spread_back,
)
from ivr.billing.transactions import Standing
from tests.fakes.company import FakeCompany, KeptAttempt
from tests.fakes.giver import FakeGiver
from tests.fakes.refunds import FakeRefunds

WHOLE = Money.of("42.50", "EUR")


class Office:
    """A company with one payment, and staff that may give it back."""

    def __init__(self, standing: Standing = Standing.CAPTURED) -> None:
        self.company = FakeCompany()
        customer = self.company.customer()
        invoice = self.company.invoice(self.company.service(customer), "42.50", paid="42.50")
        self.attempt = Attempt(
            uuid4(), "saldo-1", customer.id, None, WHOLE,
            (Allocation(invoice.id, WHOLE),), AttemptState.CAPTURED, Money.zero("EUR"),
        )  # fmt: skip
        capture = Captured("sale1", "1000", datetime.now(UTC))
        self.company.attempts[self.attempt.id] = KeptAttempt(self.attempt, capture=capture)
        self.giver = FakeGiver()
        self.giver.sold("sale1", WHOLE, standing)
        self.refunds = FakeRefunds(self.company)
        self.tasks: list[asyncio.Task[Refund]] = []
        self.refunding = Refunding(self.refunds, self.giver, self.spawn)

    def spawn(self, work: Coroutine[Any, Any, Refund]) -> asyncio.Task[Refund]:
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    def wish(self, amount: str = "", key: str = "k", *, only_void: bool = False) -> RefundWish:
        return RefundWish(
            self.attempt.id,
            Money.of(amount, "EUR") if amount else None,
            "charged by mistake",
            "billing",
            key,
            only_void=only_void,
        )

    @property
    def state(self) -> AttemptState:
        return self.company.attempts[self.attempt.id].attempt.state


async def test_a_whole_payment_that_is_not_settled_is_voided() -> None:
    office = Office()
    refund = await office.refunding.give_back(office.wish())
    assert (refund.kind, refund.state) == (RefundKind.VOID, RefundState.DONE)
    assert refund.transaction_id == "sale1"
    assert office.state is AttemptState.VOIDED


async def test_a_settled_one_is_refunded_in_parts_or_whole() -> None:
    office = Office(Standing.SETTLED)
    part = await office.refunding.give_back(office.wish("10.00", "k1"))
    assert (part.kind, part.amount) == (RefundKind.REFUND, Money.of("10.00", "EUR"))
    rest = await office.refunding.give_back(office.wish(key="k2"))
    assert rest.amount == Money.of("32.50", "EUR")
    assert office.giver.credits == [part.amount, rest.amount]
    assert office.state is AttemptState.REFUNDED


async def test_a_part_of_what_is_not_settled_is_refused_with_what_to_do() -> None:
    office = Office()
    with pytest.raises(NotRefundable, match="tomorrow"):
        await office.refunding.give_back(office.wish("10.00"))
    assert office.giver.asked == []
    assert office.company.refunds == {}


async def test_a_void_is_not_turned_into_a_refund() -> None:
    office = Office(Standing.SETTLED)
    with pytest.raises(NotRefundable, match="refund it"):
        await office.refunding.give_back(office.wish(only_void=True))
    assert office.giver.asked == []


@pytest.mark.parametrize("standing", [Standing.VOIDED, Standing.RETURNED, Standing.PENDING])
async def test_a_payment_that_the_gateway_does_not_hold_is_not_given_back(
    standing: Standing,
) -> None:
    office = Office(standing)
    with pytest.raises(NotRefundable, match=str(standing)):
        await office.refunding.give_back(office.wish())


async def test_the_same_key_gives_the_same_refund_and_asks_nobody_again() -> None:
    office = Office(Standing.SETTLED)
    first = await office.refunding.give_back(office.wish("10.00"))
    assert await office.refunding.give_back(office.wish("10.00")) == first
    assert len(office.giver.asked) == 1
    with pytest.raises(RefundKeyUsed):
        await office.refunding.give_back(office.wish("11.00"))


async def test_two_at_once_with_one_key_are_one_refund() -> None:
    office = Office(Standing.SETTLED)
    await asyncio.gather(*(office.refunding.give_back(office.wish("10.00")) for _ in range(3)))
    await office.refunding.give_back(office.wish("10.00"))
    assert office.giver.credits == [Money.of("10.00", "EUR")]


async def test_what_the_gateway_refuses_is_refused_and_says_why() -> None:
    office = Office()
    office.giver.will(NotGivenBack("91504 too late"))
    refund = await office.refunding.give_back(office.wish())
    assert (refund.state, refund.why) == (RefundState.REFUSED, "91504 too late")
    assert office.state is AttemptState.CAPTURED


async def test_a_gateway_that_was_not_reached_gave_nothing_back() -> None:
    office = Office()
    office.giver.will(GatewayNotReached("no network"))
    refund = await office.refunding.give_back(office.wish())
    assert refund.state is RefundState.REFUSED


async def test_who_asked_may_leave_and_it_is_carried_out_all_the_same() -> None:
    office = Office()
    office.giver.seconds = 0.01
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await office.refunding.give_back(office.wish())
    assert (await office.tasks[0]).state is RefundState.DONE


async def test_a_lost_answer_is_unknown_and_found_in_the_books() -> None:
    office = Office(Standing.SETTLED)
    office.giver.loses_answers = True
    refund = await office.refunding.give_back(office.wish("10.00"))
    assert refund.state is RefundState.UNKNOWN
    assert await office.refunding.resolve() == 0
    assert office.company.refunds[refund.id].refund.state is RefundState.DONE
    assert len(office.giver.asked) == 1
    assert office.giver.credits == [Money.of("10.00", "EUR")]


@pytest.mark.parametrize(
    ("standing", "state"),
    [
        (Standing.REFUSED, RefundState.REFUSED),
        (Standing.VOIDED, RefundState.REFUSED),
        (Standing.PENDING, RefundState.UNKNOWN),
        (Standing.SETTLED, RefundState.DONE),
    ],
)
async def test_a_refund_in_the_books_is_done_only_if_the_bank_took_it(
    standing: Standing, state: RefundState
) -> None:
    office = Office(Standing.SETTLED)
    office.giver.loses_answers = True
    refund = await office.refunding.give_back(office.wish("10.00"))
    (credit,) = [each for each in office.giver.books.values() if not each.is_sale]
    office.giver.books[credit.id] = replace(credit, standing=standing)
    await office.refunding.resolve()
    assert office.company.refunds[refund.id].refund.state is state
    assert len(office.giver.asked) == 1


async def test_a_void_whose_answer_is_lost_is_found_at_the_sale() -> None:
    office = Office()
    office.giver.loses_answers = True
    await office.refunding.give_back(office.wish())
    assert await office.refunding.resolve() == 0
    assert office.state is AttemptState.VOIDED
    assert len(office.giver.asked) == 1


async def test_what_never_arrived_is_asked_for_again_with_the_same_key() -> None:
    office = Office(Standing.SETTLED)
    office.giver.will(OutcomeUnknown("reset"), OutcomeUnknown("reset"))
    refund = await office.refunding.give_back(office.wish("10.00"))
    assert await office.refunding.resolve() == 1
    assert await office.refunding.resolve() == 0
    assert office.giver.asked == [str(refund.id)] * 3
    assert office.giver.credits == [Money.of("10.00", "EUR")]


async def test_without_keys_nothing_is_sent_again_and_given_up_when_it_will_not_come() -> None:
    office = Office(Standing.SETTLED)
    office.giver.request_keys = False
    office.giver.will(OutcomeUnknown("reset"))
    refund = await office.refunding.give_back(office.wish("10.00"))
    assert await office.refunding.resolve() == 1
    office.company.refunds[refund.id].asked_at -= 1000
    assert await office.refunding.resolve() == 0
    assert office.company.refunds[refund.id].refund.state is RefundState.REFUSED
    assert len(office.giver.asked) == 1
    assert office.giver.credits == []


async def test_who_has_yet_to_learn_that_there_are_no_keys_gives_nothing_back_twice() -> None:
    office = Office(Standing.SETTLED)
    office.giver.takes_keys = False
    office.giver.will(OutcomeUnknown("done, and the answer was lost"))
    refund = await office.refunding.give_back(office.wish("10.00"))
    office.giver.request_keys = True  # the next run of the daemon
    assert await office.refunding.resolve() == 1
    assert office.company.refunds[refund.id].refund.state is RefundState.UNKNOWN
    assert office.giver.credits == []


async def test_a_key_that_the_gateway_can_say_nothing_of_is_searched_for_and_then_given_up() -> (
    None
):
    office = Office(Standing.SETTLED)
    office.giver.will(*[OutcomeUnknown("915234")] * 2)
    refund = await office.refunding.give_back(office.wish("10.00"))
    assert await office.refunding.resolve() == 1
    kept = office.company.refunds[refund.id]
    kept.asked_at -= AGAIN_SECONDS
    assert await office.refunding.resolve() == 1
    kept.asked_at -= GONE_SECONDS - AGAIN_SECONDS
    assert await office.refunding.resolve() == 0
    assert kept.refund.state is RefundState.REFUSED
    assert len(office.giver.asked) == 2
    assert (await office.refunding.outlook(office.attempt.id)).left == WHOLE


async def test_a_refund_whose_end_cannot_be_written_holds_up_no_other() -> None:
    class Stubborn(FakeRefunds):
        async def done(self, refund_id: UUID, transaction_id: str) -> Refund:
            if refund_id == bad.id:
                raise BillingError("the database refused it")
            return await super().done(refund_id, transaction_id)

    office = Office(Standing.SETTLED)
    office.giver.will(*[OutcomeUnknown("reset")] * 2)
    bad = await office.refunding.give_back(office.wish("10.00", "k1"))
    good = await office.refunding.give_back(office.wish("11.00", "k2"))
    stubborn = Refunding(Stubborn(office.company), office.giver, office.spawn)
    assert await stubborn.resolve() == 1
    assert office.company.refunds[good.id].refund.state is RefundState.DONE


async def test_a_ledger_that_goes_away_in_between_leaves_nothing_done_twice() -> None:
    office = Office(Standing.SETTLED)
    office.giver.seconds = 0.01
    asking = asyncio.create_task(office.refunding.give_back(office.wish("10.00")))
    await asyncio.sleep(0.005)
    office.company.away = True
    with pytest.raises(LedgerUnavailable):
        await asking
    office.company.away = False
    (kept,) = office.company.refunds.values()
    assert kept.refund.state is RefundState.ASKED
    assert await office.refunding.resolve() == 0  # its own task may be at it still
    kept.asked_at -= 1000
    assert await office.refunding.resolve() == 0
    assert office.company.refunds[kept.refund.id].refund.state is RefundState.DONE
    assert office.giver.credits == [Money.of("10.00", "EUR")]


cents = st.integers(min_value=0, max_value=10_000)


@given(st.lists(cents, min_size=1, max_size=6), st.data())
def test_what_goes_back_is_taken_from_the_newest_bills_and_never_more_than_they_got(
    applied: list[int], data: st.DataObject
) -> None:
    parts = [Allocation(n, euros(amount)) for n, amount in enumerate(applied)]
    back = euros(data.draw(st.integers(min_value=0, max_value=sum(applied) + 500)))
    spread = spread_back(parts, back)
    took = total((part.amount for part in spread), "EUR")
    assert took == min(back, euros(sum(applied)))
    assert all(part.amount and not parts[part.invoice_id].amount < part.amount for part in spread)
    opened = {part.invoice_id for part in spread}
    newer = parts[min(opened) + 1 :] if opened else []
    assert [part for part in newer if part.amount] == list(reversed(spread[:-1]))


def euros(cents_: int) -> Money:
    return Money.of(f"{cents_ // 100}.{cents_ % 100:02d}", "EUR")
