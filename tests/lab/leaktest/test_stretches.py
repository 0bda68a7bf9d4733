"""How many digits below each other are a find depends on how many there are."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from ivr.lab.leaktest.canaries import SHORT_WINDOW, deal
from ivr.lab.leaktest.stretches import CHANCE, LONGEST_WINDOW, Reading, Stretches, readings


def of(cards: int) -> Stretches:
    found = Stretches()
    for card in islice(deal(random.Random(1)), cards):
        found.know(card.number + card.expiry + card.code, card.label)
    return found


def column(count: int, digits: str = "0123456789") -> Reading:
    text = "".join(random.Random(2).choices(digits, k=count))
    return Reading(text, range(count))


def test_eight_are_enough_where_few_stand_and_few_cards_were_keyed() -> None:
    assert of(1).needed(column(16), CHANCE / 5) == SHORT_WINDOW


@pytest.mark.parametrize(("count", "needed"), [(25, 12), (100, 12), (1000, 13), (100_000, 15)])
def test_of_a_run_of_two_hundred_calls_more_are_needed(count: int, needed: int) -> None:
    assert of(200).needed(column(count), CHANCE / 5000) == needed


def test_more_are_never_needed_than_a_card_number_has() -> None:
    assert of(200).needed(column(1_000_000), CHANCE / 5000) == LONGEST_WINDOW


def test_as_many_are_found_by_chance_as_are_expected() -> None:
    """The arithmetic, measured: stretches of five digits, of which chance writes enough."""
    known, read = of(50).of(5), column(200_000)
    expected = known.expected(read)
    assert len(list(known.among(read.digits))) == pytest.approx(expected, rel=0.1)


def test_as_many_as_are_expected_of_uneven_digits_too() -> None:
    known, read = of(50).of(5), column(200_000, "0001112234567")
    expected = known.expected(read)
    assert len(list(known.among(read.digits))) == pytest.approx(expected, rel=0.1)


def test_as_many_as_are_expected_where_runs_are_one() -> None:
    known = of(50).of(5, merged=True)
    merged = next(one for one in readings(column(200_000).digits) if one.merged)
    expected = known.expected(merged)
    assert len(list(known.among(merged.digits))) == pytest.approx(expected, rel=0.1)


def test_what_is_needed_leaves_less_to_chance_than_is_allowed() -> None:
    known, read = of(200), column(5000)
    needed = known.needed(read, CHANCE)
    assert known.of(needed).expected(read) <= CHANCE < known.of(needed - 1).expected(read)


def test_a_column_is_read_whole_by_halves_and_with_its_runs_as_one() -> None:
    found = [(one.digits, list(one.places)) for one in readings("11233")]
    assert found == [
        ("11233", [0, 1, 2, 3, 4]), ("123", [0, 2, 4]), ("13", [1, 3]), ("123", [0, 2, 3]),
    ]  # fmt: skip
