"""Which day may be promised, which day was keyed, and what has become of a promise."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from ivr.billing.money import Money
from ivr.billing.promises import Promise, PromisedPart, PromiseRules, PromiseState, keyed_day

TODAY = date(2026, 11, 23)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def promise(*in_time: str, late: str = "0") -> Promise:
    """Of ten euros for each invoice, by the 25th."""
    parts = tuple(
        PromisedPart(at, eur("10.00"), eur(paid), eur(late)) for at, paid in enumerate(in_time)
    )
    made = datetime(2026, 11, 20, tzinfo=UTC)
    return Promise(UUID(int=1), 1, None, eur("10.00"), date(2026, 11, 25), parts, made)


@pytest.mark.parametrize(
    ("made", "today", "state"),
    [
        (promise("0"), date(2026, 11, 25), PromiseState.OPEN),
        (promise("0"), date(2026, 11, 26), PromiseState.BROKEN),
        (promise("9.99"), date(2026, 11, 26), PromiseState.BROKEN),
        (promise("10.00"), date(2026, 11, 24), PromiseState.KEPT),
        (promise("10.00"), date(2027, 11, 24), PromiseState.KEPT),
        (promise("20.00", "0"), date(2026, 11, 26), PromiseState.BROKEN),
        (promise("10.00", "10.00"), date(2026, 11, 26), PromiseState.KEPT),
        (promise("0", late="10.00"), date(2026, 11, 26), PromiseState.BROKEN),
    ],
)
def test_a_promise_is_kept_when_all_of_it_is_paid_in_time(
    made: Promise, today: date, state: PromiseState
) -> None:
    assert made.state(today) is state


@pytest.mark.parametrize(
    ("day", "may"),
    [
        (date(2026, 11, 22), False),
        (TODAY, True),
        (date(2026, 12, 7), True),
        (date(2026, 12, 8), False),
    ],
)
def test_a_day_may_be_promised_from_today_to_a_fortnight(
    day: date,
    may: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert PromiseRules().takes(day, TODAY) is may


@pytest.mark.parametrize(
    ("keys", "day"),
    [
        ("1", date(2026, 11, 24)),
        ("9", date(2026, 12, 2)),
        ("0", None),
        ("", None),
        ("12", None),
        ("123", None),
        ("2311", TODAY),
        ("2211", date(2027, 11, 22)),
        ("3112", date(2026, 12, 31)),
        ("2902", date(2028, 2, 29)),
        ("3102", None),
        ("0000", None),
        ("12345", None),
    ],
)
def test_a_day_is_one_key_or_four(keys: str, day: date | None) -> None:
    assert keyed_day(keys, TODAY) == day
