"""Card numbers as a bad line delivers them: digits lost, doubled or swapped on their way.

Thousands of damaged entries go key by key through the rules of the field. A number that comes
through though it is another one must at least sound wrong when it is read back.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from ivr.billing.captures import CaptureField, CaptureRequest
from ivr.capture import cards, fields
from ivr.capture.app import only_test_numbers
from ivr.capture.fields import Asking, blank, problem
from ivr.dialogue.keypad import KeyEntry, Step
from ivr.gateways.test_cards import APPROVING
from tests.capture.secure_part import TODAY
from tests.capture.test_cards import luhn_digit
from tests.capture.test_secret import keyed

NUMBER = CaptureField.CARD_NUMBER
REQUEST = CaptureRequest(uuid4(), "call-1", "en")
CARDS_OF_A_BRAND = 150
LENGTHS = {"visa": 16, "mastercard": 16, "amex": 15, "discover": 16}
PREFIXES = {"visa": "4", "mastercard": "5", "amex": "3", "discover": "6011"}
SECOND = {"mastercard": "12345", "amex": "47"}
UNNOTICED = {"0", "9"}
"""the one pair whose swap leaves the check digit right (ISO/IEC 7812-1, annex B)"""


@dataclass(frozen=True)
class Taken:
    """A number that was taken, as the caller is told of it."""

    number: str
    brand: str

    @property
    def read_back(self) -> tuple[str, str]:
        return self.brand, self.number[-4:]


def some_cards(brand: str) -> Iterator[str]:
    """Valid numbers of a brand, the same in every run."""
    chance = random.Random(brand)
    for _ in range(CARDS_OF_A_BRAND):
        body = PREFIXES[brand] + chance.choice(SECOND.get(brand, "0123456789"))
        body += "".join(chance.choices("0123456789", k=LENGTHS[brand] - 1 - len(body)))
        yield body + luhn_digit(body)


def lost(number: str) -> Iterator[str]:
    for place in range(len(number)):
        yield number[:place] + number[place + 1 :]


def doubled(number: str) -> Iterator[str]:
    for place in range(len(number)):
        yield number[: place + 1] + number[place:]


def swapped(number: str) -> Iterator[tuple[set[str], str]]:
    for place in range(len(number) - 1):
        first, second = number[place], number[place + 1]
        if first != second:
            yield {first, second}, number[:place] + second + first + number[place + 2 :]


def enter(keys: str) -> Taken | None:
    """What the field takes of these keys and `#`; None when it is asked for again."""
    card = blank((NUMBER,))
    entry = KeyEntry(fields.rule(Asking(NUMBER, 1), cards.UNKNOWN, slow=False), card.digits[NUMBER])
    for key in f"{keys}#":
        if entry.press(key, 0.0) is Step.SUBMITTED:
            break
    good = problem(NUMBER, card, REQUEST, TODAY) is None
    taken = Taken(card.digits[NUMBER].reveal(), card.brand.name) if good else None
    card.wipe()
    return taken


@pytest.mark.parametrize("brand", LENGTHS)
def test_an_undamaged_number_is_taken_as_it_is(brand: str) -> None:
    for number in some_cards(brand):
        assert enter(number) == Taken(number, brand)


@pytest.mark.parametrize("brand", LENGTHS)
def test_a_lost_digit_is_always_noticed_or_makes_another_brand(brand: str) -> None:
    """Another brand: of 4 37… the 4 was lost; it is read back as American Express."""
    for number in some_cards(brand):
        for place, keys in enumerate(lost(number)):
            taken = enter(keys)
            assert taken is None or (place == 0 and taken.brand != brand)


def test_a_doubled_digit_of_a_visa_is_always_noticed() -> None:
    for number in some_cards("visa"):
        assert [enter(keys) for keys in doubled(number)] == [None] * len(number)


@pytest.mark.parametrize("brand", ["mastercard", "amex"])
def test_a_doubled_digit_sounds_wrong_where_the_check_digit_lets_it_through(brand: str) -> None:
    """The number is full before its last digit: one in ten passes, with other last digits."""
    tried = [(number, enter(keys)) for number in some_cards(brand) for keys in doubled(number)]
    wrong = [(number, taken) for number, taken in tried if taken and taken.number != number]
    assert 0.02 < len(wrong) / len(tried) < 0.15
    for number, taken in wrong:
        assert taken.read_back != (brand, number[-4:])


def test_a_doubled_digit_of_a_discover_comes_through_one_time_in_ten() -> None:
    """Its network may have numbers of 17 digits; only the bank knows that this one has none."""
    tried = [enter(keys) for number in some_cards("discover") for keys in doubled(number)]
    assert len([taken for taken in tried if taken]) / len(tried) < 0.15
    assert all(len(taken.number) == 17 for taken in tried if taken)


@pytest.mark.parametrize("brand", LENGTHS)
def test_swapped_digits_are_noticed_but_for_a_nine_and_a_zero(brand: str) -> None:
    for number in some_cards(brand):
        for pair, keys in swapped(number):
            taken = enter(keys)
            assert taken is None or taken.brand != brand or pair == UNNOTICED


def test_a_test_gateway_is_sent_no_damaged_number_at_all() -> None:
    for card in APPROVING:
        damaged = [*lost(card.number), *doubled(card.number)]
        damaged += [keys for _, keys in swapped(card.number)]
        for keys in damaged:
            taken = enter(keys)
            if taken and taken.number != card.number:
                assert not only_test_numbers(keyed(taken.number))
