"""Debits of bank accounts in the ledger, the same in memory and in Postgres."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from ivr.billing.bank_accounts import AccountHolder, BankAccountKeyed, KeptAs, Mandate
from ivr.billing.captures import ACCOUNT_FIELDS, CaptureOutcome, CaptureRequest, CaptureResult
from ivr.billing.customers import ServiceStatus, SuspensionReason
from ivr.billing.invoices import Invoice
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState, BankAccountOnHand, Captured
from ivr.billing.ports import Ledger
from ivr.billing.refunds import RefundKind, RefundWish
from ivr.billing.settling import Became, Notification, Settling, TooSoon
from tests.storage.world import PostgresWorld, World, opened

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def transaction() -> str:
    return uuid4().hex[:8]


async def suspended(world: World) -> Invoice:
    """The last unpaid invoice of a line that is suspended for it."""
    line = await world.service(await world.customer(), SuspensionReason.NON_PAYMENT)
    return await world.invoice(line)


def mandate(attempt: Attempt, how: KeptAs = "clip") -> Mandate:
    return Mandate(attempt.id, "call-1", "I agree to one debit", "en", AT, how, "12.0-30.5 s")


async def debited(
    world: World, invoice: Invoice, *, ledger: Ledger | None = None, how: KeptAs = "clip"
) -> tuple[Attempt, str]:
    """A debit that the gateway accepted, and its transaction."""
    ledger = ledger or world.ledger
    attempt = await opened(world, invoice)
    agreed = mandate(attempt, how)
    await world.mandates.keep(agreed)
    means = BankAccountOnHand("0000", "checking", "vaulted", agreed.wording, agreed.accepted_at)
    await ledger.begin_charging(attempt.id, means)
    sale = transaction()
    await ledger.captured(attempt.id, Captured(sale, "1000", AT))
    return attempt, sale


def told(
    sale: str, state: AttemptState | None, *, order: str = "", digest: str = ""
) -> Notification:
    kind = f"transaction_{state}" if state else "dispute_opened"
    letters = digest or "".join(chr(ord("a") + byte % 16) for byte in uuid4().bytes * 4)
    return Notification(letters, kind, AT, state, sale, order)


async def test_a_capture_of_an_account_is_asked_for_answered_and_read(world: World) -> None:
    holder = AccountHolder("James Smith", "I agree")
    asked = CaptureRequest(uuid4(), uuid4().hex, "es", ACCOUNT_FIELDS, holder=holder)
    await world.captures.open(asked)
    assert await world.captures.request(asked.id) == asked
    account = BankAccountKeyed("0000", "savings", "tokenusbankacct_1")
    outcome = CaptureOutcome(CaptureResult.SUCCESS, account=account)
    await world.captures.close(asked.id, outcome)
    assert await world.captures.outcome(asked.id) == outcome


async def test_the_same_debit_could_be_sent_again_with_its_mandate(world: World) -> None:
    attempt = await opened(world, await suspended(world))
    agreed = mandate(attempt)
    await world.mandates.keep(agreed)
    means = BankAccountOnHand("0000", "checking", "vaulted", agreed.wording, agreed.accepted_at)
    await world.ledger.begin_charging(attempt.id, means)
    assert await world.ledger.sent(attempt.id) == (means, None)


@pytest.mark.parametrize(("how", "notices"), [("clip", 0), ("notice", 2)])
async def test_the_notice_of_a_mandate_goes_out_with_the_debit(
    world: World, how: KeptAs, notices: int
) -> None:
    attempt, _ = await debited(world, await suspended(world), how=how)
    assert (await world.events(attempt)).count("mandate") == notices


async def test_the_first_mandate_of_a_payment_stays(world: World) -> None:
    attempt = await opened(world, await suspended(world))
    await world.mandates.keep(mandate(attempt, "notice"))
    await world.mandates.keep(mandate(attempt, "clip"))
    means = BankAccountOnHand("0000", "checking", "vaulted")
    await world.ledger.begin_charging(attempt.id, means)
    await world.ledger.captured(attempt.id, Captured(transaction(), "1000", AT))
    assert "mandate" in await world.events(attempt)


async def test_a_debit_is_settled_and_then_returned_and_owed_again(world: World) -> None:
    invoice = await suspended(world)
    attempt, sale = await debited(world, invoice)
    assert not (await world.invoice_now(invoice)).due
    settling = Settling(world.ledger, world.notifications)
    assert await settling.take(told(sale, AttemptState.SETTLED)) is Became.SETTLED
    assert await world.state(attempt) is AttemptState.SETTLED
    assert await settling.take(told(sale, AttemptState.RETURNED)) is Became.RETURNED
    assert await world.state(attempt) is AttemptState.RETURNED
    assert (await world.invoice_now(invoice)).due == invoice.due
    assert (await world.events(attempt))[-6:] == [
        "payment.settled", "payment.returned", "invoice.unpaid",
        "service.reactivation-reversed", "bank-return", "bank-return",
    ]  # fmt: skip


async def test_a_line_that_came_back_is_suspended_again_if_its_debit_is_returned(
    world: World,
) -> None:
    line = await world.service(await world.customer(), SuspensionReason.NON_PAYMENT)
    attempt, _ = await debited(world, await world.invoice(line))
    assert (await world.service_now(line)).status is ServiceStatus.ACTIVE
    await world.ledger.became(attempt.id, AttemptState.RETURNED)
    now = await world.service_now(line)
    assert (now.status, now.suspended_for) == (
        ServiceStatus.SUSPENDED,
        SuspensionReason.NON_PAYMENT,
    )


async def test_a_line_that_was_never_off_stays_on_when_its_debit_is_returned(
    world: World,
) -> None:
    line = await world.service(await world.customer())
    attempt, _ = await debited(world, await world.invoice(line))
    await world.ledger.became(attempt.id, AttemptState.RETURNED)
    assert (await world.service_now(line)).status is ServiceStatus.ACTIVE
    assert "service.reactivation-reversed" not in await world.events(attempt)


async def test_where_the_company_waits_a_line_comes_back_at_settlement(world: World) -> None:
    line = await world.service(await world.customer(), SuspensionReason.NON_PAYMENT)
    ledger = world.settling_first(Method.BANK_ACCOUNT)
    attempt, _ = await debited(world, await world.invoice(line), ledger=ledger)
    assert (await world.service_now(line)).status is ServiceStatus.SUSPENDED
    await ledger.became(attempt.id, AttemptState.SETTLED)
    assert (await world.service_now(line)).status is ServiceStatus.ACTIVE
    assert (await world.events(attempt))[-2:] == ["payment.settled", "service.reactivated"]
    await ledger.became(attempt.id, AttemptState.RETURNED)
    assert (await world.service_now(line)).status is ServiceStatus.SUSPENDED


async def test_a_line_that_owes_more_stays_off_at_settlement(world: World) -> None:
    line = await world.service(await world.customer(), SuspensionReason.NON_PAYMENT)
    ledger = world.settling_first(Method.BANK_ACCOUNT)
    attempt, _ = await debited(world, await world.invoice(line), ledger=ledger)
    await world.invoice(line)
    await ledger.became(attempt.id, AttemptState.SETTLED)
    assert (await world.service_now(line)).status is ServiceStatus.SUSPENDED


@pytest.mark.parametrize("state", [AttemptState.SETTLED, AttemptState.RETURNED])
async def test_a_notification_told_again_changes_nothing(world: World, state: AttemptState) -> None:
    attempt, sale = await debited(world, await suspended(world))
    settling = Settling(world.ledger, world.notifications)
    first = told(sale, state)
    await settling.take(first)
    before = list(await world.events(attempt))
    assert await settling.take(first) is Became.IGNORED
    again = told(sale, state)  # the same, with another time stamp
    await settling.take(again)
    assert await world.events(attempt) == before
    assert await world.state(attempt) is state


async def test_settled_after_returned_changes_nothing(world: World) -> None:
    attempt, sale = await debited(world, await suspended(world))
    settling = Settling(world.ledger, world.notifications)
    await settling.take(told(sale, AttemptState.RETURNED))
    assert await settling.take(told(sale, AttemptState.SETTLED)) is Became.IGNORED
    assert await world.state(attempt) is AttemptState.RETURNED


async def test_what_is_told_of_a_charge_that_is_not_written_down_must_be_told_again(
    world: World,
) -> None:
    attempt = await opened(world, await suspended(world))
    await world.ledger.begin_charging(attempt.id, BankAccountOnHand("0000", "checking", "vaulted"))
    early = told(transaction(), AttemptState.SETTLED, order=attempt.order_id)
    with pytest.raises(TooSoon):
        await Settling(world.ledger, world.notifications).take(early)
    assert not await world.notifications.known(early.digest)


async def test_what_concerns_nobody_here_is_kept_and_ignored(world: World) -> None:
    settling = Settling(world.ledger, world.notifications)
    for one in (
        told(transaction(), AttemptState.SETTLED),
        told(transaction(), None),
        told("", None),
    ):
        assert await settling.take(one) is Became.IGNORED
        assert await world.notifications.known(one.digest)


async def test_a_refund_of_the_same_order_is_not_taken_for_the_sale(world: World) -> None:
    attempt, _ = await debited(world, await suspended(world))
    refund = told(transaction(), AttemptState.SETTLED, order=attempt.order_id)
    settling = Settling(world.ledger, world.notifications)
    assert await settling.take(refund) is Became.IGNORED
    assert await world.state(attempt) is AttemptState.CAPTURED


async def refunded(world: World, attempt: Attempt, amount: str, *, reopen: bool = False) -> None:
    """By staff."""
    some = Money.of(amount, "EUR")
    wish = RefundWish(attempt.id, some, "by mistake", "billing", uuid4().hex, reopen=reopen)
    refund, _ = await world.refunds.open(wish, RefundKind.REFUND)
    await world.refunds.done(refund.id, transaction())


@pytest.mark.parametrize("amount", ["42.50", "10.00"])
@pytest.mark.parametrize("reopen", [True, False], ids=["reopened", "goodwill"])
async def test_money_that_the_bank_returns_after_it_was_refunded_is_told_as_given_back_twice(
    world: World,
    amount: str,
    reopen: bool,  # noqa: FBT001 - a case
) -> None:
    """And its invoice is owed again once, whatever staff had reopened of it."""
    invoice = await suspended(world)
    attempt, sale = await debited(world, invoice)
    settling = Settling(world.ledger, world.notifications)
    await settling.take(told(sale, AttemptState.SETTLED))
    await refunded(world, attempt, amount, reopen=reopen)
    for _ in range(2):
        await settling.take(told(sale, AttemptState.RETURNED))
    assert await world.state(attempt) is AttemptState.RETURNED
    assert (await world.invoice_now(invoice)).due == invoice.due
    kinds = await world.events(attempt)
    assert kinds.count("payment.given-back-twice") == 1
    assert kinds.count("payment.returned") == 1


async def test_a_return_alone_is_given_back_once(world: World) -> None:
    attempt, _ = await debited(world, await suspended(world))
    await world.ledger.became(attempt.id, AttemptState.RETURNED)
    assert "payment.given-back-twice" not in await world.events(attempt)


@pytest.mark.parametrize("code", ["R01", "R02", "R03", "R10"])
async def test_why_a_bank_returned_a_debit_is_kept_and_told(real: PostgresWorld, code: str) -> None:
    attempt, sale = await debited(real, await suspended(real))
    returned = replace(told(sale, AttemptState.RETURNED), reason=code)
    assert await Settling(real.ledger, real.notifications).take(returned) is Became.RETURNED
    assert await real.ask("SELECT reason FROM attempts WHERE id = $1", attempt.id) == code
    reasons = """
        SELECT array_agg(DISTINCT payload ->> 'reason') FROM events
        WHERE attempt_id = $1 AND kind IN ('payment.returned', 'bank-return')"""
    assert await real.ask(reasons, attempt.id) == [code]
