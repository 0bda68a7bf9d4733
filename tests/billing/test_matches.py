"""Ranking of names, and when one of them is sure."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.customers import CustomerKind
from ivr.billing.matches import (
    TURNED,
    UNKNOWN_WORD,
    UNSAID,
    Choose,
    MarginRule,
    Named,
    Said,
    Sure,
    Unsure,
    decide,
    dissent,
    likely_combinations,
    name_distance,
    words_said,
)

PERSON, COMPANY = CustomerKind.PERSON, CustomerKind.COMPANY
RULE = MarginRule(sure=0.25, margin=0.5, far=2.0, span=0.9, tie=0.02)


def named(distance: float, number: int = 1, known: float = 0.0) -> Named:
    return Named(f"Name {number}", (number,), distance, known)


NAMES = st.lists(
    st.builds(named, st.floats(0, 4), st.integers(1, 99), st.sampled_from((0.0, 0.05, 0.35))),
    max_size=8,
)


def test_one_near_name_alone_is_sure() -> None:
    assert decide([named(0.1)], RULE) == Sure(named(0.1))


def test_a_near_name_with_another_close_behind_is_a_choice() -> None:
    assert decide([named(0.5, 2), named(0.1)], RULE) == Choose((named(0.1), named(0.5, 2)))


def test_a_name_not_near_enough_is_offered_even_alone() -> None:
    assert decide([named(0.6)], RULE) == Choose((named(0.6),))


@pytest.mark.parametrize("names", [[], [named(2.1)]])
def test_nothing_near_is_unsure(names: list[Named]) -> None:
    assert decide(names, RULE) == Unsure()


def test_nothing_is_sure_that_disagrees_with_what_may_as_well_have_been_said() -> None:
    doubted = Named("Aaron Gray", (1,), 0.0, dissent=0.8)
    assert decide([doubted], RULE) == Choose((doubted,))


def test_a_hypothesis_much_worse_than_the_best_does_not_dissent() -> None:
    aaron = Said(({"aaron": 0.0, "karan": 0.8},), 0.0, 0)
    karan = Said(({"karan": 0.0, "aaron": 0.8},), 0.15, 1)
    assert dissent([aaron, karan], ["aaron"], PERSON) == pytest.approx(0.8)
    assert dissent([aaron, replace(karan, cost=0.5)], ["aaron"], PERSON) == 0.0
    assert dissent([aaron, replace(karan, hypothesis=0)], ["aaron"], PERSON) == 0.0


def test_at_most_three_are_offered() -> None:
    decision = decide([named(0.1 * n, n) for n in range(1, 8)], RULE)
    assert isinstance(decision, Choose)
    assert [one.customers for one in decision.names] == [(1,), (2,), (3,)]


def test_four_that_cannot_be_told_apart_are_unsure() -> None:
    assert decide([named(0.3, n) for n in range(4)], RULE) == Unsure()


def test_what_is_known_orders_names_but_makes_none_near() -> None:
    decision = decide([named(0.4, 1), named(0.45, 2, known=0.3)], RULE)
    assert isinstance(decision, Choose)
    assert decision.names[0].customers == (2,)
    assert decide([named(2.1, 1, known=0.35)], RULE) == Unsure()
    assert isinstance(decide([named(0.5, 1, known=0.35)], RULE), Choose)


@given(NAMES)
def test_a_sure_name_is_near_and_far_from_the_next(names: list[Named]) -> None:
    decision = decide(names, RULE)
    if isinstance(decision, Sure):
        others = [one for one in names if one is not decision.named and one.distance <= RULE.far]
        assert decision.named.distance <= RULE.sure
        assert all(one.rank - decision.named.rank >= RULE.margin for one in others)
    if isinstance(decision, Choose):
        assert 1 <= len(decision.names) <= 3


@given(NAMES, st.randoms())
def test_the_order_of_candidates_does_not_matter(names: list[Named], chance: object) -> None:
    assert decide(names, RULE) == decide(sorted(names, key=lambda one: -one.distance), RULE)


SAID = Said(({"james": 0.0, "jane": 0.6}, {"smith": 0.1, "smits": 0.4}))


@pytest.mark.parametrize(
    ("words", "kind", "distance"),
    [
        ("james smith", PERSON, 0.1),
        ("jane smith", PERSON, 0.7),
        ("smith james", PERSON, 0.1 + TURNED),
        ("smith james", COMPANY, 0.1 + UNKNOWN_WORD + UNSAID - 0.1),
        ("james earl smith", PERSON, 0.1 + UNSAID),
        ("james brown", PERSON, UNKNOWN_WORD + UNSAID),
        ("peter brown", PERSON, inf),
    ],
)
def test_a_name_is_as_far_as_its_words(words: str, kind: CustomerKind, distance: float) -> None:
    assert name_distance(SAID, words.split(), kind) == pytest.approx(distance)


MARIA = Said(({"maria": 0.0, "mary": 0.3}, {"garcia": 0.0, "garza": 1.5}))


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ("maria garcia", PERSON, "maria garcia"),
        ("maria garcia lopez", PERSON, "maria garcia"),
        ("mary jose garcia lopez", PERSON, "mary garcia"),
        ("garcia maria", PERSON, "garcia maria"),
        ("garcia lopez maria", PERSON, "garcia maria"),
        ("maria garcia garcia", PERSON, "maria garcia"),
        ("maria garza", PERSON, "maria"),
        ("maria lopez", PERSON, "maria"),
        ("maria hermanos garcia", COMPANY, "maria garcia"),
    ],
)
def test_only_the_counterparts_of_words_said_are_said_of_a_name(
    words: str, kind: CustomerKind, said: str
) -> None:
    places = words_said([MARIA], words.split(), kind)
    assert " ".join(words.split()[place] for place in places) == said


def test_of_several_readings_the_nearest_tells_what_was_said() -> None:
    longer = Said((*MARIA.near, {"lopez": 0.0}), 0.15, 1)
    assert words_said([MARIA, longer], ["maria", "garcia", "lopez"], PERSON) == (0, 1, 2)
    assert words_said([MARIA, longer], ["maria", "garcia", "ruiz"], PERSON) == (0, 1)


@given(st.data())
def test_no_more_words_are_said_of_a_name_than_were_heard(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5))
    near = st.dictionaries(st.sampled_from("abcde"), st.floats(0, 2), min_size=1, max_size=3)
    heard = tuple(data.draw(st.lists(near, min_size=1, max_size=4)))
    for kind in CustomerKind:
        places = words_said([Said(heard)], words, kind)
        assert len(places) == len(set(places)) <= len(heard)
        assert all(any(words[place] in likely for likely in heard) for place in places)


def test_a_sure_name_was_said_in_full() -> None:
    assert MarginRule().sure < UNSAID


def test_the_likeliest_combinations_come_first() -> None:
    assert likely_combinations([SAID], 3) == [
        ("james", "smith"),
        ("james", "smits"),
        ("jane", "smith"),
    ]


def test_of_three_words_one_may_be_wrong() -> None:
    three = Said(({"ana": 0.0}, {"ruiz": 0.0}, {"sol": 0.0}))
    assert set(likely_combinations([three], 9)) == {
        ("ana", "ruiz", "sol"),
        ("ana", "ruiz"),
        ("ana", "sol"),
        ("ruiz", "sol"),
    }


def test_a_word_like_nothing_leaves_the_others() -> None:
    assert likely_combinations([Said(({"ana": 0.0}, {}, {"sol": 0.0}))], 9) == [("ana", "sol")]
    assert likely_combinations([Said(({"ana": 0.0}, {}))], 9) == []


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 2), min_size=1),
        min_size=1,
        max_size=3,
    )
)
def test_every_choice_of_words_comes_once_and_in_order(near: list[dict[str, float]]) -> None:
    found = likely_combinations([Said(tuple(near))], 10_000)
    assert len(found) == len(set(found))
    best = tuple(sorted(min(each, key=lambda word: (each[word], word)) for each in near))
    assert best in found
    full = [words for words in found if len(words) == len(near)]
    expected = 1
    for each in near:
        expected *= len(each)
    assert len(full) <= expected
