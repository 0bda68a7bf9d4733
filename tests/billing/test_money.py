"""Money: exact, of one currency, never a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.errors import CurrencyMismatch, MoneyNotUnderstood
from ivr.billing.money import MINOR_DIGITS, Money, minor_digits, total

CENTS = st.integers(0, 10**12).map(lambda cents: Money(Decimal(cents) / 100, "EUR"))
UNITS = st.integers(-(10**12), 10**12)
CODES = st.sampled_from(["EUR", "MXN", "XTS", *MINOR_DIGITS])


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


def test_what_nobody_ever_owed_is_refused_like_any_other_slip() -> None:
    with pytest.raises(MoneyNotUnderstood, match="more than any amount"):
        Money(Decimal("1e30"), "EUR")


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


@given(UNITS, CODES)
def test_minor_units_lose_nothing(units: int, currency: str) -> None:
    amount = Money.of_minor_units(units, currency)
    assert amount.minor_units == units
    assert Money.of(str(amount.amount), currency) == amount
    assert amount.amount.as_tuple().exponent == -minor_digits(currency)
    assert minor_digits(currency) in {0, 2, 3}


@given(st.lists(UNITS, max_size=20), CODES)
def test_sums_in_any_currency_are_those_of_its_coins(units: list[int], currency: str) -> None:
    amounts = [Money.of_minor_units(each, currency) for each in units]
    assert total(amounts, currency).minor_units == sum(units)
    assert [each.minor_units for each in sorted(amounts)] == sorted(units)


@given(UNITS, CODES)
def test_nothing_finer_than_the_smallest_coin_is_money(units: int, currency: str) -> None:
    finer = (Decimal(units) * 10 + 1).scaleb(-minor_digits(currency) - 1)
    with pytest.raises(MoneyNotUnderstood):
        Money(finer, currency)


@given(UNITS, CODES, st.decimals(0, 100, places=3))
def test_a_share_is_the_nearest_coin_and_all_of_it_is_all(
    units: int, currency: str, rate: Decimal
) -> None:
    amount = Money.of_minor_units(units, currency)
    assert abs(amount.percent(rate).minor_units - units * rate / 100) <= Decimal("0.5")
    assert amount.percent(Decimal(100)) == amount
    assert not amount.percent(Decimal(0))


@pytest.mark.parametrize(
    ("amount", "currency", "rate", "share"),
    [("42.50", "EUR", "2", "0.85"), ("0.25", "EUR", "2", "0.01"), ("24", "JPY", "2", "0")],
)
def test_a_percentage_is_rounded_half_up(amount: str, currency: str, rate: str, share: str) -> None:
    assert Money.of(amount, currency).percent(Decimal(rate)) == Money.of(share, currency)
