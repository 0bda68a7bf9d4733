"""What paying costs: never below zero, never above the cap, never for nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.errors import MoneyNotUnderstood
from ivr.billing.fees import Fee, Fees
from ivr.billing.methods import Method
from ivr.billing.money import Money
from tests.billing.bills import CURRENCIES, MOST_UNITS

UNITS = st.integers(0, MOST_UNITS)
PERCENT = st.decimals("0.01", "100", places=2)


def euros(text: str) -> Money:
    return Money.of(text, "EUR")


@st.composite
def percentages(draw: st.DrawFn, currency: str) -> Fee:
    """Any percentage, with or without a least and a most."""
    least, cap = sorted((draw(UNITS), draw(st.integers(1, MOST_UNITS))))
    minimum = {currency: Money.of_minor_units(least, currency)} if draw(st.booleans()) else {}
    most = {currency: Money.of_minor_units(max(cap, 1), currency)} if draw(st.booleans()) else {}
    return Fee(percent=draw(PERCENT), minimum=minimum, cap=most)


@given(st.sampled_from(CURRENCIES), st.data())
def test_a_percentage_stays_between_its_minimum_and_its_cap(
    currency: str, data: st.DataObject
) -> None:
    fee = data.draw(percentages(currency))
    cost = fee.of(Money.of_minor_units(data.draw(st.integers(1, MOST_UNITS)), currency))
    assert cost >= fee.minimum.get(currency, Money.zero(currency))
    assert cost <= fee.cap.get(currency, cost)
    assert cost.currency == currency


@given(st.sampled_from(CURRENCIES), UNITS, PERCENT)
def test_a_percentage_is_rounded_half_up_to_the_minor_unit(
    currency: str, units: int, percent: Decimal
) -> None:
    exact = Decimal(units) * percent / 100
    cost = Fee(percent=percent).of(Money.of_minor_units(units, currency))
    assert cost.minor_units == exact.quantize(Decimal(1), ROUND_HALF_UP)
    assert abs(cost.minor_units - exact) <= Decimal("0.5")


@given(st.sampled_from(CURRENCIES), st.data())
def test_more_is_never_cheaper(currency: str, data: st.DataObject) -> None:
    fee = data.draw(percentages(currency))
    low, high = sorted((data.draw(UNITS), data.draw(UNITS)))
    assert fee.of(Money.of_minor_units(low, currency)) <= fee.of(
        Money.of_minor_units(high, currency)
    )


@given(st.sampled_from(CURRENCIES), st.data())
def test_nothing_costs_nothing(currency: str, data: st.DataObject) -> None:
    flat = Fee(flat={currency: Money.of_minor_units(data.draw(st.integers(1, 500)), currency)})
    for fee in (flat, data.draw(percentages(currency))):
        assert not fee.of(Money.zero(currency))


@given(st.sampled_from(Method), st.sampled_from(CURRENCIES), UNITS)
def test_there_is_no_fee_unless_one_is_set(method: Method, currency: str, units: int) -> None:
    assert Fees().of(method, Money.of_minor_units(units, currency)) == Money.zero(currency)


def test_a_card_on_file_costs_what_a_card_costs_unless_something_else_is_said() -> None:
    card, less = Fee(flat={"EUR": euros("1.50")}), Fee(flat={"EUR": euros("0.50")})
    on_file = Method.CARD_ON_FILE
    assert Fees({Method.CARD: card}).of(on_file, euros("10")) == euros("1.50")
    assert Fees({Method.CARD: card, on_file: less}).of(on_file, euros("10")) == euros("0.50")
    assert not Fees({Method.PAYPAL: card}).of(on_file, euros("10"))


def test_each_method_has_its_own() -> None:
    fees = Fees({Method.CARD: Fee(flat={"EUR": euros("1.50")})})
    assert [str(fees.of(method, euros("42.50"))) for method in (Method.CARD, Method.PAYPAL)] == [
        "1.50 EUR",
        "0.00 EUR",
    ]


@given(st.sampled_from(CURRENCIES), UNITS)
def test_a_fee_of_zero_is_no_fee(currency: str, units: int) -> None:
    amount = Money.of_minor_units(units, currency)
    for fee in (Fee(flat={currency: Money.zero(currency)}), Fee(percent=Decimal(0))):
        assert fee.of(amount) == Money.zero(currency)


def test_a_card_on_file_may_cost_nothing_where_a_card_costs_something() -> None:
    fees = Fees(
        {Method.CARD: Fee(percent=Decimal(2)), Method.CARD_ON_FILE: Fee(percent=Decimal(0))}
    )
    assert [fees.of(each, euros("42.50")) for each in (Method.CARD, Method.CARD_ON_FILE)] == [
        euros("0.85"),
        euros("0.00"),
    ]


@pytest.mark.parametrize(
    ("amount", "cost"),
    [("10.00", "0.50"), ("42.50", "0.85"), ("42.75", "0.86"), ("400.00", "5.00")],
)
def test_two_percent_with_a_least_and_a_most(amount: str, cost: str) -> None:
    fee = Fee(percent=Decimal(2), minimum={"EUR": euros("0.50")}, cap={"EUR": euros("5.00")})
    assert fee.of(euros(amount)) == euros(cost)


def test_a_fee_with_amounts_in_euros_is_not_asked_for_in_dollars() -> None:
    dollars = Money.of(1000, "USD")
    assert not Fee(flat={"EUR": euros("1.50")}).of(dollars)
    assert not Fee(percent=Decimal(2), cap={"EUR": euros("5.00")}).of(dollars)
    assert Fee(percent=Decimal(2)).of(dollars) == Money.of(20, "USD")


@pytest.mark.parametrize(
    ("fee", "why"),
    [
        (Fee, "either flat or percent"),
        (lambda: Fee(flat={"EUR": euros("1")}, percent=Decimal(2)), "either flat or percent"),
        (lambda: Fee(flat={"EUR": euros("1")}, cap={"EUR": euros("1")}), "no minimum and no cap"),
        (lambda: Fee(percent=Decimal(101)), "from 0 to 100"),
        (lambda: Fee(percent=Decimal(-1)), "from 0 to 100"),
        (lambda: Fee(flat={"EUR": euros("-0.01")}), "no fee"),
        (lambda: Fee(flat={"EUR": euros("0")}, percent=Decimal(0)), "either flat or percent"),
        (lambda: Fee(percent=Decimal(0), minimum={"EUR": euros("1")}), "no minimum and no cap"),
        (lambda: Fee(percent=Decimal(1), cap={"EUR": euros("0")}), "more than zero"),
        (
            lambda: Fee(percent=Decimal(1), minimum={"EUR": euros("6")}, cap={"EUR": euros("5")}),
            "more than the cap",
        ),
        (
            lambda: Fee(
                percent=Decimal(1), minimum={"USD": Money.of(1, "USD")}, cap={"EUR": euros("5")}
            ),
            "different currencies",
        ),
    ],
)
def test_a_fee_that_is_none_is_refused(fee: Callable[[], Fee], why: str) -> None:
    with pytest.raises(MoneyNotUnderstood, match=why):
        fee()
