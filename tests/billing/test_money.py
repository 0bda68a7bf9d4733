"""Money: exact, of one currency, never a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.errors import CurrencyMismatch, MoneyNotUnderstood
from ivr.billing.money import Money, total

CENTS = st.integers(0, 10**12).map(lambda cents: Money(Decimal(cents) / 100, "EUR"))


@pytest.mark.parametrize(
    ("text", "currency", "shown"),
    [("42.5", "EUR", "42.50 EUR"), ("1", "JPY", "1 JPY"), ("1.5", "KWD", "1.500 KWD")],
)
def test_an_amount_has_the_decimals_of_its_currency(text: str, currency: str, shown: str) -> None:
    assert str(Money.of(text, currency)) == shown


@pytest.mark.parametrize(
    ("text", "currency"),
    [("42.505", "EUR"), ("0.5", "JPY"), ("1", "eur"), ("1", "EURO"), ("x", "EUR"), ("NaN", "EUR")],
)
def test_what_the_currency_cannot_express_is_refused(text: str, currency: str) -> None:
    with pytest.raises(MoneyNotUnderstood):
        Money.of(text, currency)


def test_a_float_is_refused() -> None:
    with pytest.raises(MoneyNotUnderstood):
        Money(42.5, "EUR")  # type: ignore[arg-type]  # that is the mistake


def test_two_currencies_are_never_put_together() -> None:
    euro, dollar = Money.of(1, "EUR"), Money.of(1, "USD")
    with pytest.raises(CurrencyMismatch):
        euro + dollar
    with pytest.raises(CurrencyMismatch):
        euro < dollar  # noqa: B015 - comparing is the mistake
    with pytest.raises(CurrencyMismatch):
        total([euro, dollar], "EUR")
    assert euro != dollar


@given(st.lists(CENTS, max_size=20))
def test_sums_are_exact(amounts: list[Money]) -> None:
    cents = sum(int(amount.amount * 100) for amount in amounts)
    assert total(amounts, "EUR").amount == Decimal(cents) / 100


@given(CENTS, CENTS)
def test_what_is_added_can_be_taken_away(one: Money, other: Money) -> None:
    assert one + other - other == one
    assert (one < other) == (one.amount < other.amount)


def test_nothing_is_false() -> None:
    assert not Money.zero("EUR")
    assert Money.of("0.01", "EUR")
    assert total([], "USD") == Money.zero("USD")


@given(st.integers(0, 10**12), st.sampled_from(("EUR", "JPY", "KWD")))
def test_minor_units_lose_nothing(units: int, currency: str) -> None:
    assert Money.of_minor_units(units, currency).minor_units == units


@pytest.mark.parametrize(
    ("amount", "currency", "rate", "share"),
    [("42.50", "EUR", "2", "0.85"), ("0.25", "EUR", "2", "0.01"), ("24", "JPY", "2", "0")],
)
def test_a_percentage_is_rounded_half_up(amount: str, currency: str, rate: str, share: str) -> None:
    assert Money.of(amount, currency).percent(Decimal(rate)) == Money.of(share, currency)
