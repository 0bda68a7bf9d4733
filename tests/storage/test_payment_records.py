"""Payments as staff sees them, from Postgres: found by every number, and all that happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ivr.billing.customers import Customer
from ivr.billing.errors import AttemptNotFound
from ivr.billing.money import Money
from ivr.billing.payment_records import StepKind
from ivr.billing.payments import Attempt, AttemptState, Captured, confirmation_code
from ivr.billing.refunds import RefundKind
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.sql import QUERIES
from tests.storage.test_contract_ledger import REFUSAL, charging, one_invoice
from tests.storage.test_contract_refunds import given_back, paid, wish
from tests.storage.world import CARD, PostgresWorld, opened


def euros(amount: str) -> Money:
    return Money.of(amount, "EUR")


@pytest.fixture
def payments(real: PostgresWorld) -> PostgresPayments:
    return PostgresPayments(real.database)


async def numbers_of(real: PostgresWorld, attempt: Attempt) -> tuple[str, str]:
    """Of the account and of the first invoice."""
    account = await real.ask(
        "SELECT account_number FROM customers WHERE id = $1", attempt.customer_id
    )
    invoice = await real.ask(
        "SELECT number FROM invoices WHERE id = $1", attempt.allocations[0].invoice_id
    )
    return str(account), str(invoice)


async def sold(real: PostgresWorld) -> tuple[Attempt, str]:
    """A payment with a transaction of its own, which the gateway's clock dates to whole seconds."""
    attempt = await charging(real, await one_invoice(real))
    sale = uuid4().hex[:8]
    await real.ledger.captured(
        attempt.id, Captured(sale, "1000", datetime.now(UTC).replace(microsecond=0))
    )
    return attempt, sale


async def test_a_payment_is_found_by_every_number_of_it(
    real: PostgresWorld, payments: PostgresPayments
) -> None:
    attempt, sale = await sold(real)
    await sold(real)
    account, invoice = await numbers_of(real, attempt)
    code = confirmation_code(attempt.id)
    for number in (account, invoice, invoice.lower(), code, sale, attempt.order_id):
        page = await payments.matching(None, 10, number=number)
        assert [each.id for each in page.items] == [attempt.id], number
    assert (await payments.matching(None, 10, number="none")).items == ()
    (found,) = (await payments.matching(None, 10, number=account)).items
    assert (found.account_number, found.customer_name) == (account, "James Smith")
    assert (found.last4, found.confirmation) == (CARD.last4, code)


async def of_one_customer(real: PostgresWorld) -> tuple[Customer, list[Attempt]]:
    """Paid, declined, paid, declined."""
    customer = await real.customer()
    service = await real.service(customer)
    attempts = []
    for number in range(4):
        attempt = await charging(real, await real.invoice(service))
        if number % 2:
            await real.ledger.declined(attempt.id, REFUSAL)
        else:
            await real.ledger.captured(
                attempt.id, Captured(f"s{number}", "1000", datetime.now(UTC))
            )
        attempts.append(attempt)
    return customer, attempts


async def test_found_payments_come_in_pages_and_in_the_states_that_are_wanted(
    real: PostgresWorld, payments: PostgresPayments
) -> None:
    customer, attempts = await of_one_customer(real)
    account = customer.account_number
    first = await payments.matching(None, 3, number=account)
    assert [each.id for each in first.items] == [each.id for each in reversed(attempts[1:])]
    rest = await payments.matching(first.before, 3, number=account)
    assert ([each.id for each in rest.items], rest.before) == ([attempts[0].id], None)
    paid_ones = await payments.matching(None, 9, number=account, states={AttemptState.CAPTURED})
    assert [each.id for each in paid_ones.items] == [attempts[2].id, attempts[0].id]


async def test_states_alone_are_read_in_pages_newest_first(
    real: PostgresWorld, payments: PostgresPayments
) -> None:
    await of_one_customer(real)
    wanted = {AttemptState.CAPTURED, AttemptState.DECLINED}
    everything = (await payments.recent(None, 1000)).items
    whole = [each.id for each in everything if each.state in wanted]
    found, cursor = [], None
    while True:
        page = await payments.matching(cursor, 3, states=wanted)
        found += [each.id for each in page.items]
        cursor = page.before
        if cursor is None:
            break
    assert len(whole) >= 4
    assert found == whole
    declined = await payments.matching(None, 1000, states={AttemptState.DECLINED})
    assert {each.state for each in declined.items} == {AttemptState.DECLINED}


async def test_what_went_back_and_what_perhaps_did_are_told_apart(
    real: PostgresWorld, payments: PostgresPayments
) -> None:
    attempt = await paid(real)
    await given_back(real, attempt, "10.00")
    refused, _ = await real.refunds.open(wish(attempt, "1.00"), RefundKind.REFUND)
    await real.refunds.refused(refused.id, "no")
    await real.refunds.open(wish(attempt, "5.00"), RefundKind.REFUND)
    shown = (await payments.details(attempt.id)).payment
    assert (shown.refunded, shown.refunding) == (euros("10.00"), euros("5.00"))
    assert shown.state is AttemptState.CAPTURED


async def test_the_history_says_who_gave_what_back_and_why(
    real: PostgresWorld, payments: PostgresPayments
) -> None:
    attempt, _ = await sold(real)
    refund, _ = await real.refunds.open(wish(attempt, "10.00", reopen=True), RefundKind.REFUND)
    await real.refunds.unknown(refund.id, "no answer")
    await real.refunds.done(refund.id, "credit1")
    details = await payments.details(attempt.id)
    assert [step.kind for step in details.steps] == [
        StepKind.OPENED, StepKind.CHARGING, StepKind.CAPTURED,
        StepKind.REFUND_ASKED, StepKind.REFUND_UNKNOWN, StepKind.REFUND_DONE,
    ]  # fmt: skip
    assert [step.refund for step in details.steps[3:]] == [refund.id] * 3
    assert details.steps[4].why == "no answer"
    (kept,) = details.refunds
    assert (kept.who, kept.reason, kept.amount) == ("billing", "charged by mistake", euros("10.00"))
    (part,) = details.invoices
    assert (part.amount, part.applied, part.reopened, part.due) == (
        euros("42.50"), euros("42.50"), euros("10.00"), euros("10.00"),
    )  # fmt: skip


async def test_an_unknown_outcome_that_was_found_out_stays_in_the_history(
    real: PostgresWorld, payments: PostgresPayments
) -> None:
    attempt = await charging(real, await one_invoice(real))
    await real.ledger.unknown(attempt.id, "no answer")
    before = await payments.details(attempt.id)
    assert [step.kind for step in before.steps][-1] is StepKind.UNKNOWN
    assert not before.needs_person
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    await real.ledger.captured(attempt.id, Captured("sale1", "1000", hour_ago))
    after = await payments.details(attempt.id)
    assert [step.kind for step in after.steps][2:] == [
        StepKind.UNKNOWN, StepKind.CAPTURED, StepKind.FOUND_OUT,
    ]  # fmt: skip


async def test_a_declined_payment_says_what_the_bank_said(
    real: PostgresWorld, payments: PostgresPayments
) -> None:
    attempt = await charging(real, await one_invoice(real))
    await real.ledger.declined(attempt.id, REFUSAL)
    details = await payments.details(attempt.id)
    assert (details.steps[-1].kind, details.steps[-1].why) == (StepKind.DECLINED, REFUSAL.text)
    assert details.invoices[0].applied == euros("0.00")


async def test_what_was_only_opened_is_there_too_and_a_stranger_is_not(
    real: PostgresWorld, payments: PostgresPayments
) -> None:
    attempt = await opened(real, await one_invoice(real))
    details = await payments.details(attempt.id)
    assert [step.kind for step in details.steps] == [StepKind.OPENED]
    assert not details.by_link
    with pytest.raises(AttemptNotFound):
        await payments.details(uuid4())


@pytest.mark.parametrize(
    ("query", "values", "index"),
    [
        ("payments_in_states", (None, ["unknown"], 3), "attempts_by_state"),
        ("payments_found", (None, [], "12345678", 3), "attempts_by_confirmation"),
    ],
)
async def test_nothing_is_found_by_reading_everything(
    real: PostgresWorld, query: str, values: tuple[object, ...], index: str
) -> None:
    """Asked of the planner, who would rather read small tables whole."""
    async with real.database.session() as session, session.rehearsal():
        await session.raw.execute("SET LOCAL enable_seqscan = off")
        rows = await session.raw.fetch(f"EXPLAIN {QUERIES[query].text}", *values)
    assert index in "\n".join(row[0] for row in rows)
