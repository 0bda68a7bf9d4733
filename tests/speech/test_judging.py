"""Which guesses are answers: how well they fit, how they sounded, and what can be no name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from ivr.dialogue.hearing import COMMAND, DIGITS, NAME, SPELLING, Expecting, Heard, Unheard
from ivr.speech.grammar import UNKNOWN
from ivr.speech.judging import Evidence, Strictness, is_complete, judge
from ivr.speech.recogniser import Guess
from ivr.speech.voicing import Voicing
from tests.speech.shipped import GRAMMARS

TODAY = dt.date(2026, 11, 22)
STRICT = Strictness(worse=2.0, worse_a_second=2.0)
YES_NO = Expecting("yes_no")
NAMED = Expecting(NAME, shortest=4)


def judged(
    expecting: Expecting,
    narrow: list[tuple[str, float]],
    wide: list[tuple[str, float]],
    *,
    seconds: float = 0.5,
    voicing: Voicing | None = None,
    babble: float | None = None,
    named: Sequence[tuple[str, float]] = (),
    language: str = "en",
) -> Heard | Unheard:
    known = GRAMMARS[language]
    expected = DIGITS if expecting.grammar == NAME else expecting.grammar
    evidence = Evidence(
        [Guess(*one) for one in narrow],
        [Guess(*one) for one in wide],
        seconds,
        voicing,
        babble,
        [Guess(*one) for one in named],
    )
    return judge(expecting, [known[expected], known[COMMAND]], evidence, TODAY, STRICT)


@pytest.mark.parametrize(
    ("worse", "seconds", "is_answer"), [(2.9, 0.5, True), (3.1, 0.5, False), (3.1, 1.0, True)]
)
def test_a_short_word_may_fit_a_little_worse_than_any_word(
    worse: float, seconds: float, *, is_answer: bool
) -> None:
    heard = judged(YES_NO, [("no", 20.0)], [("know", 20.0 + worse)], seconds=seconds)
    assert isinstance(heard, Heard) is is_answer


def test_what_fits_silence_best_is_no_answer() -> None:
    assert judged(YES_NO, [("", 20.0), ("yes", 19.0)], [("yes", 19.0)]) is Unheard.UNCLEAR


@pytest.mark.parametrize(
    ("voicing", "is_answer"),
    [
        (Voicing(0.5, 0.3, 0.1), True),
        (Voicing(0.5, 0.02, 0.03), False),  # a cough, or hiss
        (Voicing(0.5, 0.5, 0.001), False),  # a chord
    ],
)
def test_what_does_not_sound_like_a_voice_is_no_answer(
    voicing: Voicing, *, is_answer: bool
) -> None:
    heard = judged(YES_NO, [("yes", 20.0)], [("yes", 20.0)], voicing=voicing)
    assert isinstance(heard, Heard) is is_answer
    name = judged(NAMED, [(UNKNOWN, 1.0)], [("jane smith", 40.0)], voicing=voicing)
    assert isinstance(name, Heard) is is_answer


@pytest.mark.parametrize("words", ["ana ruiz", "li", "jane smith", "my name is john hill"])
def test_short_names_are_names(words: str) -> None:
    heard = judged(NAMED, [(UNKNOWN, 5.0)], [(words, 30.0)], babble=10.0)
    assert heard == Heard(NAME, words, words)


@pytest.mark.parametrize(
    "words", ["hello", "um", "uh", "what", "once that", "hello hello", "who are you", "hola", "eh"]
)
def test_what_is_said_in_place_of_a_name_is_none(words: str) -> None:
    heard = judged(NAMED, [(UNKNOWN, 5.0)], [(words, 30.0)], babble=10.0)
    assert heard is Unheard.UNCLEAR


def test_a_name_among_the_guesses_wins_over_what_is_none() -> None:
    wide = [("live", 30.4), ("li", 30.0), ("like", 28.4)]
    assert judged(NAMED, [(UNKNOWN, 5.0)], wide, babble=10.0) == Heard(NAME, "li", "li")


def test_a_sentence_in_which_names_were_found_is_none() -> None:
    wide = [("stella green albero puerta", 36.0)]
    heard = judged(NAMED, [(UNKNOWN, 40.0)], wide, seconds=1.7, babble=44.0)
    assert heard is Unheard.UNCLEAR


def test_a_command_or_a_number_is_heard_where_a_name_is_asked_for() -> None:
    agent = judged(NAMED, [("agent please", 30.0)], [("asian lees", 31.0)], babble=10.0)
    number = [("one oh four two", 40.0)]
    assert agent == Heard(COMMAND, "agent", "agent please")
    assert judged(NAMED, number, number, babble=10.0) == Heard(DIGITS, "1042", number[0][0])


AT_HAND = Expecting(NAME, shortest=4, at_hand=("sophie dodge", "debra norton"))


def test_a_name_at_hand_wins_over_words_that_fit_a_little_better() -> None:
    wide = [("sophie none", 31.0), ("sophie nun", 30.5)]
    named = [("sophie dodge", 30.0), ("sophie norton", 29.0)]
    heard = judged(AT_HAND, [(UNKNOWN, 5.0)], wide, babble=10.0, named=named)
    assert heard == Heard(
        *(NAME, "sophie dodge", "sophie dodge"),
        ("sophie nun", "sophie norton"),
        (0.0, 1.0),
    )


def test_a_name_at_hand_is_known_with_an_introduction_too() -> None:
    named = [("my name is sophie dodge", 31.0)]
    wide = [("my name is sophie none", 31.5)]
    heard = judged(AT_HAND, [(UNKNOWN, 5.0)], wide, babble=10.0, named=named)
    assert isinstance(heard, Heard)
    assert heard.meaning == "my name is sophie dodge"


def test_a_name_at_hand_that_fits_much_worse_is_only_thought_of() -> None:
    named = [("debra norton", 25.0), ("sophie dodge", 20.0)]
    heard = judged(AT_HAND, [(UNKNOWN, 5.0)], [("devon olson", 31.0)], babble=10.0, named=named)
    assert heard == Heard(NAME, "devon olson", "devon olson", ("debra norton",), (6.0,))


def test_an_account_number_is_none_when_a_name_at_hand_fits_better() -> None:
    number = [("one oh four two", 28.0)]
    name = [("debra norton", 29.0)]
    heard = judged(AT_HAND, number, number, babble=10.0, named=name)
    assert heard == Heard(NAME, "debra norton", "debra norton")
    heard = judged(AT_HAND, number, number, babble=10.0, named=[("debra norton", 27.0)])
    assert isinstance(heard, Heard)
    assert heard.grammar == DIGITS


def test_a_name_that_sounds_like_a_digit_is_a_name() -> None:
    heard = judged(NAMED, [("three", 30.0)], [("lee", 31.0)], babble=10.0)
    assert heard == Heard(NAME, "lee", "lee")


@pytest.mark.parametrize(
    ("expecting", "words", "is_over"),
    [
        (YES_NO, "yes", True),
        (YES_NO, "that's", False),
        (Expecting(DIGITS, 10, shortest=4), "one oh", None),
        (Expecting(DIGITS, 10, shortest=4), "one oh four two", False),
        (Expecting(DIGITS, 5, shortest=5), "two eight oh one three", True),
        (Expecting(DIGITS, 10, shortest=4), "agent", True),
        (Expecting(SPELLING), "j a m e s", False),
        (Expecting(SPELLING), "", None),
        (NAMED, "james", False),
        (NAMED, "james smith", True),
        (NAMED, "one oh four", None),
        (NAMED, "one oh four two", False),
    ],
)
def test_how_much_of_an_answer_there_is(
    expecting: Expecting, words: str, *, is_over: bool | None
) -> None:
    known = GRAMMARS["en"]
    expected = DIGITS if expecting.grammar == NAME else expecting.grammar
    assert is_complete(expecting, [known[expected], known[COMMAND]], words) is is_over


@pytest.mark.parametrize(("behind", "meaning"), [(1.8, None), (2.0, "yes")])
def test_a_yes_that_may_as_well_be_a_no_is_asked_again(behind: float, meaning: str | None) -> None:
    heard = judged(
        YES_NO, [("sí correcto", 20.0), ("incorrecto", 20.0 - behind)], [], language="es"
    )
    assert (heard.meaning if isinstance(heard, Heard) else None) == meaning


def test_two_ways_to_say_yes_are_one_answer() -> None:
    heard = judged(YES_NO, [("yes please", 20.0), ("yes", 19.9)], [("yes please", 20.0)])
    assert isinstance(heard, Heard)
    assert heard.meaning == "yes"


@pytest.mark.parametrize(("shortest", "is_answer"), [(2, True), (3, False)])
def test_fewer_digits_than_any_answer_has_are_none(*, shortest: int, is_answer: bool) -> None:
    heard = judged(Expecting(DIGITS, shortest=shortest), [("one oh", 20.0)], [("window", 20.0)])
    assert isinstance(heard, Heard) is is_answer
