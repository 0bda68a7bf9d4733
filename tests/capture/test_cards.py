from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.capture import cards
from ivr.gateways.test_cards import ALL, Brand, SandboxCard
from tests.capture.test_secret import keyed

DIGITS = "0123456789"
TODAY = date(2026, 11, 22)


def luhn_digit(body: str) -> str:
    """The check digit as ISO/IEC 7812-1 computes it, written another way than in the source."""
    weights = [2 if place % 2 == 0 else 1 for place in range(len(body))]
    products = [int(digit) * weight for digit, weight in zip(reversed(body), weights, strict=True)]
    return str(-sum(int(figure) for product in products for figure in str(product)) % 10)


@given(st.text(DIGITS, min_size=11, max_size=18).filter(lambda body: body.strip("0")))
def test_exactly_one_check_digit_passes(body: str) -> None:
    passing = [digit for digit in DIGITS if cards.passes_luhn(keyed(body + digit))]
    assert passing == [luhn_digit(body)]


@given(st.text(DIGITS, min_size=12, max_size=18), st.data())
def test_one_wrong_digit_is_always_found(body: str, data: st.DataObject) -> None:
    number = "4" + body + luhn_digit("4" + body)
    place = data.draw(st.integers(0, len(number) - 1))
    other = data.draw(st.sampled_from([digit for digit in DIGITS if digit != number[place]]))
    assert not cards.passes_luhn(keyed(number[:place] + other + number[place + 1 :]))


def test_zeros_alone_are_no_card() -> None:
    assert not cards.passes_luhn(keyed("0" * 16))
    assert not cards.passes_luhn(keyed(""))


@pytest.mark.parametrize("card", ALL, ids=lambda card: card.number[-4:])
def test_every_published_test_card_is_a_card_of_its_brand(card: SandboxCard) -> None:
    number = keyed(card.number)
    assert cards.is_card_number(number)
    if card.brand is not Brand.UNIONPAY:  # runs under Discover's or no prefix here
        assert cards.brand_of(number).name == card.brand.value


@pytest.mark.parametrize(
    ("prefix", "brand"),
    [
        ("4", "visa"), ("51", "mastercard"), ("55", "mastercard"), ("50", "unknown"),
        ("2220", "unknown"), ("2221", "mastercard"), ("2720", "mastercard"), ("2721", "unknown"),
        ("34", "amex"), ("37", "amex"), ("35", "unknown"), ("6011", "discover"), ("65", "discover"),
        ("644", "discover"), ("643", "unknown"), ("36", "diners"), ("305", "diners"),
        ("3528", "jcb"), ("3589", "jcb"), ("6304", "maestro"), ("5018", "maestro"), ("", "unknown"),
    ],
)  # fmt: skip
def test_the_brand_is_known_from_the_prefix(prefix: str, brand: str) -> None:
    assert cards.brand_of(keyed(prefix)).name == brand


@pytest.mark.parametrize(
    ("prefix", "enough", "full"),
    [
        ("4", {13, 16, 19}, 19), ("51", {16}, 16), ("34", {15}, 15),
        ("6011", {16, 17, 18, 19}, 19), ("36", set(range(13, 20)), 19),
    ],
)  # fmt: skip
def test_a_number_is_enough_and_full_at_its_brands_lengths(
    prefix: str, enough: set[int], full: int
) -> None:
    lengths = range(len(prefix), 20)
    numbers = [keyed(prefix.ljust(length, "1")) for length in lengths]
    assert {len(number) for number in numbers if cards.is_enough(number)} == enough
    assert min(len(number) for number in numbers if cards.is_full(number)) == full


@given(st.dates(date(2020, 1, 1), date(2098, 12, 31)), st.integers(-300, 300))
def test_a_card_is_good_until_the_last_day_of_its_month(today: date, months: int) -> None:
    month = today.year * 12 + today.month - 1 + months
    expiry = f"{month % 12 + 1:02}{month // 12 % 100:02}"
    good = date(month // 12, month % 12 + 1, 1) if 0 <= months <= 240 else None
    assert cards.expiry_month(keyed(expiry), today) == good


@pytest.mark.parametrize("expiry", ["0030", "1330", "9930", "1", "013", ""])
def test_a_month_that_is_none_is_no_expiry(expiry: str) -> None:
    assert cards.expiry_month(keyed(expiry), TODAY) is None


@pytest.mark.parametrize("brand", [cards.VISA, cards.MASTERCARD, cards.UNKNOWN])
def test_only_amex_has_four_digits_on_its_front(brand: cards.Brand) -> None:
    assert brand.code_length == 3
    assert cards.AMEX.code_length == 4
