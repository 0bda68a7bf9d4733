"""A promise to pay on a date: which dates may be promised, and whether a promise was kept.

Pure: the day of today comes in. A promise is kept when all that was promised of each invoice is
paid by the end of its day, and broken when the day is over and it is not; a payment that was made
elsewhere, whose date nobody told us, is taken to be in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from ivr.billing.invoices import Invoice
from ivr.billing.money import Money, total

DAYS_BY_KEY = range(1, 10)
"""one key: so many days from today"""
DAY_AND_MONTH = 4
"""four keys: the 5th of March is 0503"""


class PromiseState(StrEnum):
    """Found out whenever it is asked for, from payments; never written down."""

    OPEN = "open"
    KEPT = "kept"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class PromiseRules:
    """What may be promised."""

    days_ahead: int = 14
    broken_allowed: int = 2
    """so many broken ones, and no other is taken"""
    broken_days: int = 180
    """older ones are forgotten"""

    def last_day(self, today: date) -> date:
        return today + timedelta(days=self.days_ahead)

    def takes(self, day: date, today: date) -> bool:
        """Whether payment by this day may be promised today."""
        return today <= day <= self.last_day(today)


@dataclass(frozen=True, slots=True)
class PromisedPart:
    """What is promised of one invoice, and what was paid of it since."""

    invoice_id: int
    amount: Money
    paid_in_time: Money
    paid_late: Money


@dataclass(frozen=True, slots=True)
class Promise:
    """What a customer said they would pay, and by when."""

    id: UUID
    customer_id: int
    call_id: str | None
    amount: Money
    day: date
    parts: tuple[PromisedPart, ...]
    made_at: datetime

    def state(self, today: date) -> PromiseState:
        """What has become of it."""
        if all(not part.paid_in_time < part.amount for part in self.parts):
            return PromiseState.KEPT
        return PromiseState.BROKEN if today > self.day else PromiseState.OPEN


def parts_of(amounts: Mapping[int, Money]) -> tuple[PromisedPart, ...]:
    """So much of these invoices, by their ids, of which nothing is paid yet."""
    return tuple(
        PromisedPart(each, amount, Money.zero(amount.currency), Money.zero(amount.currency))
        for each, amount in amounts.items()
    )


def amount_of(parts: Iterable[PromisedPart], currency: str) -> Money:
    """The sum of what is promised. Raises CurrencyMismatch."""
    return total((part.amount for part in parts), currency)


def may_promise(
    invoices: Iterable[Invoice], before: Iterable[Promise], rules: PromiseRules, today: date
) -> bool:
    """Whether these may be promised: not twice at a time, nor after too many were broken."""
    states = [(each, each.state(today)) for each in before]
    broken_since = today - timedelta(days=rules.broken_days)
    broken = [
        each for each, state in states if state is PromiseState.BROKEN and each.day > broken_since
    ]
    promised = {
        part.invoice_id
        for each, state in states
        if state is PromiseState.OPEN
        for part in each.parts
    }
    wanted = {each.id for each in invoices}
    return bool(wanted) and not wanted & promised and len(broken) < rules.broken_allowed


def keyed_day(keys: str, today: date) -> date | None:
    """The day that keys name: 1 to 9 days from today, or day and month; None for anything else.

    Day and month are the next such day, today or later.
    """
    if len(keys) == 1 and int(keys) in DAYS_BY_KEY:
        return today + timedelta(days=int(keys))
    if len(keys) != DAY_AND_MONTH:
        return None
    for year in range(today.year, today.year + 5):  # a 29th of February
        try:
            day = date(year, int(keys[2:]), int(keys[:2]))
        except ValueError:
            continue
        if day >= today:
            return day
    return None
