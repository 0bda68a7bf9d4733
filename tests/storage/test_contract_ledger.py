"""The ledger, the same in memory and in Postgres."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from ivr.billing.customers import ServiceStatus, SuspensionReason
from ivr.billing.errors import (
    AttemptNotFound,
    InvoiceAlreadyPaid,
    InvoiceBeingPaid,
    TransitionRefused,
)
from ivr.billing.invoices import Invoice
from ivr.billing.money import Money
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    BankAccountOnHand,
    Captured,
    CardOnFile,
    CardOnHand,
    DeclineBucket,
    KeepCard,
    MeansOnHand,
    PayPalOnHand,
    Refusal,
    confirmation_code,
)
from tests.storage.world import CARD, World, opened

CAPTURED = Captured("tx1abc", "1000", datetime(2026, 4, 1, 12, tzinfo=UTC))
MEANS: tuple[MeansOnHand, ...] = (
    CARD,
    CardOnFile(uuid4(), "visa", "1111", "1230", "vaulted1"),
    BankAccountOnHand("0000", "checking", "vaulted2"),
    PayPalOnHand("j…@example.com", "tokenpp_one"),
)
REFUSAL = Refusal("2001", "Insufficient Funds", DeclineBucket.SOFT, "tx2abc")


async def one_invoice(world: World, suspended: SuspensionReason | None = None) -> Invoice:
    return await world.invoice(await world.service(await world.customer(), suspended))


async def charging(world: World, *invoices: Invoice) -> Attempt:
    attempt = await opened(world, *invoices)
    await world.ledger.begin_charging(attempt.id, CARD)
    return attempt


async def test_a_captured_attempt_pays_its_invoice_and_forgets_the_token(world: World) -> None:
    invoice = await one_invoice(world)
    attempt = await charging(world, invoice)
    assert await world.token_kept(attempt) == CARD.token
    paid = await world.ledger.captured(attempt.id, CAPTURED)
    assert paid.amount == Money.of("42.50", "EUR")
    assert paid.confirmation == confirmation_code(attempt.id)
    assert await world.state(attempt) is AttemptState.CAPTURED
    assert await world.token_kept(attempt) == ""
    assert not (await world.invoice_now(invoice)).due
    assert await world.invoices.unpaid(invoice.customer_id) == []


async def test_a_capture_is_told_to_the_outbox_in_order(world: World) -> None:
    invoice = await one_invoice(world, SuspensionReason.NON_PAYMENT)
    attempt = await charging(world, invoice)
    await world.ledger.captured(attempt.id, CAPTURED)
    assert await world.events(attempt) == [
        "payment.captured",
        "invoice.paid",
        "service.reactivated",
        "receipt",  # by mail
        "receipt",  # by text
    ]


async def test_capturing_again_gives_the_same_and_changes_nothing(world: World) -> None:
    invoice = await one_invoice(world, SuspensionReason.NON_PAYMENT)
    attempt = await charging(world, invoice)
    first = await world.ledger.captured(attempt.id, CAPTURED)
    before = list(await world.events(attempt))
    assert await world.ledger.captured(attempt.id, CAPTURED) == first
    assert first.reactivated
    assert await world.events(attempt) == before
    assert (await world.invoice_now(invoice)).paid == invoice.amount


async def test_the_last_unpaid_invoice_of_a_line_brings_it_back(world: World) -> None:
    line = await world.service(await world.customer(), SuspensionReason.NON_PAYMENT)
    first, second = await world.invoice(line), await world.invoice(line)
    attempt = await charging(world, first)
    assert (await world.ledger.captured(attempt.id, CAPTURED)).reactivated == ()
    assert (await world.service_now(line)).status is ServiceStatus.SUSPENDED
    attempt = await charging(world, second)
    (back,) = (await world.ledger.captured(attempt.id, CAPTURED)).reactivated
    assert (back.service_id, back.label) == (line.id, line.label)
    now = await world.service_now(line)
    assert (now.status, now.suspended_for) == (ServiceStatus.ACTIVE, None)


@pytest.mark.parametrize("reason", [SuspensionReason.FRAUD, SuspensionReason.REQUESTED])
async def test_a_line_suspended_for_another_reason_stays_so(
    world: World, reason: SuspensionReason
) -> None:
    line = await world.service(await world.customer(), reason)
    attempt = await charging(world, await world.invoice(line))
    assert (await world.ledger.captured(attempt.id, CAPTURED)).reactivated == ()
    assert (await world.service_now(line)).suspended_for is reason


async def test_one_payment_covers_the_lines_of_a_family(world: World) -> None:
    customer = await world.customer()
    lines = [await world.service(customer, SuspensionReason.NON_PAYMENT) for _ in range(3)]
    invoices = [await world.invoice(line, "10.00", paid="2.50") for line in lines]
    attempt = await charging(world, *invoices)
    paid = await world.ledger.captured(attempt.id, CAPTURED)
    assert paid.amount == Money.of("22.50", "EUR")
    assert [back.service_id for back in paid.reactivated] == [line.id for line in lines]


async def test_an_invoice_paid_meanwhile_is_not_charged(world: World) -> None:
    invoice = await one_invoice(world)
    late = await opened(world, invoice)
    first = await charging(world, invoice)
    await world.ledger.captured(first.id, CAPTURED)
    with pytest.raises(InvoiceAlreadyPaid):
        await world.ledger.begin_charging(late.id, CARD)
    assert await world.state(late) is AttemptState.CANCELED
    assert await world.token_kept(late) == ""


@pytest.mark.parametrize("held_as", ["charging", "unknown"])
async def test_an_invoice_that_another_charge_holds_is_not_charged(
    world: World, held_as: str
) -> None:
    invoice = await one_invoice(world)
    first, second = await charging(world, invoice), await opened(world, invoice)
    if held_as == "unknown":
        await world.ledger.unknown(first.id, "no answer")
    with pytest.raises(InvoiceBeingPaid):
        await world.ledger.begin_charging(second.id, CARD)
    assert await world.state(second) is AttemptState.CANCELED


async def test_a_declined_charge_lets_go_of_its_invoice(world: World) -> None:
    invoice = await one_invoice(world)
    first = await charging(world, invoice)
    await world.ledger.declined(first.id, REFUSAL)
    await world.ledger.declined(first.id, REFUSAL)
    assert await world.events(first) == ["payment.declined"]
    assert await world.state(first) is AttemptState.DECLINED
    assert await world.token_kept(first) == ""
    await charging(world, invoice)


async def test_an_invoice_in_doubt_is_not_offered_until_it_is_settled(world: World) -> None:
    invoice = await one_invoice(world)
    attempt = await charging(world, invoice)
    await world.ledger.unknown(attempt.id, "no answer")
    assert await world.invoices.unpaid(invoice.customer_id) == []
    await world.ledger.failed(attempt.id, "not at the gateway")
    assert await world.invoices.unpaid(invoice.customer_id) == [invoice]


async def test_an_attempt_in_doubt_can_turn_out_captured(world: World) -> None:
    invoice = await one_invoice(world)
    attempt = await charging(world, invoice)
    await world.ledger.unknown(attempt.id, "no answer")
    await world.ledger.captured(attempt.id, CAPTURED)
    assert not (await world.invoice_now(invoice)).due


async def test_what_its_state_does_not_allow_is_refused(world: World) -> None:
    attempt = await opened(world, await one_invoice(world))
    with pytest.raises(TransitionRefused, match="created"):
        await world.ledger.captured(attempt.id, CAPTURED)
    with pytest.raises(TransitionRefused):
        await world.ledger.failed(attempt.id, "no")
    await world.ledger.begin_charging(attempt.id, CARD)
    with pytest.raises(TransitionRefused, match="charging"):
        await world.ledger.begin_charging(attempt.id, CARD)
    await world.ledger.captured(attempt.id, CAPTURED)
    with pytest.raises(TransitionRefused):
        await world.ledger.declined(attempt.id, REFUSAL)


async def test_giving_up_is_only_for_attempts_that_were_not_sent(world: World) -> None:
    invoice = await one_invoice(world)
    unsent, sent = await opened(world, invoice), await charging(world, invoice)
    for attempt in (unsent, sent):
        await world.ledger.cancel(attempt.id)
    assert await world.state(unsent) is AttemptState.CANCELED
    assert await world.state(sent) is AttemptState.CHARGING
    await world.ledger.cancel(uuid4())


@pytest.mark.parametrize("means", MEANS, ids=lambda means: means.method)
async def test_what_was_sent_is_kept_as_long_as_it_may_be_sent_again(
    world: World, means: MeansOnHand
) -> None:
    attempt = await opened(world, await one_invoice(world))
    assert await world.ledger.sent(attempt.id) is None
    keep = KeepCard("saldo-customer") if isinstance(means, CardOnHand) else None
    await world.ledger.begin_charging(attempt.id, means, keep)
    await world.ledger.unknown(attempt.id, "no answer")
    assert await world.ledger.sent(attempt.id) == (means, keep)
    await world.ledger.captured(attempt.id, CAPTURED)
    assert await world.ledger.sent(attempt.id) is None


async def test_opening_the_same_attempt_again_changes_nothing(world: World) -> None:
    attempt = await charging(world, await one_invoice(world))
    await world.ledger.open_attempt(attempt)
    assert await world.state(attempt) is AttemptState.CHARGING


async def test_an_attempt_that_does_not_exist_is_not_found(world: World) -> None:
    nobody = uuid4()
    with pytest.raises(AttemptNotFound):
        await world.ledger.begin_charging(nobody, CARD)
    with pytest.raises(AttemptNotFound):
        await world.ledger.captured(nobody, CAPTURED)
    with pytest.raises(AttemptNotFound):
        await world.ledger.unknown(nobody, "no answer")


async def test_a_settled_payment_is_told_and_nothing_else_changes(world: World) -> None:
    invoice = await one_invoice(world)
    attempt = await charging(world, invoice)
    await world.ledger.captured(attempt.id, CAPTURED)
    for _ in range(2):
        await world.ledger.became(attempt.id, AttemptState.SETTLED)
    assert await world.state(attempt) is AttemptState.SETTLED
    assert not (await world.invoice_now(invoice)).due
    assert (await world.events(attempt)).count("payment.settled") == 1
    assert await world.ledger.captured(attempt.id, CAPTURED)  # the same answer as ever


@pytest.mark.parametrize(
    "state", [AttemptState.VOIDED, AttemptState.REFUNDED, AttemptState.RETURNED]
)
async def test_money_that_went_back_is_owed_again(world: World, state: AttemptState) -> None:
    invoice = await one_invoice(world, SuspensionReason.NON_PAYMENT)
    attempt = await charging(world, invoice)
    await world.ledger.captured(attempt.id, CAPTURED)
    for _ in range(2):
        await world.ledger.became(attempt.id, state)
    assert await world.state(attempt) is state
    assert (await world.invoice_now(invoice)).due == invoice.due
    told = await world.events(attempt)
    is_returned = state is AttemptState.RETURNED
    lines = ["service.reactivation-reversed"] if is_returned else []
    texts = ["bank-return", "bank-return"] if is_returned else []  # by mail and by text
    expected = [f"payment.{state}", "invoice.unpaid", *lines, *texts]
    assert expected == told[-len(expected) :]
    with pytest.raises(TransitionRefused):
        await world.ledger.became(attempt.id, AttemptState.SETTLED)


async def test_only_what_was_taken_can_go_back(world: World) -> None:
    attempt = await charging(world, await one_invoice(world))
    with pytest.raises(TransitionRefused):
        await world.ledger.became(attempt.id, AttemptState.VOIDED)
    with pytest.raises(AttemptNotFound):
        await world.ledger.became(uuid4(), AttemptState.VOIDED)
