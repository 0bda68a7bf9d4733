"""Captures with an agent, the same in memory and in Postgres."""

from dataclasses import replace
from uuid import uuid4

import pytest

from ivr.billing.assisted_captures import (
    AssistedCapture,
    CardPayment,
    FieldProgress,
    FieldState,
    Leg,
    PaymentStatus,
    Talk,
    untouched,
)
from ivr.billing.captures import (
    CARD_FIELDS,
    CaptureField,
    CaptureOutcome,
    CaptureRequest,
    CaptureResult,
    ErrorType,
)
from ivr.billing.payments import AttemptState, DeclineBucket, confirmation_code
from tests.storage.test_contract_ledger import CAPTURED, REFUSAL, one_invoice
from tests.storage.world import CARD, PostgresWorld, World, opened

TALK = Talk(
    Leg("1795365483.1", "PJSIP/trunk-00000001", "+447700900199", "Señora Ruiz"),
    Leg("1795365483.7", "PJSIP/agent-00000002", "201"),
    "2026-11-23T02:00:00.000+0000",
)
SUCCESS = CaptureOutcome(CaptureResult.SUCCESS, CARD)
HOUR = 3600.0


async def kept(world: World, daemon: str = "", *, pays: bool = False) -> AssistedCapture:
    """A new one, on its way."""
    capture_id = uuid4()
    attempt = None
    if pays:
        attempt = await opened(world, await one_invoice(world), call_id=capture_id.hex)
    capture = AssistedCapture(
        request=CaptureRequest(capture_id, capture_id.hex, "es"),
        talk=TALK,
        key=f"key-{capture_id}",
        digest=capture_id.hex * 2,
        daemon=daemon or f"saldo-{capture_id}",
        fields=untouched(CARD_FIELDS),
        attempt=attempt,
        payment=CardPayment(PaymentStatus.WAITING, attempt.amount, attempt.fee)
        if attempt
        else None,
    )
    assert await world.assisted.open(capture)
    return capture


async def state_of(world: World, capture: AssistedCapture) -> AssistedCapture:
    found = await world.assisted.find(capture.id)
    assert found
    return found


async def test_what_was_opened_is_found_by_its_id_and_by_its_key(world: World) -> None:
    capture = await kept(world)
    assert await world.assisted.find(capture.id) == capture
    assert await world.assisted.of_key(capture.key) == capture
    assert await world.captures.request(capture.id) == capture.request
    assert await world.assisted.find(uuid4()) is None
    assert await world.assisted.of_key("key-of-nobody") is None


async def test_a_key_is_taken_once(world: World) -> None:
    first = await kept(world)
    other = uuid4()
    second = replace(first, request=replace(first.request, id=other))
    assert not await world.assisted.open(second)
    assert await world.assisted.find(other) is None
    assert await world.captures.request(other) is None


async def test_how_far_each_field_is_survives(world: World) -> None:
    capture = await kept(world)
    fields = dict(capture.fields)
    fields[CaptureField.CARD_NUMBER] = FieldProgress(FieldState.GOOD, "•••• 1111", 2)
    wrong = FieldProgress(FieldState.WRONG, "", 1, ErrorType.INVALID_DATE)
    fields[CaptureField.EXPIRATION_DATE] = wrong
    await world.assisted.keep_fields(capture.id, fields)
    found = await state_of(world, capture)
    assert found.fields == fields
    assert found.is_open
    assert found.required == (CaptureField.EXPIRATION_DATE, CaptureField.SECURITY_CODE)


async def test_its_outcome_and_its_payment_are_read_with_it(world: World) -> None:
    capture = await kept(world, pays=True)
    attempt = capture.attempt
    assert attempt
    await world.captures.close(capture.id, SUCCESS)
    assert (await state_of(world, capture)).outcome == SUCCESS
    await world.ledger.begin_charging(attempt.id, CARD)
    found = await state_of(world, capture)
    assert found.payment == CardPayment(PaymentStatus.CHARGING, attempt.amount, attempt.fee)
    assert found.outcome
    assert found.outcome.card
    await world.ledger.captured(attempt.id, CAPTURED)
    found = await state_of(world, capture)
    number = confirmation_code(attempt.id)
    assert found.payment == CardPayment(PaymentStatus.PAID, attempt.amount, attempt.fee, number)
    assert found.attempt == replace(attempt, state=AttemptState.CAPTURED)


async def test_a_decline_is_read_with_what_may_follow(world: World) -> None:
    capture = await kept(world, pays=True)
    attempt = capture.attempt
    assert attempt
    await world.ledger.begin_charging(attempt.id, CARD)
    await world.ledger.declined(attempt.id, REFUSAL)
    payment = (await state_of(world, capture)).payment
    soft = DeclineBucket.SOFT
    assert payment == CardPayment(PaymentStatus.DECLINED, attempt.amount, attempt.fee, bucket=soft)


async def test_an_unknown_outcome_is_shown_as_it_was_resolved(world: World) -> None:
    node = await world.node()
    capture = await kept(world, pays=True)
    assert capture.attempt
    await world.ledger.begin_charging(capture.attempt.id, CARD)
    await world.ledger.unknown(capture.attempt.id, "no answer")
    doubted = (await state_of(world, capture)).payment
    assert doubted
    assert doubted.status is PaymentStatus.UNKNOWN
    claimed = [doubt.attempt.id for doubt in await node.doubts.claim(1000, 60, ())]
    assert capture.attempt.id in claimed
    await node.ledger.captured(capture.attempt.id, CAPTURED)
    paid = (await state_of(world, capture)).payment
    assert paid
    assert (paid.status, paid.confirmation) == (
        PaymentStatus.PAID,
        confirmation_code(capture.attempt.id),
    )


async def test_a_token_that_no_charge_takes_can_be_forgotten(world: World) -> None:
    capture = await kept(world)
    await world.assisted.forget_token(capture.id)
    await world.captures.close(capture.id, SUCCESS)
    await world.assisted.forget_token(capture.id)
    outcome = await world.captures.outcome(capture.id)
    assert outcome
    assert outcome.card
    assert (outcome.card.last4, outcome.card.token) == (CARD.last4, "")


async def test_what_a_daemon_left_is_found_by_the_next_one_of_its_name(world: World) -> None:
    name = f"saldo-{uuid4()}"
    is_open, over = await kept(world, name), await kept(world, name)
    uncharged, given_up, charged = [await kept(world, name, pays=True) for _ in range(3)]
    await kept(world)
    await world.captures.close(over.id, SUCCESS)
    for capture in (uncharged, given_up, charged):
        await world.captures.close(capture.id, SUCCESS)
    assert given_up.attempt
    assert charged.attempt
    await world.ledger.cancel(given_up.attempt.id)
    await world.ledger.begin_charging(charged.attempt.id, CARD)
    left = {capture.id: capture for capture in await world.assisted.unfinished(name, HOUR)}
    assert set(left) == {is_open.id, uncharged.id}
    assert left[uncharged.id].outcome == SUCCESS


async def test_a_card_from_long_ago_is_not_to_be_charged_any_more(real: PostgresWorld) -> None:
    name = f"saldo-{uuid4()}"
    capture = await kept(real, name, pays=True)
    await real.captures.close(capture.id, SUCCESS)
    await real.ask(
        "UPDATE captures SET closed_at = now() - interval '2 hours' WHERE id = $1", capture.id
    )
    (left,) = await real.assisted.unfinished(name, HOUR)
    assert left.card
    assert (left.card.last4, left.card.token) == (CARD.last4, "")


@pytest.mark.parametrize("table", ["assisted_captures", "assisted_captures_now"])
async def test_the_secure_process_sees_nothing_of_agents_and_payments(
    real: PostgresWorld, table: str
) -> None:
    may = "SELECT has_table_privilege('saldo_capture', $1, 'select')"
    assert await real.ask(may, table) is False
    assert await real.ask(may, "captures") is True
