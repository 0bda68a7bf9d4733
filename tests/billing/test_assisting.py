"""A card asked for by an agent, from the click to the payment, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from ivr.billing.assisted_captures import (
    CaptureStatus,
    FieldProgress,
    FieldState,
    PaymentStatus,
    Wanted,
)
from ivr.billing.assisting import KEEP_ALIVE_SECONDS
from ivr.billing.captures import CaptureField, CaptureResult
from ivr.billing.errors import (
    CaptureError,
    CaptureNotFound,
    GatewayNotReached,
    KeyUsedBefore,
    LedgerUnavailable,
    NotNow,
    NotPayable,
    OutcomeUnknown,
    TalkNotFound,
    TalkUnreachable,
)
from ivr.billing.money import Money
from ivr.billing.payments import AttemptState, DeclineBucket, Refusal, confirmation_code
from tests.billing.assistance import Assistance, in_virtual_time
from tests.fakes.talks import TALK

CALLER = TALK.caller.channel_id


def test_a_card_is_collected_and_the_invoice_is_paid() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun(pays=True)
        desk.enters(capture_id)
        await desk.assisting.complete(capture_id)
        await desk.ends(capture_id, CaptureResult.SUCCESS)
        over = await desk.over(capture_id)
        (kept,) = desk.company.attempts.values()
        assert over.status is CaptureStatus.COMPLETE
        assert over.payment
        assert over.payment.status is PaymentStatus.PAID
        assert over.payment.confirmation == confirmation_code(kept.attempt.id)
        assert over.payment.amount == Money.of("42.50", "EUR")
        assert desk.gateway.taken == [kept.attempt.order_id]
        assert not desk.company.invoices[desk.invoice.id].due
        outcome = desk.company.outcomes[capture_id]
        assert outcome.card
        assert outcome.card.token == ""
        assert (await desk.assisting.find(capture_id)).payment == over.payment

    in_virtual_time(work())


def test_the_attempt_is_stored_before_anybody_is_taken_out_of_the_talk() -> None:
    async def work() -> None:
        desk = Assistance()
        desk.talks.lending_fails_with = TalkNotFound("one of both has just hung up")
        with pytest.raises(TalkNotFound):
            await desk.begun(pays=True)
        (kept,) = desk.company.attempts.values()
        assert kept.attempt.state is AttemptState.CANCELED
        (capture_id,) = desk.company.assisted
        assert desk.company.outcomes[capture_id].result is CaptureResult.INTERNAL_ERROR
        assert (await desk.assisting.find(capture_id)).status is CaptureStatus.FAILED

    in_virtual_time(work())


def test_the_charge_goes_on_when_the_one_who_asked_for_it_has_gone() -> None:
    async def work() -> None:
        desk = Assistance()
        desk.gateway.seconds = 30
        capture_id = await desk.begun(pays=True)
        desk.enters(capture_id)
        asking = asyncio.create_task(desk.assisting.complete(capture_id))
        await asyncio.sleep(0)
        asking.cancel()
        await desk.ends(capture_id, CaptureResult.SUCCESS)
        over = await desk.over(capture_id)
        assert over.payment
        assert over.payment.status is PaymentStatus.PAID

    in_virtual_time(work())


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Refusal("2001", "Insufficient Funds", DeclineBucket.SOFT), PaymentStatus.DECLINED),
        (OutcomeUnknown("no answer"), PaymentStatus.UNKNOWN),
        (GatewayNotReached("no network"), PaymentStatus.NOT_CHARGED),
    ],
)
def test_how_the_charge_ended_is_shown(
    answer: Refusal | OutcomeUnknown | GatewayNotReached, status: PaymentStatus
) -> None:
    async def work() -> None:
        desk = Assistance()
        desk.gateway.will(answer)
        capture_id = await desk.begun(pays=True)
        await desk.ends(capture_id, CaptureResult.SUCCESS)
        over = await desk.over(capture_id)
        assert over.payment
        assert (over.status, over.payment.status) == (CaptureStatus.COMPLETE, status)
        assert over.payment.bucket == (answer.bucket if isinstance(answer, Refusal) else None)

    in_virtual_time(work())


def test_without_invoices_nothing_is_charged_and_the_token_is_forgotten() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        await desk.ends(capture_id, CaptureResult.SUCCESS)
        over = await desk.over(capture_id)
        assert (over.status, over.payment) == (CaptureStatus.COMPLETE, None)
        assert desk.gateway.charges == []
        outcome = desk.company.outcomes[capture_id]
        assert outcome.card
        assert (outcome.card.last4, outcome.card.token) == ("1111", "")

    in_virtual_time(work())


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (CaptureResult.CANCELED, CaptureStatus.CANCELED),
        (CaptureResult.CALLER_INTERRUPTED, CaptureStatus.CANCELED),
        (CaptureResult.TOO_MANY_FAILED_ATTEMPTS, CaptureStatus.FAILED),
        (CaptureResult.CALLER_HUNG_UP, CaptureStatus.FAILED),
        (CaptureResult.PAYMENT_CONNECTOR_ERROR, CaptureStatus.FAILED),
    ],
)
def test_without_a_card_nothing_is_charged(result: CaptureResult, status: CaptureStatus) -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun(pays=True)
        await desk.ends(capture_id, result)
        over = await desk.over(capture_id)
        assert over.status is status
        assert over.payment
        assert over.payment.status is PaymentStatus.NOT_CHARGED
        assert desk.gateway.charges == []

    in_virtual_time(work())


def test_progress_is_shown_as_soon_as_it_is_heard() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        changes = desk.assisting.changes(capture_id)
        assert (await anext(changes)).status is CaptureStatus.OPEN
        clock = asyncio.get_running_loop().time
        since = clock()
        entering = FieldProgress(FieldState.ENTERING, "••••", 1)
        desk.assisting.heard(capture_id, CaptureField.CARD_NUMBER, entering)
        assert (await anext(changes)).fields[CaptureField.CARD_NUMBER] == entering
        assert clock() == since
        await asyncio.sleep(0.1)
        assert desk.company.assisted[capture_id].fields[CaptureField.CARD_NUMBER] == entering

    in_virtual_time(work())


def test_an_unchanged_capture_is_shown_again_so_that_the_line_does_not_seem_dead() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        desk.talks.hears = False  # so that silence does not end it
        changes = desk.assisting.changes(capture_id)
        first = await anext(changes)
        clock = asyncio.get_running_loop().time
        since = clock()
        assert await anext(changes) == first
        assert clock() - since == pytest.approx(KEEP_ALIVE_SECONDS)

    in_virtual_time(work())


def test_a_field_asked_for_again_has_to_be_good_again() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        desk.enters(capture_id)
        asked = FieldProgress(FieldState.ASKED, "", 2)
        desk.assisting.heard(capture_id, CaptureField.EXPIRATION_DATE, asked)
        with pytest.raises(NotNow, match="expiration-date"):
            await desk.assisting.complete(capture_id)

    in_virtual_time(work())


def test_the_language_is_the_wanted_one_else_the_customers_else_the_companys() -> None:
    async def work() -> None:
        for more, language in (
            ({}, "en"),
            ({"account": "1042"}, "es"),
            ({"account": "1042", "language": "en"}, "en"),
        ):
            desk = Assistance()
            capture_id = await desk.begun(pays=False, **more)
            assert desk.company.captures[capture_id].language == language

    in_virtual_time(work())


def test_invoices_that_do_not_fit_are_refused() -> None:
    async def work() -> None:
        desk = Assistance()
        company = desk.company
        line = company.service(company.customer("1043"))
        theirs, dollars = company.invoice(line), company.invoice(line, currency="USD")
        paid = company.invoice(line, "10.00", paid="10.00")
        mine = desk.invoice
        for account, invoices in (
            ("", (mine, theirs)),
            ("1042", (theirs,)),
            ("1043", (theirs, dollars)),
            ("", (theirs, paid)),
        ):
            numbers = tuple(invoice.number for invoice in invoices)
            with pytest.raises(NotPayable):
                await desk.assisting.begin(Wanted("key", CALLER, account=account, invoices=numbers))
        assert (company.attempts, company.assisted) == ({}, {})

    in_virtual_time(work())


def test_the_same_key_begins_once_even_at_the_same_moment() -> None:
    async def work() -> None:
        desk = Assistance()
        wanted = Wanted("key-1", CALLER)
        first, second = await asyncio.gather(
            desk.assisting.begin(wanted), desk.assisting.begin(wanted)
        )
        assert first.id == second.id
        assert len(desk.talks.lent) == 1
        with pytest.raises(KeyUsedBefore):
            await desk.assisting.begin(replace(wanted, language="es"))

    in_virtual_time(work())


def test_a_request_that_breaks_off_still_begins_and_the_key_finds_it() -> None:
    async def work() -> None:
        desk = Assistance()
        wanted = Wanted("key-1", CALLER)
        asking = asyncio.create_task(desk.assisting.begin(wanted))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.sleep(0.1)
        assert len(desk.talks.lent) == 1
        assert (await desk.assisting.begin(wanted)).id == desk.talks.lent[0]

    in_virtual_time(work())


def test_a_talk_that_is_being_asked_is_not_asked_a_second_time() -> None:
    async def work() -> None:
        desk = Assistance()
        await desk.begun()
        assert await desk.assisting.calls() == []
        with pytest.raises(TalkNotFound):
            await desk.begun("key-2")

    in_virtual_time(work())


def test_nothing_is_begun_while_a_part_is_away() -> None:
    async def work() -> None:
        desk = Assistance()
        desk.talks.is_dead = True
        with pytest.raises(TalkUnreachable, match="secure process"):
            await desk.begun()
        desk.talks.is_dead, desk.talks.is_away = False, True
        with pytest.raises(CaptureError):
            await desk.begun()
        desk.talks.is_away, desk.company.away = False, True
        with pytest.raises(LedgerUnavailable):
            await desk.begun()
        assert desk.talks.lent == []

    in_virtual_time(work())


def test_what_nobody_knows_is_not_found() -> None:
    async def work() -> None:
        desk = Assistance()
        desk.assisting.heard(uuid4())
        for request in (
            desk.assisting.find(uuid4()),
            desk.assisting.cancel(uuid4()),
            desk.assisting.ask(uuid4(), CaptureField.CARD_NUMBER),
        ):
            with pytest.raises(CaptureNotFound):
                await request

    in_virtual_time(work())


def test_a_capture_that_is_over_takes_no_more_commands() -> None:
    async def work() -> None:
        desk = Assistance()
        capture_id = await desk.begun()
        await desk.ends(capture_id, CaptureResult.CANCELED)
        await desk.over(capture_id)
        for request in (
            desk.assisting.ask(capture_id, CaptureField.CARD_NUMBER),
            desk.assisting.complete(capture_id),
        ):
            with pytest.raises(NotNow, match="canceled"):
                await request
        assert (await desk.assisting.cancel(capture_id)).status is CaptureStatus.CANCELED
        assert desk.talks.told == []

    in_virtual_time(work())
