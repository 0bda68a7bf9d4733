"""The customers that benches are made with, and how whole dialogues are counted."""

import pytest

from ivr.billing.customers import CustomerKind
from ivr.billing.matches import Choose, Decision, Named, Sure, Unsure
from ivr.billing.names import form
from ivr.lab.bench.callers import Caller, Kind
from ivr.lab.bench.customers import Invented, Names, invented, is_known, known_words
from ivr.lab.bench.dialogues import Dialogue, figures
from ivr.lab.bench.name_population import Somebody
from ivr.lab.bench.voices import Speaker


async def never(one: str, other: str) -> bool:
    return one == other


def held(*decisions: Decision, identified: int | None = None, kind: Kind = Kind.HONEST) -> Dialogue:
    caller = Caller(MYSELF, kind, "en", Speaker("en", 162), 0, never)
    return Dialogue(caller, list(decisions), identified=identified)


MYSELF = Invented(1, "10000000", "28013", Somebody("Me", CustomerKind.PERSON, "en"))
ME, OTHER, THIRD = Named("Me", (1,), 0.0), Named("Other", (2,), 0.5), Named("Third", (3,), 0.6)


def test_customers_are_the_same_every_time_and_live_at_different_places() -> None:
    people = list(invented(200, Names.CENSUS))
    assert people == list(invented(200, Names.CENSUS))
    assert people[:50] == list(invented(50, Names.CENSUS))
    assert len({one.account for one in people}) == 200
    assert len({one.postal_code for one in people}) > 150
    assert all(len(one.postal_code) == 5 for one in people)


def test_a_known_customer_has_no_word_that_the_models_lack() -> None:
    words = {language: known_words(language) for language in ("en", "es")}
    for one in invented(200, Names.KNOWN):
        said = form(one.somebody.name, one.somebody.kind).written
        assert words[one.somebody.language].issuperset(said)
    assert not is_known(Somebody("Zork Zarniwoop", CustomerKind.PERSON, "en"), words["en"])


@pytest.mark.parametrize(
    ("decision", "place"),
    [
        (Sure(ME), 1), (Sure(OTHER), 0), (Choose((OTHER, ME)), 2), (Choose((OTHER, THIRD, ME)), 3),
        (Unsure(), 0),
    ],
)  # fmt: skip
def test_a_callers_place_is_that_among_the_names_first_offered(
    decision: Decision, place: int
) -> None:
    assert held(decision, Sure(ME)).place == place


def test_a_caller_whose_name_was_never_looked_up_has_no_place() -> None:
    assert held().place == 0


def test_a_customer_taken_for_another_is_wrong_and_one_not_identified_is_not() -> None:
    assert held(identified=1).is_right
    assert held(identified=2).is_wrong
    assert not held(identified=None).is_wrong


def test_a_stranger_is_wrong_whoever_they_are_taken_for() -> None:
    assert held(identified=1, kind=Kind.STRANGER).is_wrong
    assert not held(identified=None, kind=Kind.STRANGER).is_wrong


def test_dialogues_are_counted_by_place_and_by_their_end() -> None:
    some = [
        held(Sure(ME), identified=1), held(Choose((OTHER, ME)), identified=1),
        held(Unsure(), identified=1), held(Sure(OTHER), identified=2),
    ]  # fmt: skip
    first, three, end, wrong = figures(some, "all")
    assert (first.value, three.value, end.value, wrong.value) == (0.25, 0.5, 0.75, 0.25)
    assert wrong.met is False
