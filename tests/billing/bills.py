"""Invoices and amounts for property tests: currencies of no, two and three minor digits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import strategies as st

from ivr.billing.invoices import Invoice, total_due
from ivr.billing.money import Money

CURRENCIES = ("EUR", "USD", "JPY", "CLP", "KWD", "TND")
MOST_UNITS = 10**9
TODAY = date(2026, 11, 23)


@st.composite
def bills(draw: st.DrawFn, currency: str | None = None, most: int = 6) -> list[Invoice]:
    """Up to `most` invoices of one currency with something due, in any order."""
    code = currency or draw(st.sampled_from(CURRENCIES))
    return [bill(draw, number, code) for number in range(1, draw(st.integers(1, most)) + 1)]


def bill(draw: st.DrawFn, number: int, currency: str) -> Invoice:
    """One invoice, perhaps paid in part."""
    due = draw(st.integers(1, MOST_UNITS))
    paid = draw(st.one_of(st.just(0), st.integers(0, MOST_UNITS)))
    return Invoice(
        id=number,
        number=f"F-{number}",
        customer_id=1,
        service_id=number,
        service_label="the line",
        amount=Money.of_minor_units(due + paid, currency),
        paid=Money.of_minor_units(paid, currency),
        due_date=TODAY - timedelta(days=draw(st.integers(0, 90))),
    )


def parts_of(invoices: Sequence[Invoice]) -> st.SearchStrategy[Money]:
    """Any amount that could be paid of these."""
    due = total_due(invoices)
    return st.integers(1, due.minor_units).map(
        lambda units: Money.of_minor_units(units, due.currency)
    )
