"""Which of a recogniser's guesses become card digits, and what is left of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest

from ivr.billing.captures import CaptureField
from ivr.capture import cards
from ivr.capture.secret import SecretDigits
from ivr.capture.spoken_digits import SpokenDigits, SpokenField, spoken_field
from ivr.dialogue.hearing import COMMAND, Heard, Unheard
from ivr.speech.judging import Evidence, Strictness
from ivr.speech.recogniser import Guess
from tests.capture.secure_part import TODAY
from tests.speech.shipped import GRAMMARS

NUMBER, EXPIRY = CaptureField.CARD_NUMBER, CaptureField.EXPIRATION_DATE
CODE, POSTAL = CaptureField.SECURITY_CODE, CaptureField.POSTAL_CODE
ONES = "one one one one"
VISA = f"four one one one {ONES} {ONES} {ONES}"
MISHEARD = f"four one one nine {ONES} {ONES} {ONES}"
VISA_TOO = f"four one one one five one one one {ONES} one one one two"


@pytest.fixture(autouse=True)
def wiped(nothing_kept: None) -> Iterator[None]:
    """All but what the test itself holds must be wiped already."""
    yield
    while Answer.held:
        Answer.held.pop().wipe()


class Answer:
    """One field, and what was said for it."""

    held: ClassVar[list[SecretDigits]] = []

    def __init__(
        self, field: CaptureField, brand: cards.Brand = cards.VISA, language: str = "en"
    ) -> None:
        self.into = SecretDigits()
        self.held.append(self.into)
        self.field: SpokenField = spoken_field(field, brand, TODAY, 10.0)
        known = GRAMMARS[language]
        grammars = [known[self.field.expecting.grammar], known[COMMAND]]
        self.made_out = SpokenDigits(self.field, grammars, Strictness(), TODAY, self.into)

    def said(self, *guesses: str | tuple[str, float], seconds: float = 6.0) -> Heard | Unheard:
        narrow = guessed(guesses)
        return self.made_out.judge(Evidence(narrow, [Guess("", narrow[0].score)], seconds))

    @property
    def digits(self) -> str:
        return self.into.reveal()


def guessed(guesses: Sequence[str | tuple[str, float]]) -> list[Guess]:
    return [
        Guess(each, -float(place)) if isinstance(each, str) else Guess(*each)
        for place, each in enumerate(guesses)
    ]


@pytest.mark.parametrize(
    ("language", "words", "digits"),
    [
        ("en", VISA, "4111" + "1" * 12),
        ("en", "four triple one double one double one double one double one one one one one",
         "4111" + "1" * 12),
        ("en", "forty one eleven eleven eleven eleven eleven eleven eleven", "4111" + "1" * 12),
        ("en", "it's five triple five five triple five five triple five double four four four",
         "5555" * 3 + "4444"),
        ("es", "cuatro uno uno uno once once once once once once", "4111" + "1" * 12),
        ("es", "cuarenta y uno once once once once once once once", "4111" + "1" * 12),
        ("es", "doble cinco " * 6 + "cuarenta y cuatro cuarenta y cuatro", "5555" * 3 + "4444"),
    ],
)  # fmt: skip
def test_a_card_number_is_made_out_however_it_is_grouped(
    language: str, words: str, digits: str
) -> None:
    answer = Answer(NUMBER, language=language)
    assert answer.said(words, seconds=9.0) == Heard("digits", "", "")
    assert answer.digits == digits


def test_the_result_has_no_word_and_no_digit_in_it() -> None:
    answer = Answer(NUMBER)
    heard = answer.said(VISA)
    assert isinstance(heard, Heard)
    assert (heard.meaning, heard.words, heard.others) == ("", "", ())


def test_a_number_that_fails_its_check_digit_is_asked_again() -> None:
    answer = Answer(NUMBER)
    assert answer.said(MISHEARD) is Unheard.UNCLEAR
    assert answer.digits == ""


def test_the_check_digit_picks_the_right_one_of_two_close_guesses() -> None:
    answer = Answer(NUMBER)
    assert answer.said(MISHEARD, VISA) == Heard("digits", "", "")
    assert answer.digits == "4111" + "1" * 12


def test_two_numbers_that_both_pass_are_asked_again() -> None:
    with SecretDigits() as other:
        for digit in "4111511111111112":
            other.append(digit)
        assert cards.is_card_number(other)
    answer = Answer(NUMBER)
    assert answer.said(VISA, VISA_TOO) is Unheard.UNCLEAR
    assert answer.digits == ""


def test_the_same_number_in_other_words_is_not_another_number() -> None:
    answer = Answer(CODE)
    assert answer.said("oh one two", "zero one two", seconds=2.0) == Heard("digits", "", "")
    assert answer.digits == "012"


def test_a_guess_far_behind_the_best_is_not_taken() -> None:
    answer = Answer(NUMBER)
    assert answer.said(MISHEARD, (VISA, -4.0)) is Unheard.UNCLEAR


def test_a_guess_far_behind_the_best_still_casts_doubt() -> None:
    answer = Answer(NUMBER)
    assert answer.said(VISA, (VISA_TOO, -5.0)) is Unheard.UNCLEAR
    assert answer.said(VISA, (VISA_TOO, -20.0)) == Heard("digits", "", "")


def test_a_zero_that_was_not_said_makes_no_second_number_of_it() -> None:
    answer = Answer(NUMBER)
    assert answer.said(VISA, f"oh {VISA}") == Heard("digits", "", "")
    assert answer.digits == "4111" + "1" * 12


@pytest.mark.parametrize("words", ["", "[unk]", f"{VISA} [unk]", "four one one one", "yes please"])
def test_what_is_no_whole_card_number_is_asked_again(words: str) -> None:
    assert Answer(NUMBER).said(words) is Unheard.UNCLEAR


def test_more_digits_than_any_card_has_are_no_fault() -> None:
    answer = Answer(NUMBER)
    assert answer.said(" ".join(["four"] * 40), seconds=20.0) is Unheard.UNCLEAR
    assert answer.made_out.is_complete(" ".join(["four"] * 40)) is False


@pytest.mark.parametrize(
    ("language", "words", "digits"),
    [
        ("en", "oh four twenty nine", "0429"),
        ("en", "april twenty twenty nine", "0429"),
        ("en", "twelve thirty", "1230"),
        ("es", "abril de dos mil veintinueve", "0429"),
        ("es", "cero cuatro veintinueve", "0429"),
        ("es", "doce treinta", "1230"),
    ],
)
def test_an_expiry_date_is_said_as_people_say_it(language: str, words: str, digits: str) -> None:
    answer = Answer(EXPIRY, language=language)
    assert answer.said(words, seconds=2.0) == Heard("expiry", "", "")
    assert answer.digits == digits


def test_a_date_that_has_passed_is_asked_again() -> None:
    assert Answer(EXPIRY).said("october twenty twenty six", seconds=2.0) is Unheard.UNCLEAR


@pytest.mark.parametrize(
    ("brand", "words", "digits"),
    [(cards.VISA, "one two three", "123"), (cards.AMEX, "twelve thirty four", "1234")],
)
def test_a_security_code_has_the_length_of_its_brand(
    brand: cards.Brand, words: str, digits: str
) -> None:
    answer, other = Answer(CODE, brand), Answer(CODE, brand)
    assert answer.said(words, seconds=2.0) == Heard("digits", "", "")
    assert other.said(words + " five", seconds=2.0) is Unheard.UNCLEAR
    assert answer.digits == digits


def test_a_postal_code_is_any_number_of_its_lengths() -> None:
    answer = Answer(POSTAL)
    assert answer.said("two eight zero one three", seconds=3.0) == Heard("digits", "", "")
    assert answer.digits == "28013"


def test_a_person_can_be_asked_for_by_voice() -> None:
    heard = Answer(NUMBER).said("can i speak to an agent", seconds=2.0)
    assert heard == Heard(COMMAND, "agent", "")


@pytest.mark.parametrize(
    ("field", "words", "complete"),
    [
        (NUMBER, "four one one one", False),
        (NUMBER, VISA, True),
        (NUMBER, MISHEARD, True),
        (NUMBER, f"{VISA} one", False),
        (
            NUMBER,
            "thirty seven eighty two eighty two twenty four sixty three ten double oh five",
            True,
        ),
        (EXPIRY, "april twenty", False),
        (EXPIRY, "april twenty twenty nine", True),
        (CODE, "one two", False),
        (CODE, "one two three", True),
        (POSTAL, "two eight zero one three", False),
        (NUMBER, "agent", True),
        (NUMBER, "", False),
    ],
)
def test_a_pause_is_long_until_the_field_is_whole(
    field: CaptureField, words: str, *, complete: bool
) -> None:
    answer = Answer(field)
    assert answer.made_out.is_complete(words) is complete
    patience = answer.made_out.patience()
    assert patience.after_incomplete >= 2 * patience.after_complete
    assert patience.first_word == 10.0


def test_visa_numbers_of_thirteen_digits_wait_for_the_longer_pause() -> None:
    answer = Answer(NUMBER)
    words = "four two two two two two two two two two two two two"
    assert not answer.made_out.is_complete(words)
    assert answer.said(words) == Heard("digits", "", "")
    assert len(answer.digits) == 13


def test_a_guess_does_not_show_its_words() -> None:
    assert VISA not in repr(Evidence([Guess(VISA, 1.0)], [], 1.0))
