from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.captures import CaptureField, CaptureRequest, ErrorType
from ivr.capture import cards, fields
from ivr.capture.fields import Asking, Card, Spoken, blank, problem, prompt, read_back, rule
from tests.capture.secure_part import TODAY, Prompts, pan
from tests.capture.test_secret import keyed

NUMBER, EXPIRY = CaptureField.CARD_NUMBER, CaptureField.EXPIRATION_DATE
CODE, POSTAL = CaptureField.SECURITY_CODE, CaptureField.POSTAL_CODE
REQUEST = CaptureRequest(uuid4(), "call-1", "en")


def card(**texts: str) -> Card:
    """card(number=…, expiry=…, code=…, postal=…) as keyed."""
    names = {"number": NUMBER, "expiry": EXPIRY, "code": CODE, "postal": POSTAL}
    return Card({names[name]: keyed(text) for name, text in texts.items()})


@pytest.mark.parametrize(
    ("field", "first", "between"),
    [(NUMBER, 20, 5), (EXPIRY, 10, 5), (CODE, 10, 5), (POSTAL, 10, 5)],
)
def test_the_timers_are_those_of_the_contract(
    field: CaptureField, first: float, between: float
) -> None:
    usual, slow = (rule(Asking(field, 1), cards.VISA, slow=slow) for slow in (False, True))
    assert (usual.first_key_seconds, usual.between_keys_seconds) == (first, between)
    assert (slow.first_key_seconds, slow.between_keys_seconds) == (2 * first, 2 * between)


@pytest.mark.parametrize(
    ("field", "brand", "full"),
    [
        (EXPIRY, cards.VISA, 4),
        (CODE, cards.VISA, 3),
        (CODE, cards.AMEX, 4),
        (POSTAL, cards.VISA, 10),
    ],
)
def test_a_field_ends_by_itself_at_its_length(
    field: CaptureField, brand: cards.Brand, full: int
) -> None:
    entry = rule(Asking(field, 1), brand, slow=False)
    assert [entry.is_full(keyed("1" * n)) for n in (full - 1, full)] == [False, True]
    assert entry.is_enough(keyed("1" * full))


@given(st.text("0123456789", max_size=19))
def test_whatever_is_keyed_has_one_verdict(text: str) -> None:
    for field in CaptureField:
        entered = blank((NUMBER, field)) if field is not NUMBER else blank((NUMBER,))
        for key in text:
            entered.digits[field].append(key)
        verdict = problem(field, entered, REQUEST, TODAY)
        assert verdict is None or verdict in ErrorType


@pytest.mark.parametrize(
    ("keyed_card", "field", "verdict"),
    [
        (card(number=pan()), NUMBER, None),
        (card(number=pan()[:-1]), NUMBER, ErrorType.INVALID_CARD_NUMBER),
        (card(number="4" * 14), NUMBER, ErrorType.INVALID_CARD_NUMBER),
        (card(number=pan("jcb")), NUMBER, ErrorType.INVALID_CARD_TYPE),
        (card(number=pan(), expiry="1126"), EXPIRY, None),
        (card(number=pan(), expiry="1026"), EXPIRY, ErrorType.INVALID_DATE),
        (card(number=pan(), code="123"), CODE, None),
        (card(number=pan(), code="1234"), CODE, ErrorType.INVALID_SECURITY_CODE),
        (card(number=pan("amex"), code="1234"), CODE, None),
        (card(number=pan("amex"), code="123"), CODE, ErrorType.INVALID_SECURITY_CODE),
        (card(postal="28013"), POSTAL, None),
        (card(postal="280"), POSTAL, ErrorType.INVALID_POSTAL_CODE),
    ],
)
def test_each_field_is_checked(
    keyed_card: Card, field: CaptureField, verdict: ErrorType | None
) -> None:
    assert problem(field, keyed_card, REQUEST, TODAY) == verdict


def test_a_number_the_gateway_does_not_take_is_no_valid_number() -> None:
    refused = problem(NUMBER, card(number=pan()), REQUEST, TODAY, lambda _: False)
    assert refused is ErrorType.INVALID_CARD_NUMBER


def test_a_prompt_says_what_was_wrong_and_when_it_is_the_last_try() -> None:
    entered, error = card(number=pan("amex")), ErrorType.INVALID_SECURITY_CODE
    asked = [prompt(Prompts(), each, entered) for each in (Asking(CODE, 1), Asking(CODE, 3, error))]
    assert [[spoken.phrase for spoken in phrases] for phrases in asked] == [
        ["ask_security_code.amex"],
        ["error.invalid-security-code", "last_try", "ask_security_code.amex.attempt2"],
    ]


@pytest.mark.parametrize("error", [None, *ErrorType])
@pytest.mark.parametrize("field", list(CaptureField))
@pytest.mark.parametrize("brand", ["visa", "amex"])
@pytest.mark.parametrize(("by_voice", "misheard"), [(False, False), (True, False), (True, True)])
async def test_every_prompt_has_sounds_in_every_language(
    field: CaptureField, error: ErrorType | None, brand: str, *, by_voice: bool, misheard: bool
) -> None:
    voice = Prompts()
    for attempt in range(1, fields.ATTEMPTS + 1):
        may_be_said = by_voice and field in fields.SAY_OR_KEY
        asking = Asking(field, attempt, error, may_be_said, misheard)
        for spoken in prompt(voice, asking, card(number=pan(brand))):
            for language in ("en", "es"):
                assert await voice.sounds(spoken.phrase, language)


def test_what_is_read_back_is_what_may_be_heard() -> None:
    entered = card(number=pan(), expiry="1230", code="123")
    assert read_back(NUMBER, entered, TODAY) == Spoken(
        "card_number_is", {"brand": "visa", "last4": "1111"}
    )
    assert read_back(EXPIRY, entered, TODAY) == Spoken("expiry_is", {"date": date(2030, 12, 1)})
    assert read_back(CODE, entered, TODAY) is None


def test_of_what_was_said_nothing_is_read_back() -> None:
    entered = card(number="", expiry="")
    entered.say(NUMBER, keyed(pan()))
    entered.say(EXPIRY, keyed("1230"))
    assert [read_back(each, entered, TODAY) for each in (NUMBER, EXPIRY)] == [
        Spoken("card_noted"), Spoken("card_noted"),
    ]  # fmt: skip


def test_after_a_mishearing_what_comes_next_is_said_and_no_error_is_blamed_on_the_card() -> None:
    error = ErrorType.INVALID_CARD_NUMBER
    again, keys = (
        prompt(Prompts(), Asking(NUMBER, attempt, error, by_voice, was_misheard=True), card())
        for attempt, by_voice in ((2, True), (3, False))
    )
    assert [each.phrase for each in again] == ["card_misheard", "say_card_number.attempt2"]
    assert [each.phrase for each in keys] == [
        "card_misheard_use_keys", "last_try", "ask_card_number.attempt3",
    ]  # fmt: skip


@given(st.text("0123456789", max_size=19), st.text("0123456789", max_size=4))
def test_a_mask_shows_four_digits_of_a_card_number_at_most(number: str, code: str) -> None:
    shown = fields.masked(NUMBER, card(number=number))
    assert shown in ("••••", "••••" + number[-4:])
    assert fields.masked(CODE, card(number=number, code=code)) == "••••"
