"""A company's terms: the smallest part, and amounts that cannot be paid said apart."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.errors import AmountTooLarge, AmountTooSmall, MoneyNotUnderstood
from ivr.billing.invoices import Invoice, total_due
from ivr.billing.money import Money
from ivr.billing.terms import SmallestPart, Terms
from tests.billing.bills import bills, parts_of
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
