"""A company's terms: the smallest part, and amounts that cannot be paid said apart."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.errors import AmountTooLarge, AmountTooSmall, MoneyNotUnderstood
from ivr.billing.invoices import Invoice, total_due
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.terms import SmallestPart, Terms
from tests.billing.bills import CURRENCIES, bills, parts_of
from tests.dialogue.company import invoice

TENTH = Terms(SmallestPart(percent=Decimal(10)))
FIVE_EUROS = Terms(SmallestPart(amounts={"EUR": Money.of(5, "EUR")}))
BILLS = [invoice(7, "10.00"), invoice(8, "30.00")]


def euros(text: str) -> Money:
    return Money.of(text, "EUR")


@pytest.mark.parametrize(
    ("terms", "due", "least"),
    [
        (TENTH, "42.50", "4.25"),
        (TENTH, "0.04", "0.01"),
        (FIVE_EUROS, "42.50", "5.00"),
        (FIVE_EUROS, "5.01", "5.00"),
    ],
)
def test_the_smallest_part_of_what_is_due(terms: Terms, due: str, least: str) -> None:
    assert terms.least(euros(due)) == euros(least)


def test_there_is_no_part_of_less_than_the_smallest_or_where_none_is_set() -> None:
    assert FIVE_EUROS.least(euros("5.00")) is None
    assert FIVE_EUROS.least(euros("3.00")) is None
    assert FIVE_EUROS.least(Money.of(100, "USD")) is None
    assert Terms().least(euros("100.00")) is None
    assert TENTH.least(euros("0.01")) is None


@given(st.data())
def test_a_part_is_taken_from_the_least_on_up_to_all_that_is_due(data: st.DataObject) -> None:
    invoices: list[Invoice] = data.draw(bills())
    amount = data.draw(parts_of(invoices))
    least = TENTH.least(total_due(invoices)) or total_due(invoices)
    if amount < least:
        with pytest.raises(AmountTooSmall):
            TENTH.chosen(invoices, amount)
    else:
        assert TENTH.chosen(invoices, amount).amount == amount


@st.composite
def terms(draw: st.DrawFn, currency: str) -> Terms:
    """Any smallest part, or none, and any fee, in words of a settings file."""
    units = st.integers(1, 10**6).map(lambda n: str(Money.of_minor_units(n, currency).amount))
    part = st.one_of(st.just(""), units, st.integers(1, 100).map(lambda n: f"{n}%"))
    percent = st.decimals("0.01", "20", places=2)
    fee = st.one_of(
        units.map(lambda flat: {"flat": flat, "percent": None}),
        percent.map(lambda rate: {"flat": "", "percent": rate}),
        st.just({"flat": "0", "percent": None}),
    )
    no_more = {"minimum": "", "cap": ""}
    return Terms.written(draw(part), {Method.CARD: draw(fee) | no_more}, currency)


@given(st.sampled_from(CURRENCIES), st.data())
def test_whatever_the_terms_every_coin_of_a_charge_is_an_invoices_or_the_fees(
    currency: str, data: st.DataObject
) -> None:
    invoices: list[Invoice] = data.draw(bills(currency))
    company: Terms = data.draw(terms(currency))
    due = total_due(invoices)
    least = company.least(due)
    assert least is None or Money.zero(currency) < least < due
    amount = data.draw(st.integers((least or due).minor_units, due.minor_units))
    chosen = company.chosen(invoices, Money.of_minor_units(amount, currency))
    fee = company.fees.of(Method.CARD, chosen.amount)
    charged = chosen.amount + fee
    assert charged.minor_units == fee.minor_units + sum(
        each.amount.minor_units for each in chosen.allocations
    )
    assert not fee < Money.zero(currency)
    assert all(each.amount <= _due(invoices, each.invoice_id) for each in chosen.allocations)


def _due(invoices: list[Invoice], invoice_id: int) -> Money:
    return next(each.due for each in invoices if each.id == invoice_id)


def test_more_than_is_due_is_refused_and_all_is_taken_whatever_the_smallest_part() -> None:
    with pytest.raises(AmountTooLarge):
        TENTH.chosen(BILLS, euros("40.01"))
    with pytest.raises(AmountTooSmall):
        Terms().chosen(BILLS, euros("39.99"))
    assert Terms().chosen(BILLS, euros("40.00")) == Terms().chosen(BILLS)


@pytest.mark.parametrize(
    ("percent", "amounts"),
    [
        (Decimal(0), {}),
        (Decimal(10), {"EUR": euros("1.00")}),
        (Decimal(101), {}),
        (Decimal(0), {"EUR": euros("0.00")}),
    ],
)
def test_a_smallest_part_that_is_none_is_refused(
    percent: Decimal, amounts: dict[str, Money]
) -> None:
    with pytest.raises(MoneyNotUnderstood, match="smallest part"):
        SmallestPart(percent, amounts)
