"""Charges that a limit stops, and what is noticed of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.limiting import Limiting
from ivr.billing.limits import Limits
from ivr.billing.paying import Paying
from ivr.billing.payments import (
    AttemptState,
    Captured,
    CardOnFile,
    CardOnHand,
    DeclineBucket,
    Declined,
    NotCharged,
    OverLimit,
    Paid,
    PayResult,
    Refusal,
)
from tests.fakes.gateway import FakeGateway
from tests.fakes.ledger import FakeLedger
from tests.fakes.storage import FakeCompany
from tests.fakes.tries import FakeTries


class Desk:
    """A company with one invoice, and Paying that counts."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.company = FakeCompany()
        self.invoice = self.company.invoice(self.company.service(self.company.customer()))
        self.gateway = FakeGateway()
        self.tries = FakeTries(self.company)
        self.notices: list[tuple[str, str]] = []
        self.limiting = Limiting(
            self.tries, limits or Limits(), lambda what, why: self.notices.append((what, why))
        )
        ledger = FakeLedger(self.company)
        self.paying = Paying(ledger, self.gateway, self._spawn, self.limiting)

    async def pay(self, card_hash: str = "a" * 64) -> PayResult:
        attempt = await self.paying.open(self.invoice.customer_id, [self.invoice], "call1")
        card = CardOnHand("visa", "1111", "1230", self.gateway.token(), card_hash=card_hash)
        return await self.paying.pay(attempt, card)

    @property
    def states(self) -> list[AttemptState]:
        return [kept.attempt.state for kept in self.company.attempts.values()]

    def _spawn(self, work: Coroutine[Any, Any, PayResult]) -> asyncio.Task[PayResult]:
        return asyncio.create_task(work)


async def test_a_try_over_the_limit_is_given_up_and_never_sent() -> None:
    desk = Desk(Limits(card_tries_a_call=1))
    desk.gateway.will(Refusal("2000", "Do Not Honor", DeclineBucket.SOFT))
    assert await desk.pay() == Declined(DeclineBucket.SOFT)
    assert await desk.pay() == OverLimit()
    assert desk.states == [AttemptState.DECLINED, AttemptState.CANCELED]
    assert len(desk.gateway.charges) == 1
    assert desk.notices == [("card", "call")]


async def test_a_card_refused_for_good_is_declined_without_asking_again() -> None:
    desk = Desk()
    desk.gateway.will(Refusal("2012", "Lost Card", DeclineBucket.HARD))
    assert await desk.pay() == Declined(DeclineBucket.HARD)
    assert await desk.pay() == Declined(DeclineBucket.HARD)
    assert len(desk.gateway.charges) == 1
    assert isinstance(await desk.pay("b" * 64), Paid)


async def test_a_try_that_cannot_be_counted_is_not_made() -> None:
    desk = Desk()

    async def away(*_: object) -> None:
        raise LedgerUnavailable("gone")

    desk.tries.count_card = away  # type: ignore[assignment,method-assign] # the database goes away
    assert await desk.pay() == NotCharged()
    assert desk.gateway.charges == []


async def test_a_decline_about_funds_says_so() -> None:
    desk = Desk()
    desk.gateway.will(Refusal("2001", "Funds", DeclineBucket.SOFT, about_funds=True))
    assert await desk.pay() == Declined(DeclineBucket.SOFT, about_funds=True)


async def test_a_card_on_file_is_counted_and_the_breaker_lets_it_pass() -> None:
    desk = Desk()
    desk.tries.opened_at = desk.tries.now()
    attempt = await desk.paying.open(desk.invoice.customer_id, [desk.invoice], "call1")
    kept = CardOnFile(uuid4(), "visa", "1111", "1230", "vaulted")
    desk.gateway.will(Captured("tx1", "1000", datetime.now(UTC)))
    assert isinstance(await desk.paying.pay(attempt, kept), Paid)
    assert attempt.id in desk.tries.tries
    assert await desk.pay() == OverLimit()


async def test_a_look_up_that_fails_leaves_no_count_behind_it_running() -> None:
    desk = Desk()

    async def away() -> Customer | None:
        raise LedgerUnavailable("gone")

    before = asyncio.all_tasks()
    try:
        await desk.limiting.identify("+34600000001", "1042", away)
    except LedgerUnavailable:
        assert asyncio.all_tasks() == before
    else:
        raise AssertionError("it was not told")
