"""How answers are drawn and counted, and what the daemon's log tells of their delays."""

import random
import re
from datetime import date

import pytest

from ivr.dialogue.hearing import Heard, Unheard
from ivr.hearing import GRAMMARS
from ivr.lab.bench import answers
from ivr.lab.bench.answers import (
    ELSE,
    NO,
    NUMBER,
    YES,
    YES_NO,
    Outcome,
    Trial,
    digits_right,
    number_figures,
    number_trials,
    number_words,
    other_trials,
    yes_no_figures,
    yes_no_trials,
)
from ivr.lab.bench.name_trials import edits
from ivr.lab.bench.spoken_calls import after_names, delays_of
from ivr.lab.speaking import NOISES
from ivr.speech import grammar
from ivr.speech.meanings import meaning

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def grammars() -> dict[str, grammar.Grammars]:
    return grammar.load(GRAMMARS)


def number(meant: str, heard: Heard | Unheard) -> Outcome:
    return Outcome(Trial(None, "", NUMBER, meant), heard, 0.3)


def read(digits: str) -> Heard:
    return Heard("digits", digits, digits)


def test_a_number_said_is_the_number_meant(grammars: dict[str, grammar.Grammars]) -> None:
    for language in ("en", "es"):
        known = grammars[language]["digits"]
        for trial in number_trials(language, 60):
            tags = known.read(trial.words.replace(",", ""))
            assert tags is not None, trial.words
            assert meaning("digits", tags, TODAY) == trial.meaning
            assert re.fullmatch(r"\d{4,10}", trial.meaning or "")


def test_numbers_are_said_in_several_ways() -> None:
    chance = random.Random(1)
    ways = {number_words("4402", "en", chance) for _ in range(200)}
    assert "four four zero two" in ways
    assert "double four oh two" in ways
    assert "four, four, oh, two" in ways


def test_yes_and_no_mean_what_the_bench_takes_them_for(
    grammars: dict[str, grammar.Grammars],
) -> None:
    for language in ("en", "es"):
        for meant, ways in (("yes", YES), ("no", NO)):
            for words in ways[language]:
                assert grammars[language]["yes_no"].read(words) == (meant,), words


def test_what_is_no_answer_is_in_no_grammar_that_it_is_tried_with(
    grammars: dict[str, grammar.Grammars],
) -> None:
    for language in ("en", "es"):
        for trial in other_trials(language, 90):
            for name in (trial.expecting.grammar, "command"):
                assert grammars[language][name].read(trial.words) is None, trial.words
        assert len(ELSE[language]) == 26


def test_no_two_noises_are_the_same_sound() -> None:
    noises = [one.noise for one in other_trials("en", 200) if not one.speaker]
    assert len(noises) == len(set(noises)) == 50
    assert {one.noise for one in noises} == set(NOISES)


def test_trials_are_the_same_every_time() -> None:
    assert list(number_trials("en", 9)) == list(number_trials("en", 9))
    assert list(yes_no_trials("es", 9)) == list(yes_no_trials("es", 9))


@pytest.mark.parametrize(
    ("heard", "right"),
    [
        (read("28013"), 5),
        (read("28018"), 4),
        (read("2813"), 4),
        (read("280133"), 4),
        (Unheard.UNCLEAR, 0),
        (Heard("command", "help", "help"), 0),
    ],
)
def test_every_digit_gained_lost_or_changed_is_wrong(heard: Heard | Unheard, right: int) -> None:
    assert digits_right(number("28013", heard)) == right


def test_a_number_taken_for_another_is_counted_apart_from_one_not_understood() -> None:
    outcomes = [
        number("2801", read("2801")), number("2801", read("2802")), number("28", Unheard.UNCLEAR),
    ]  # fmt: skip
    digits, whole, taken = number_figures("en", outcomes)
    assert digits.value == pytest.approx(7 / 10)
    assert whole.value == pytest.approx(1 / 3)
    assert taken.value == pytest.approx(1 / 3)


def test_yes_for_no_is_worse_than_not_understood() -> None:
    def said(meant: str, heard: Heard | Unheard) -> Outcome:
        return Outcome(Trial(None, "", YES_NO, meant), heard, 0.3)

    outcomes = [
        said("yes", Heard("yes_no", "yes", "yes")),
        said("no", Heard("yes_no", "yes", "yes")),
        said("no", Unheard.UNCLEAR),
    ]
    right, opposite = yes_no_figures("en", outcomes)
    assert right.value == opposite.value == pytest.approx(1 / 3)


def test_a_noise_that_nobody_took_for_an_answer_is_known() -> None:
    noise = next(one for one in other_trials("en", 1))
    known, *_ = answers.other_figures("en", [Outcome(noise, Unheard.SILENCE, 0.0)])
    assert known.value == 1.0


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [("", "", 0), ("28013", "2813", 1), ("smith", "smyth", 1), ("", "ab", 2)],
)
def test_edits_are_counted(one: str, other: str, apart: int) -> None:
    assert edits(one, other) == apart


LOG = (
    '{"call": "a", "heard": "name", "delay_ms": 750, "event": "speech_over"}',
    '{"call": "a", "event": "call"}',
    '{"call": "b", "heard": "UNCLEAR", "delay_ms": 600, "event": "speech_over"}',
    '{"call": "a", "heard": "yes_no", "delay_ms": 330, "event": "speech_over"}',
    "no JSON at all",
)


def test_delays_are_read_from_the_log_call_by_call() -> None:
    assert delays_of(LOG) == {
        "a": [("name", 0.75), ("yes_no", 0.33)],
        "b": [("UNCLEAR", 0.6)],
    }


def test_the_time_to_the_prompt_after_a_name_adds_what_the_look_up_took() -> None:
    trail = (
        "1.0 say welcome", "9.0 heard name", "9.1 name Sure", "9.2 say confirm_name",
        "12.0 heard yes_no", "12.1 say ask_postal_code",
    )  # fmt: skip
    assert list(after_names({"a": trail}, delays_of(LOG))) == pytest.approx([0.95])
