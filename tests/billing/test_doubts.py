"""What the gateway's books mean for an attempt in doubt, and when they are looked at again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ivr.billing.doubts import (
    Doubt,
    Finding,
    NotThere,
    Odd,
    Pending,
    Refused,
    Schedule,
    Taken,
    Unanswered,
    judge,
)
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState, Captured, DeclineBucket, Refusal
from ivr.billing.transactions import Standing, Transaction

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
AMOUNT = Money.of("42.50", "EUR")
ATTEMPT = Attempt(uuid4(), "saldo-1", 1, None, AMOUNT, (), AttemptState.UNKNOWN, Money.zero("EUR"))
CAPTURED = Captured("tx1", "1000", NOON)
REFUSAL = Refusal("2001", "Insufficient Funds", DeclineBucket.SOFT, "tx1")
SALE = Transaction("tx1", "saldo-1", Standing.CAPTURED, AMOUNT, NOON, CAPTURED)
SECOND = replace(
    SALE,
    id="tx2",
    created_at=NOON + timedelta(seconds=1),
    outcome=replace(CAPTURED, transaction_id="tx2"),
)
DECLINED = replace(SALE, standing=Standing.REFUSED, outcome=REFUSAL)
PENDING = replace(SALE, standing=Standing.PENDING, outcome=None)
REJECTED = Refusal("duplicate", "Gateway rejected: duplicate", DeclineBucket.SOFT, "tx3")
DUPLICATE = replace(DECLINED, id="tx3", standing=Standing.DUPLICATE, outcome=REJECTED)
VOIDED = replace(DECLINED, standing=Standing.VOIDED)
REFUND = replace(SALE, id="tx4", refund_of="tx1", outcome=None)
SCHEDULE = Schedule()


@pytest.mark.parametrize(
    ("found", "finding"),
    [
        ([], NotThere()),
        ([SALE], Taken(CAPTURED)),
        ([replace(SALE, standing=Standing.SETTLED)], Taken(CAPTURED)),
        ([SALE, REFUND], Taken(CAPTURED)),
        ([SALE, SECOND], Taken(CAPTURED, (replace(CAPTURED, transaction_id="tx2"),))),
        ([DECLINED, SECOND], Taken(replace(CAPTURED, transaction_id="tx2"))),
        ([PENDING, SECOND], Taken(replace(CAPTURED, transaction_id="tx2"))),
        ([DECLINED], Refused(REFUSAL)),
        ([VOIDED], Refused(REFUSAL)),
        ([VOIDED, DUPLICATE], Refused(REFUSAL)),
        ([REFUND], NotThere()),
    ],
)
def test_the_first_sale_that_took_the_money_counts(
    found: list[Transaction], finding: Finding
) -> None:
    assert judge(ATTEMPT, found) == finding


@pytest.mark.parametrize(
    "found", [[PENDING], [DUPLICATE], [DECLINED, DUPLICATE], [VOIDED, PENDING]]
)
def test_what_the_gateway_has_not_decided_is_waited_for(found: list[Transaction]) -> None:
    """A duplicate was rejected for another sale of the order, which the index will show."""
    assert isinstance(judge(ATTEMPT, found), Pending)


@pytest.mark.parametrize("amount", ["42.51", "0.01"])
def test_another_amount_is_for_a_person(amount: str) -> None:
    assert isinstance(judge(ATTEMPT, [replace(SALE, amount=Money.of(amount, "EUR"))]), Odd)
    assert isinstance(judge(ATTEMPT, [replace(SALE, amount=Money.of("42.50", "USD"))]), Odd)


def doubt(at: float, *, looks: int = 0, misses: int = 0, empty: int = 0) -> Doubt:
    return Doubt(ATTEMPT, at, at, looks=looks, misses=misses, empty=empty)


def test_the_books_are_looked_at_at_0_2_5_15_60_and_300_seconds_and_then_every_10_minutes() -> None:
    at, moments = 0.0, [0.0]
    for looks in range(8):
        at += SCHEDULE.pause(doubt(at, looks=looks), Pending("in flight"))
        moments.append(at)
    assert moments == [0, 2, 5, 15, 60, 300, 900, 1500, 2100]


def test_what_is_not_there_is_looked_for_again_when_its_time_is_over() -> None:
    assert SCHEDULE.pause(doubt(301, looks=5, empty=5), NotThere()) == 599
    late = Schedule(not_there_after=20)
    assert late.pause(doubt(16, looks=3, empty=3), NotThere()) == 4


def test_a_gateway_that_is_away_is_asked_again_within_half_a_minute_for_ever() -> None:
    pauses = [SCHEDULE.pause(doubt(1000, misses=n), Unanswered("away")) for n in range(7)]
    assert pauses == [2, 5, 10, 20, 30, 30, 30]


def test_a_late_look_is_not_followed_by_one_at_once() -> None:
    assert SCHEDULE.pause(doubt(80, looks=0), Pending("in flight")) == 2


def test_only_a_young_charge_may_be_sent_again() -> None:
    assert SCHEDULE.may_send_again(doubt(119))
    assert not SCHEDULE.may_send_again(doubt(120))


def test_one_empty_look_is_no_answer_and_neither_is_an_early_one() -> None:
    assert not SCHEDULE.is_gone(doubt(5000, empty=0))
    assert not SCHEDULE.is_gone(doubt(899, empty=9))
    assert SCHEDULE.is_gone(doubt(900, empty=2))


def test_after_six_hours_a_person_is_asked_and_the_books_once_an_hour() -> None:
    old = doubt(6 * 3600, looks=40)
    assert SCHEDULE.needs_person(old, Pending("in flight"))
    assert SCHEDULE.pause(old, Pending("in flight")) == 3600
    assert not SCHEDULE.needs_person(doubt(3600), Unanswered("away"))
    assert SCHEDULE.needs_person(doubt(1), Odd("another amount"))
