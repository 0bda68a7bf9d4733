"""What a caller says of a card, made out: digits into memory that is wiped, and no word beyond.

A misheard card must never be charged, and nothing is read back. So a recogniser's guess is taken
only when it passes the field's own check (the check digit, the length, a month that is not past)
and nothing else that may have been said passes it too; anything else is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date

from ivr.billing.captures import CaptureField
from ivr.capture import cards
from ivr.capture.fields import POSTAL_CODE_LENGTHS
from ivr.capture.secret import CAPACITY, SecretDigits
from ivr.dialogue.hearing import COMMAND, Expecting, Heard, Unheard
from ivr.speech.endpointing import Patience
from ivr.speech.grammar import Grammar
from ivr.speech.judging import Evidence, Strictness, read, readings

NUMBER_PAUSES = Patience(after_complete=0.8, after_incomplete=1.7, longest=28.0)
"""people look up from the card between groups of digits; after two seconds the line seems dead"""
OTHER_PAUSES = Patience(after_complete=0.5, after_incomplete=1.5, longest=15.0)
USUAL_LENGTH = 16
"""a Visa number may end at 13 digits too: after those a longer pause shows that it did"""

BEHIND_THE_BEST = 3.0
"""how much less a guess may fit than the best one, which failed the check. The further down the
guesses, the likelier it is that one passes by chance: a check digit passes every tenth number"""

Check = Callable[[SecretDigits], bool]


@dataclass(frozen=True, slots=True)
class SpokenField:
    """How one field is said, and when what was said is good."""

    expecting: Expecting
    pauses: Patience
    is_good: Check
    is_complete: Check
    """no more need follow: a short pause ends it"""


def spoken_field(
    asked: CaptureField, brand: cards.Brand, today: date, first_word_seconds: float
) -> SpokenField:
    """The field as it is said. The security code's length is its brand's."""
    grammar = "expiry" if asked is CaptureField.EXPIRATION_DATE else "digits"
    expecting = Expecting(grammar, patience_seconds=first_word_seconds)
    match asked:
        case CaptureField.CARD_NUMBER:
            return SpokenField(expecting, NUMBER_PAUSES, _is_number, _is_usual_number)
        case CaptureField.EXPIRATION_DATE:
            is_good: Check = lambda digits: cards.expiry_month(digits, today) is not None  # noqa: E731 - as its neighbours are
        case CaptureField.SECURITY_CODE:
            is_good = cards.has_length(brand.code_length)
        case CaptureField.POSTAL_CODE:
            is_long = cards.has_length(POSTAL_CODE_LENGTHS[-1])
            is_good = cards.has_length(*POSTAL_CODE_LENGTHS)
            return SpokenField(expecting, OTHER_PAUSES, is_good, is_long)
        case _:
            raise ValueError(f"{asked} is keyed, and never said")
    return SpokenField(expecting, OTHER_PAUSES, is_good, is_good)


def _is_number(digits: SecretDigits) -> bool:
    """Of a known brand too: a 0 that was not said, at the front, leaves the check digit right."""
    return cards.is_card_number(digits) and cards.brand_of(digits) is not cards.UNKNOWN


def _is_usual_number(digits: SecretDigits) -> bool:
    """As long as its brand's numbers mostly are; right or not, nothing more is waited for."""
    return cards.is_enough(digits) and len(digits) >= min(
        USUAL_LENGTH, max(cards.brand_of(digits).lengths)
    )


class SpokenDigits:
    """Makes out one answer (`speech.listening.Answering`).

    What is taken is in `into` when the result is of the field's grammar; the result itself has
    neither meaning nor words, but for a command's meaning.
    """

    def __init__(
        self,
        field: SpokenField,
        grammars: Sequence[Grammar],
        strictness: Strictness,
        today: date,
        into: SecretDigits,
        pauses: float = 1.0,
    ) -> None:
        """`pauses`: times as long as usual may those in the answer be."""
        self._field = field
        self._grammars = grammars
        self._strictness = strictness
        self._today = today
        self._into = into
        self._pauses = pauses

    def patience(self) -> Patience:
        usual = self._field.pauses
        return usual.slower(self._pauses, self._field.expecting.patience_seconds)

    def is_complete(self, words: str) -> bool:
        heard = read(words, self._grammars, self._today)
        if heard is None or heard.grammar == COMMAND:
            return heard is not None
        with SecretDigits() as digits:
            return _fill(digits, heard.meaning) and self._field.is_complete(digits)

    def judge(self, evidence: Evidence) -> Heard | Unheard:
        found = readings(self._grammars, evidence, self._today, self._strictness)
        if found and found[0][0].grammar == COMMAND:
            return Heard(COMMAND, found[0][0].meaning, "")
        with ExitStack() as wiped:
            good = self._good(found, wiped)
            if len(good) != 1 or good[0][1] > BEHIND_THE_BEST:
                return Unheard.UNCLEAR
            self._into.take_over(good[0][0])
        return Heard(self._field.expecting.grammar, "", "")

    def _good(
        self, found: Iterable[tuple[Heard, float]], wiped: ExitStack
    ) -> list[tuple[SecretDigits, float]]:
        """The different digits that pass the check, and how far each is behind the best guess."""
        good: list[tuple[SecretDigits, float]] = []
        for heard, behind in found:
            digits = wiped.enter_context(SecretDigits())
            is_one = heard.grammar != COMMAND and _fill(digits, heard.meaning)
            is_new = all(digits != other for other, _ in good)
            if is_one and is_new and self._field.is_good(digits):
                good.append((digits, behind))
        return good


def _fill(digits: SecretDigits, meaning: str) -> bool:
    """Put the digits of a meaning there; False when they are too many for anything asked here."""
    if len(meaning) > CAPACITY:
        return False
    for digit in meaning:
        digits.append(digit)
    return True
