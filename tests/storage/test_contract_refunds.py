"""Refunds and voids in the ledger, the same in memory and in Postgres."""

from datetime import date
from uuid import uuid4

import pytest

from ivr.billing.errors import AttemptNotFound, TransitionRefused
from ivr.billing.invoices import Invoice
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState
from ivr.billing.refunding import NotRefundable, RefundKeyUsed
from ivr.billing.refunds import RefundKind, RefundState, RefundWish
from tests.storage.test_contract_ledger import CAPTURED, REFUSAL, charging, one_invoice
from tests.storage.world import World


def euros(amount: str) -> Money:
    return Money.of(amount, "EUR")


async def paid(world: World, *invoices: Invoice) -> Attempt:
    attempt = await charging(world, *(invoices or [await one_invoice(world)]))
    await world.ledger.captured(attempt.id, CAPTURED)
    return attempt


def wish(attempt: Attempt, amount: str = "", *, key: str = "", reopen: bool = False) -> RefundWish:
    return RefundWish(
        attempt_id=attempt.id,
        amount=euros(amount) if amount else None,
        reason="charged by mistake",
        who="billing",
        key=key or uuid4().hex,
        reopen=reopen,
    )


async def given_back(
    world: World,
    attempt: Attempt,
    amount: str = "",
    kind: RefundKind = RefundKind.REFUND,
    *,
    reopen: bool = False,
) -> None:
    refund, _ = await world.refunds.open(wish(attempt, amount, reopen=reopen), kind)
    await world.refunds.done(refund.id, f"credit-{refund.id.hex[:8]}")


async def test_a_whole_refund_ends_the_payment_and_is_told(world: World) -> None:
    attempt = await paid(world)
    refund, is_new = await world.refunds.open(wish(attempt), RefundKind.REFUND)
    assert (refund.amount, refund.state, is_new) == (attempt.amount, RefundState.ASKED, True)
    assert refund.sale_id == CAPTURED.transaction_id
    done = await world.refunds.done(refund.id, "credit1")
    assert (done.state, done.transaction_id) == (RefundState.DONE, "credit1")
    assert done.ended_at
    assert await world.state(attempt) is AttemptState.REFUNDED
    told = await world.events(attempt)
    assert told[-3:] == ["payment.refunded", "refund", "refund"]  # a text and a mail


async def test_a_void_ends_the_payment_and_is_told(world: World) -> None:
    attempt = await paid(world)
    await given_back(world, attempt, kind=RefundKind.VOID)
    assert await world.state(attempt) is AttemptState.VOIDED
    assert "payment.voided" in await world.events(attempt)


async def test_parts_are_given_back_until_nothing_is_left(world: World) -> None:
    attempt = await paid(world)
    for amount in ("10.00", "32.49"):
        await given_back(world, attempt, amount)
        assert await world.state(attempt) is AttemptState.CAPTURED
    with pytest.raises(NotRefundable, match=r"0\.01 EUR"):
        await world.refunds.open(wish(attempt, "0.02"), RefundKind.REFUND)
    await given_back(world, attempt)
    assert await world.state(attempt) is AttemptState.REFUNDED
    with pytest.raises(NotRefundable):
        await world.refunds.open(wish(attempt), RefundKind.REFUND)


@pytest.mark.parametrize("amount", ["0.00", "42.51"])
async def test_nothing_and_more_than_was_taken_are_never_given_back(
    world: World, amount: str
) -> None:
    attempt = await paid(world)
    with pytest.raises(NotRefundable):
        await world.refunds.open(wish(attempt, amount), RefundKind.REFUND)


async def test_what_may_have_been_given_back_counts_until_it_is_known(world: World) -> None:
    attempt = await paid(world)
    refund, _ = await world.refunds.open(wish(attempt, "40.00"), RefundKind.REFUND)
    await world.refunds.unknown(refund.id, "no answer")
    with pytest.raises(NotRefundable):
        await world.refunds.open(wish(attempt, "2.51"), RefundKind.REFUND)
    refused = await world.refunds.refused(refund.id, "the gateway never did it")
    assert (refused.state, refused.why) == (RefundState.REFUSED, "the gateway never did it")
    assert (await world.refunds.payment(attempt.id)).left == attempt.amount


async def test_the_same_key_is_one_refund_and_another_wish_with_it_is_refused(
    world: World,
) -> None:
    attempt = await paid(world)
    first = wish(attempt, "10.00", key=uuid4().hex)
    refund, _ = await world.refunds.open(first, RefundKind.REFUND)
    assert await world.refunds.open(first, RefundKind.REFUND) == (refund, False)
    assert await world.refunds.of_key(first) == refund
    with pytest.raises(RefundKeyUsed):
        await world.refunds.open(wish(attempt, "11.00", key=first.key), RefundKind.REFUND)
    with pytest.raises(RefundKeyUsed):
        await world.refunds.of_key(wish(attempt, "11.00", key=first.key))


async def test_what_has_ended_stays_as_it_is(world: World) -> None:
    attempt = await paid(world)
    refund, _ = await world.refunds.open(wish(attempt, "10.00"), RefundKind.REFUND)
    done = await world.refunds.done(refund.id, "credit1")
    assert await world.refunds.done(refund.id, "credit2") == done
    assert await world.refunds.refused(refund.id, "late") == done
    assert await world.refunds.unknown(refund.id, "late") == done
    assert (await world.events(attempt)).count("payment.refunded") == 1


async def test_the_invoice_is_owed_again_only_if_staff_says_so(world: World) -> None:
    invoice = await one_invoice(world)
    attempt = await paid(world, invoice)
    await given_back(world, attempt, "10.00")
    assert not (await world.invoice_now(invoice)).due
    await given_back(world, attempt, "5.00", reopen=True)
    assert (await world.invoice_now(invoice)).due == euros("5.00")
    assert (await world.events(attempt)).count("invoice.part-paid") == 1
    await given_back(world, attempt, reopen=True)
    assert (await world.invoice_now(invoice)).due == euros("32.50")


async def test_an_invoice_of_which_nothing_is_paid_any_more_is_told_to_be_unpaid(
    world: World,
) -> None:
    attempt = await paid(world)
    await given_back(world, attempt, kind=RefundKind.VOID, reopen=True)
    assert "invoice.unpaid" in await world.events(attempt)


@pytest.mark.parametrize("state", [AttemptState.VOIDED, AttemptState.REFUNDED])
async def test_what_the_gateway_shows_of_a_refund_under_way_does_not_reopen_the_invoice(
    world: World, state: AttemptState
) -> None:
    invoice = await one_invoice(world)
    attempt = await paid(world, invoice)
    kind = RefundKind.VOID if state is AttemptState.VOIDED else RefundKind.REFUND
    refund, _ = await world.refunds.open(wish(attempt), kind)
    with pytest.raises(TransitionRefused):
        await world.ledger.became(attempt.id, state)
    await world.refunds.done(refund.id, "credit1")
    await world.ledger.became(attempt.id, state)
    assert await world.state(attempt) is state
    assert not (await world.invoice_now(invoice)).due


async def test_the_newest_invoice_is_owed_again_first(world: World) -> None:
    line = await world.service(await world.customer())
    old = await world.invoice(line, "10.00", due=date(2026, 1, 31))
    new = await world.invoice(line, "20.00", due=date(2026, 2, 28))
    attempt = await paid(world, old, new)
    await given_back(world, attempt, "15.00", reopen=True)
    assert (await world.invoice_now(new)).due == euros("15.00")
    assert not (await world.invoice_now(old)).due
    await given_back(world, attempt, "10.00", reopen=True)
    assert (await world.invoice_now(new)).due == euros("20.00")
    assert (await world.invoice_now(old)).due == euros("5.00")


async def test_an_invoice_that_is_owed_again_can_be_paid_again(world: World) -> None:
    invoice = await one_invoice(world)
    await given_back(world, await paid(world, invoice), kind=RefundKind.VOID, reopen=True)
    await paid(world, await world.invoice_now(invoice))
    assert not (await world.invoice_now(invoice)).due


async def test_a_void_is_of_the_whole_payment(world: World) -> None:
    attempt = await paid(world)
    with pytest.raises(NotRefundable, match="not settled"):
        await world.refunds.open(wish(attempt, "10.00"), RefundKind.VOID)


async def test_only_a_payment_that_was_taken_is_given_back(world: World) -> None:
    declined = await charging(world, await one_invoice(world))
    await world.ledger.declined(declined.id, REFUSAL)
    with pytest.raises(NotRefundable, match="declined"):
        await world.refunds.payment(declined.id)
    with pytest.raises(NotRefundable):
        await world.refunds.open(wish(declined), RefundKind.REFUND)
    nobody = RefundWish(uuid4(), None, "reason", "who", uuid4().hex)
    with pytest.raises(AttemptNotFound):
        await world.refunds.payment(nobody.attempt_id)
    with pytest.raises(AttemptNotFound):
        await world.refunds.open(nobody, RefundKind.REFUND)


async def test_money_of_another_currency_is_not_given_back(world: World) -> None:
    attempt = await paid(world)
    dollars = RefundWish(attempt.id, Money.of("1.00", "USD"), "reason", "who", uuid4().hex)
    with pytest.raises(NotRefundable, match="EUR"):
        await world.refunds.open(dollars, RefundKind.REFUND)


async def test_those_without_an_answer_are_found_again(world: World) -> None:
    attempt = await paid(world)
    asked, _ = await world.refunds.open(wish(attempt, "1.00"), RefundKind.REFUND)
    unknown, _ = await world.refunds.open(wish(attempt, "2.00"), RefundKind.REFUND)
    await world.refunds.unknown(unknown.id, "no answer")
    done, _ = await world.refunds.open(wish(attempt, "3.00"), RefundKind.REFUND)
    await world.refunds.done(done.id, "credit1")

    async def found(older_than_seconds: float) -> set[object]:
        ours = await world.refunds.unfinished(older_than_seconds)
        return {refund.id for refund, _ in ours if refund.attempt_id == attempt.id}

    assert await found(60) == {unknown.id}
    assert await found(-1) == {asked.id, unknown.id}
