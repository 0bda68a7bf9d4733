"""Charging a card: never twice, never lost, and "paid" only after it is kept."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from ivr.billing import paying
from ivr.billing.customers import SuspensionReason
from ivr.billing.errors import (
    BillingError,
    GatewayNotReached,
    GatewayRefused,
    LedgerUnavailable,
    OutcomeUnknown,
    TransitionRefused,
)
from ivr.billing.invoices import Invoice
from ivr.billing.money import Money
from ivr.billing.paying import Paying
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    BeingPaid,
    Captured,
    CardOnHand,
    DeclineBucket,
    Declined,
    KeepCard,
    MeansOnHand,
    NotCharged,
    Paid,
    PaidMeanwhile,
    PayResult,
    Refusal,
    Unknown,
)
from tests.billing.answering import CAPTURED, AnsweringGateway, Charge
from tests.fakes.storage import FakeCompany, FakeLedger

CARD = CardOnHand("visa", "1111", "1230", "tokencc_one")
REFUSAL = Refusal("2001", "Insufficient Funds", DeclineBucket.SOFT)


class Desk:
    """A company with one invoice, and Paying over fakes."""

    def __init__(self) -> None:
        self.company = FakeCompany()
        line = self.company.service(
            self.company.customer(), suspended_for=SuspensionReason.NON_PAYMENT
        )
        self.invoice = self.company.invoice(line)
        self.gateway = AnsweringGateway()
        self.ledger = FakeLedger(self.company)
        self.tasks: list[asyncio.Task[PayResult]] = []
        self.paying = Paying(self.ledger, self.gateway, self.spawn)

    def spawn(self, work: Coroutine[Any, Any, PayResult]) -> "asyncio.Task[PayResult]":
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    async def open(self) -> Attempt:
        return await self.paying.open(self.invoice.customer_id, [self.invoice], "call1")

    async def pay(self) -> PayResult:
        return await self.paying.pay(await self.open(), CARD)

    @property
    def state(self) -> AttemptState:
        return list(self.company.attempts.values())[-1].attempt.state

    @property
    def invoice_now(self) -> Invoice:
        return self.company.invoices[self.invoice.id]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(paying, "KEEP_TRYING", (0.002,) * 4)
    monkeypatch.setattr(paying, "LET_GO", (0.001,) * 2)
    return Desk()


async def test_a_charge_that_succeeds_is_paid_and_brings_the_line_back(desk: Desk) -> None:
    result = await desk.pay()
    assert isinstance(result, Paid)
    assert result.amount == Money.of("42.50", "EUR")
    assert [line.label for line in result.reactivated] == ["James's mobile"]
    assert not desk.invoice_now.due


async def test_the_gateway_is_asked_once_with_the_key_of_the_attempt(desk: Desk) -> None:
    await desk.pay()
    (attempt_id,) = desk.company.attempts
    assert desk.gateway.charges == [
        Charge(CARD, Money.of("42.50", "EUR"), f"saldo-{attempt_id}", str(attempt_id))
    ]


async def test_the_attempt_is_charging_before_the_gateway_hears_of_it(desk: Desk) -> None:
    seen: list[AttemptState] = []
    desk.gateway.meanwhile = lambda: seen.append(desk.state)
    await desk.pay()
    assert seen == [AttemptState.CHARGING]


async def test_a_hang_up_during_the_charge_cancels_nothing(desk: Desk) -> None:
    attempt = await desk.open()
    call = asyncio.create_task(desk.paying.pay(attempt, CARD))
    desk.gateway.meanwhile = call.cancel  # type: ignore[assignment]  # its answer is not needed
    with pytest.raises(asyncio.CancelledError):
        await call
    assert isinstance(await desk.tasks[0], Paid)
    assert desk.state is AttemptState.CAPTURED


async def test_a_refusal_is_declined_with_its_bucket(desk: Desk) -> None:
    desk.gateway.answer = REFUSAL
    assert await desk.pay() == Declined(DeclineBucket.SOFT)
    assert desk.state is AttemptState.DECLINED


@pytest.mark.parametrize("error", [GatewayNotReached("no route"), GatewayRefused("bad keys")])
async def test_a_gateway_that_took_nothing_is_not_charged(desk: Desk, error: Exception) -> None:
    desk.gateway.answer = error
    assert await desk.pay() == NotCharged()
    assert desk.state is AttemptState.FAILED
    desk.gateway.answer = CAPTURED
    assert isinstance(await desk.pay(), Paid)


@pytest.mark.parametrize("error", [OutcomeUnknown("time-out"), KeyError("a mistake of ours")])
async def test_whatever_leaves_the_outcome_open_is_unknown_and_blocks_a_second_charge(
    desk: Desk, error: Exception
) -> None:
    desk.gateway.answer = error
    assert await desk.pay() == Unknown()
    assert desk.state is AttemptState.UNKNOWN
    assert await desk.pay() == BeingPaid()
    assert len(desk.gateway.charges) == 1


async def test_an_invoice_paid_since_it_was_read_is_not_charged(desk: Desk) -> None:
    desk.company.invoices[desk.invoice.id] = replace(desk.invoice, paid=desk.invoice.amount)
    assert await desk.pay() == PaidMeanwhile()
    assert desk.gateway.charges == []


async def test_the_gateway_is_not_asked_while_the_ledger_is_away(desk: Desk) -> None:
    attempt = await desk.open()
    desk.company.away = True
    assert await desk.paying.pay(attempt, CARD) == NotCharged()
    assert desk.gateway.charges == []
    desk.company.away = False
    assert isinstance(await desk.pay(), Paid)


class LosesTheAnswer(FakeLedger):
    """Starts the charge and then loses the connection."""

    goes_away = False
    """nor does it come back at once"""

    async def begin_charging(
        self, attempt_id: UUID, means: MeansOnHand, keep: KeepCard | None = None
    ) -> None:
        await super().begin_charging(attempt_id, means, keep)
        self.company.away = self.goes_away
        raise LedgerUnavailable("the answer to the commit was lost")


async def test_a_start_whose_answer_was_lost_lets_the_invoice_go_again(desk: Desk) -> None:
    lossy = Paying(LosesTheAnswer(desk.company), desk.gateway, desk.spawn)
    attempt = await desk.open()
    assert await lossy.pay(attempt, CARD) == NotCharged()
    assert desk.state is AttemptState.FAILED
    assert isinstance(await desk.pay(), Paid)
    assert len(desk.gateway.charges) == 1


async def test_a_capture_is_written_when_the_ledger_comes_back(desk: Desk) -> None:
    attempt = await desk.open()
    desk.gateway.meanwhile = lambda: setattr(desk.company, "away", True)
    loop = asyncio.get_running_loop()
    loop.call_later(0.002, lambda: setattr(desk.company, "away", False))
    assert isinstance(await desk.paying.pay(attempt, CARD), Paid)
    assert len(desk.gateway.charges) == 1


async def test_a_capture_that_cannot_be_written_is_never_called_paid(desk: Desk) -> None:
    attempt = await desk.open()
    desk.gateway.meanwhile = lambda: setattr(desk.company, "away", True)
    assert await desk.paying.pay(attempt, CARD) == Unknown()
    assert desk.state is AttemptState.CHARGING


async def test_a_charge_that_another_process_gave_up_still_ends_captured(desk: Desk) -> None:
    attempt = await desk.open()

    def abandon() -> None:
        kept = desk.company.attempts[attempt.id]
        kept.attempt = replace(kept.attempt, state=AttemptState.UNKNOWN)

    desk.gateway.meanwhile = abandon
    assert isinstance(await desk.paying.pay(attempt, CARD), Paid)


async def test_an_outcome_that_another_process_decided_is_not_overwritten(desk: Desk) -> None:
    attempt = await desk.open()

    def settle() -> None:
        kept = desk.company.attempts[attempt.id]
        kept.attempt = replace(kept.attempt, state=AttemptState.FAILED)

    desk.gateway.meanwhile = settle
    assert await desk.paying.pay(attempt, CARD) == Unknown()
    assert desk.state is AttemptState.FAILED


async def test_giving_up_before_the_card_leaves_nothing_held(desk: Desk) -> None:
    attempt = await desk.open()
    await desk.paying.cancel(attempt)
    assert desk.state is AttemptState.CANCELED
    assert isinstance(await desk.pay(), Paid)


async def test_a_start_that_arrives_after_it_was_given_up_is_refused(desk: Desk) -> None:
    slow = Paying(StartsLate(desk.company), desk.gateway, desk.spawn)
    attempt = await desk.open()
    assert await slow.pay(attempt, CARD) == NotCharged()
    with pytest.raises(TransitionRefused):
        await desk.ledger.begin_charging(attempt.id, CARD)
    assert isinstance(await desk.pay(), Paid)


class StartsLate(FakeLedger):
    """The order to begin is still on its way when we are told that the database is away."""

    async def begin_charging(
        self, attempt_id: UUID, means: MeansOnHand, keep: KeepCard | None = None
    ) -> None:
        raise LedgerUnavailable("no answer in time")


async def test_invoices_held_by_a_lost_start_are_let_go_however_long_the_ledger_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paying, "PATIENCE", (0.01,) * 100)
    attempt = await desk.open()
    ledger = LosesTheAnswer(desk.company)
    ledger.goes_away = True
    assert await Paying(ledger, desk.gateway, desk.spawn).pay(attempt, CARD) == Unknown()
    assert desk.state is AttemptState.CHARGING
    desk.company.away = False
    assert await desk.tasks[0] == NotCharged()
    assert desk.company.attempts[attempt.id].attempt.state is AttemptState.FAILED
    assert desk.company.events == ["payment.failed", "payment-failed"]  # we were "confirming"


async def test_not_charged_is_said_only_when_it_is_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paying, "PATIENCE", (0.01,) * 100)
    attempt = await desk.open()
    desk.gateway.answer = GatewayNotReached("no route")
    desk.gateway.meanwhile = lambda: setattr(desk.company, "away", True)
    assert await desk.paying.pay(attempt, CARD) == Unknown()
    desk.company.away = False
    assert await desk.tasks[0] == NotCharged()
    assert desk.company.events == ["payment.failed", "payment-failed"]


@pytest.mark.parametrize("state", [AttemptState.UNKNOWN, AttemptState.CAPTURED])
async def test_a_charge_that_another_process_sends_again_is_not_called_not_charged(
    desk: Desk, state: AttemptState
) -> None:
    attempt = await desk.open()

    def send_again() -> None:
        kept = desk.company.attempts[attempt.id]
        kept.attempt = replace(kept.attempt, state=state)

    desk.gateway.answer = GatewayNotReached("no route")
    desk.gateway.meanwhile = send_again
    assert await desk.paying.pay(attempt, CARD) == Unknown()
    assert desk.state is state


async def test_a_capture_is_written_however_long_the_ledger_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paying, "PATIENCE", (0.01,) * 100)
    attempt = await desk.open()
    desk.gateway.meanwhile = lambda: setattr(desk.company, "away", True)
    assert await desk.paying.pay(attempt, CARD) == Unknown()
    desk.company.away = False
    assert isinstance(await desk.tasks[0], Paid)
    assert desk.state is AttemptState.CAPTURED
    assert len(desk.gateway.charges) == 1


class Refuses(FakeLedger):
    """A ledger that will not take a capture, for a fault of ours."""

    async def captured(self, attempt_id: UUID, capture: Captured) -> Paid:
        raise BillingError("the database refused")


async def test_a_capture_that_the_ledger_refuses_is_in_doubt_and_no_excuse(desk: Desk) -> None:
    refused = Paying(Refuses(desk.company), desk.gateway, desk.spawn)
    assert await refused.pay(await desk.open(), CARD) == Unknown()
    with pytest.raises(BillingError, match="refused"):  # for the app to log
        await desk.tasks[0]
