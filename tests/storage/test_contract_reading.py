"""Customers, invoices, captures and calls, the same in memory and in Postgres."""

from datetime import UTC, date, datetime
from uuid import uuid4

from ivr.billing.calls import CallArrived, CallEnded, CallOutcome
from ivr.billing.captures import (
    CaptureField,
    CaptureOutcome,
    CaptureRequest,
    CaptureResult,
    ErrorType,
)
from tests.storage.world import CARD, World, opened

SUCCESS = CaptureOutcome(CaptureResult.SUCCESS, CARD)
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def request(call_id: str = "") -> CaptureRequest:
    fields = (CaptureField.CARD_NUMBER, CaptureField.SECURITY_CODE)
    return CaptureRequest(uuid4(), call_id or uuid4().hex, "es", fields, ("visa",), slow=True)


async def test_a_customer_is_found_by_the_whole_account_number_only(world: World) -> None:
    customer = await world.customer()
    assert await world.directory.by_account_number(customer.account_number) == customer
    assert await world.directory.by_account_number(customer.account_number[:-1]) is None
    assert await world.directory.by_account_number("") is None


async def test_unpaid_invoices_come_oldest_first_and_paid_ones_not_at_all(world: World) -> None:
    customer = await world.customer()
    line = await world.service(customer)
    late = await world.invoice(line, due=date(2026, 5, 31))
    early = await world.invoice(line, due=date(2026, 2, 28))
    part = await world.invoice(line, "10.00", paid="4.00", due=date(2026, 5, 31))
    await world.invoice(line, "10.00", paid="10.00")
    await world.invoice(await world.service(await world.customer()))
    assert await world.invoices.unpaid(customer.id) == [early, late, part]


async def test_a_customer_is_in_doubt_while_the_outcome_of_a_charge_is_unknown(
    world: World,
) -> None:
    customer = await world.customer()
    attempt = await opened(world, await world.invoice(await world.service(customer)))
    await world.ledger.begin_charging(attempt.id, CARD)
    assert not await world.invoices.in_doubt(customer.id)
    await world.ledger.unknown(attempt.id, "no answer")
    assert await world.invoices.in_doubt(customer.id)
    assert await world.invoices.unpaid(customer.id) == []
    assert not await world.invoices.in_doubt((await world.customer()).id)
    await world.ledger.failed(attempt.id, "not found")
    assert not await world.invoices.in_doubt(customer.id)


async def test_a_capture_is_asked_for_answered_and_read(world: World) -> None:
    asked = request()
    await world.captures.open(asked)
    await world.captures.open(asked)
    assert await world.captures.request(asked.id) == asked
    assert await world.captures.outcome(asked.id) is None
    await world.captures.close(asked.id, SUCCESS)
    assert await world.captures.outcome(asked.id) == SUCCESS
    assert await world.captures.request(asked.id) is None


async def test_the_first_ending_of_a_capture_stays(world: World) -> None:
    asked = request()
    await world.captures.open(asked)
    gave_up = CaptureOutcome(
        CaptureResult.TOO_MANY_FAILED_ATTEMPTS, error_type=ErrorType.INVALID_CARD_NUMBER
    )
    await world.captures.close(asked.id, gave_up)
    await world.captures.close(asked.id, SUCCESS)
    assert await world.captures.outcome(asked.id) == gave_up


async def test_a_capture_that_nobody_opened_is_unknown(world: World) -> None:
    nobody = uuid4()
    assert await world.captures.request(nobody) is None
    await world.captures.close(nobody, SUCCESS)
    assert await world.captures.outcome(nobody) is None


async def test_the_token_of_a_capture_is_forgotten_when_the_call_ends(world: World) -> None:
    asked = request()
    await world.captures.open(asked)
    await world.captures.close(asked.id, SUCCESS)
    await world.calls.ended(asked.call_id, CallEnded(CallOutcome.NOT_PAID, "es", None, NOON))
    outcome = await world.captures.outcome(asked.id)
    assert outcome
    assert outcome.card
    assert (outcome.card.last4, outcome.card.token) == (CARD.last4, "")


async def test_the_first_ending_of_a_call_stays_and_a_second_arrival_changes_nothing(
    world: World,
) -> None:
    call = CallArrived(uuid4().hex, "17.1", uuid4().hex, None, "pay", "node1", NOON)
    await world.calls.arrived(call)
    await world.calls.arrived(call)
    await world.calls.ended(call.id, CallEnded(CallOutcome.PAID, "en", None, NOON))
    await world.calls.ended(call.id, CallEnded(CallOutcome.HUNG_UP, "en", None, NOON))
    assert await world.ends(call) == [CallOutcome.PAID]


async def test_an_attempt_of_a_call_is_opened_without_a_call_record(world: World) -> None:
    invoice = await world.invoice(await world.service(await world.customer()))
    assert await opened(world, invoice, call_id="a call whose arrival was never kept")
