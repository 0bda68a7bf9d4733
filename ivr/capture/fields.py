"""The fields of a card or bank account: timers, checks, prompts, what may be shown of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from ivr.billing.captures import CaptureField, CaptureRequest, ErrorType
from ivr.capture import bank_accounts, cards
from ivr.capture.secret import MASK, SecretDigits
from ivr.dialogue.keypad import EntryRule

ATTEMPTS = 3
"""in total for each field, the first one included"""
POSTAL_CODE_LENGTHS = range(4, 11)

ASK: Mapping[CaptureField, str] = {
    CaptureField.CARD_NUMBER: "ask_card_number",
    CaptureField.EXPIRATION_DATE: "ask_expiry",
    CaptureField.SECURITY_CODE: "ask_security_code",
    CaptureField.POSTAL_CODE: "ask_card_postal_code",
    CaptureField.ROUTING_NUMBER: "ask_routing_number",
    CaptureField.ACCOUNT_NUMBER: "ask_bank_account_number",
    CaptureField.ACCOUNT_TYPE: "ask_account_type",
    CaptureField.HOLDER_KIND: "ask_account_holder",
}

ONCE_MORE: Mapping[CaptureField, str] = {
    CaptureField.ACCOUNT_NUMBER: "bank_account_number_once_more",
}
"""fields without a check digit, which are keyed twice; what asks for them the second time"""

SAY_OR_KEY: Mapping[CaptureField, str] = {
    CaptureField.CARD_NUMBER: "say_card_number",
    CaptureField.EXPIRATION_DATE: "say_expiry",
    CaptureField.SECURITY_CODE: "say_security_code",
    CaptureField.POSTAL_CODE: "say_card_postal_code",
}

FIRST_KEY_SECONDS: Mapping[CaptureField, float] = {
    CaptureField.CARD_NUMBER: 20.0,  # the card has to be found first
    CaptureField.EXPIRATION_DATE: 10.0,
    CaptureField.SECURITY_CODE: 10.0,
    CaptureField.POSTAL_CODE: 10.0,
    CaptureField.ROUTING_NUMBER: 20.0,  # a check has to be found first
    CaptureField.ACCOUNT_NUMBER: 20.0,
    CaptureField.ACCOUNT_TYPE: 10.0,
    CaptureField.HOLDER_KIND: 10.0,
}
BETWEEN_KEYS_SECONDS = 5.0


class Prompts(Protocol):
    """What can be said: `speech.catalogue` chooses, `speech.voice` has the sounds."""

    def select(
        self,
        step: str,
        attempt: int | None = None,
        card_type: str | None = None,
        error_type: str | None = None,
    ) -> str:
        """The id of the most specific phrase for this case."""
        ...

    async def sounds(self, phrase_id: str, language: str, **values: object) -> list[str]:
        """Media URIs in playing order."""
        ...


def anything(_number: SecretDigits) -> bool:
    """A gateway that takes every number."""
    return True


@dataclass(frozen=True, slots=True)
class Spoken:
    """A phrase and the values of its gaps."""

    phrase: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """What was keyed or said so far, also of a bank account; all is wiped when the segment ends."""

    digits: Mapping[CaptureField, SecretDigits] = field(repr=False)
    said: set[CaptureField] = field(default_factory=set)
    """those that were not keyed"""

    @property
    def brand(self) -> cards.Brand:
        """By the number keyed; UNKNOWN while there is none."""
        number = self.digits.get(CaptureField.CARD_NUMBER)
        return cards.brand_of(number) if number is not None else cards.UNKNOWN

    def say(self, asked: CaptureField, digits: SecretDigits) -> None:
        """Take what was said for a field; `digits` are empty afterwards."""
        self.digits[asked].take_over(digits)
        self.said.add(asked)

    def forget(self, asked: CaptureField) -> None:
        """Ask for a field anew."""
        self.digits[asked].clear()
        self.said.discard(asked)

    def wipe(self) -> None:
        """Zero every field, for good."""
        for digits in self.digits.values():
            digits.wipe()


@dataclass(frozen=True, slots=True)
class Asking:
    """One try at a field."""

    field: CaptureField
    attempt: int
    error: ErrorType | None = None
    """of the try before"""
    by_voice: bool = False
    """whether it may be said"""
    was_misheard: bool = False
    """whether the try before was said, and not made out"""
    first_key_seconds: float | None = None
    """how long the first key is waited for; None: as long as it takes to find a card"""
    begun: Callable[[], None] = lambda: None
    """is told when the first digit was keyed"""


def blank(fields: tuple[CaptureField, ...]) -> Card:
    """A card, or a bank account, of which nothing has been keyed yet."""
    return Card({each: SecretDigits() for each in fields})


def rule(asking: Asking, brand: cards.Brand, *, slow: bool) -> EntryRule[SecretDigits]:
    """When the entry of a field is over. The security code's length is its brand's."""
    is_full, is_enough = _lengths(asking.field, brand)
    first = asking.first_key_seconds or FIRST_KEY_SECONDS[asking.field]
    fast = EntryRule(is_full, is_enough, first, BETWEEN_KEYS_SECONDS)
    return fast.slower() if slow else fast


Check = Callable[[SecretDigits], bool]


def _lengths(asked: CaptureField, brand: cards.Brand) -> tuple[Check, Check]:
    """Its length is such that nothing more can come; its length will do."""
    match asked:
        case CaptureField.CARD_NUMBER:
            return cards.is_full, cards.is_enough
        case CaptureField.EXPIRATION_DATE:
            at_end = cards.has_length(cards.EXPIRY_LENGTH)
        case CaptureField.SECURITY_CODE:
            if brand is cards.UNKNOWN:  # asked before the number
                lengths = {each.code_length for each, *_ in cards.PREFIXES}
                return cards.has_length(max(lengths)), cards.has_length(*lengths)
            at_end = cards.has_length(brand.code_length)
        case CaptureField.POSTAL_CODE:
            return (
                cards.has_length(POSTAL_CODE_LENGTHS[-1]),
                cards.has_length(*POSTAL_CODE_LENGTHS),
            )
        case CaptureField.ACCOUNT_NUMBER:
            return (
                cards.has_length(bank_accounts.ACCOUNT_LENGTHS[-1]),
                cards.has_length(*bank_accounts.ACCOUNT_LENGTHS),
            )
        case CaptureField.ROUTING_NUMBER:
            at_end = cards.has_length(bank_accounts.ROUTING_LENGTH)
        case CaptureField.ACCOUNT_TYPE | CaptureField.HOLDER_KIND:
            at_end = cards.has_length(1)
    return at_end, at_end


def problem(
    asked: CaptureField,
    card: Card,
    request: CaptureRequest,
    today: date,
    takes: Callable[[SecretDigits], bool] = anything,
) -> ErrorType | None:
    """What is wrong with a field as keyed; None when it is good.

    `takes` tells whether the gateway takes this number of a card or account: a test gateway takes
    those published for tests only.
    """
    digits = card.digits[asked]
    match asked:
        case CaptureField.CARD_NUMBER:
            return _number_problem(digits, card.brand, request, takes)
        case CaptureField.EXPIRATION_DATE:
            return None if cards.expiry_month(digits, today) else ErrorType.INVALID_DATE
        case CaptureField.SECURITY_CODE:
            good = _lengths(asked, card.brand)[1](digits)
            return None if good else ErrorType.INVALID_SECURITY_CODE
        case CaptureField.POSTAL_CODE:
            good = len(digits) in POSTAL_CODE_LENGTHS
            return None if good else ErrorType.INVALID_POSTAL_CODE
        case _:
            return bank_accounts.problem(asked, digits, takes)


def _number_problem(
    number: SecretDigits,
    brand: cards.Brand,
    request: CaptureRequest,
    takes: Callable[[SecretDigits], bool],
) -> ErrorType | None:
    if not cards.is_card_number(number):
        return ErrorType.INVALID_CARD_NUMBER
    if brand.name not in request.brands:
        return ErrorType.INVALID_CARD_TYPE
    return None if takes(number) else ErrorType.INVALID_CARD_NUMBER


def prompt(prompts: Prompts, asking: Asking, card: Card) -> list[Spoken]:
    """The phrases that ask for a field: what went wrong, "last try", the question."""
    brand, attempt, error = card.brand.name, asking.attempt, asking.error
    phrases: list[str] = []
    if asking.was_misheard:
        phrases.append("card_misheard" if asking.by_voice else "card_misheard_use_keys")
    elif error is not None:
        phrases.append(prompts.select("error", attempt, brand, error))
    if attempt == ATTEMPTS:
        phrases.append("last_try")
    steps = SAY_OR_KEY if asking.by_voice else ASK
    phrases.append(prompts.select(steps[asking.field], attempt, brand, error))
    return [Spoken(phrase) for phrase in phrases]


def read_back(asked: CaptureField, card: Card, today: date) -> Spoken | None:
    """What is said of a good field before the next question; nothing of the security code.

    Of what was said, nothing is ever repeated: somebody may stand beside the telephone.
    """
    if asked in card.said:
        return Spoken("card_noted")
    match asked:
        case CaptureField.CARD_NUMBER:
            number = card.digits[asked]
            return Spoken("card_number_is", {"brand": card.brand.name, "last4": number.last4()})
        case CaptureField.EXPIRATION_DATE:
            return Spoken("expiry_is", {"date": cards.expiry_month(card.digits[asked], today)})
        case CaptureField.ACCOUNT_NUMBER:
            return Spoken("bank_account_number_is", {"last4": card.digits[asked].last4()})
        case _:
            return None


def masked(asked: CaptureField, card: Card) -> str:
    """What others may see of a field; nothing that tells the length of the security code."""
    if asked is CaptureField.CARD_NUMBER and cards.is_enough(card.digits[asked]):
        return MASK + card.digits[asked].last4()
    if asked is CaptureField.ACCOUNT_NUMBER and bank_accounts.is_account_number(card.digits[asked]):
        return MASK + card.digits[asked].last4()
    return MASK
