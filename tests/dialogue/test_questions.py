"""What keys mean at each kind of question."""

from __future__ import annotations

import pytest

from ivr.dialogue.keypad import KeyEntry, PlainKeys, Step
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import (
    Answer,
    Aside,
    NotUnderstood,
    Question,
    Silence,
    T,
    Understood,
    choice,
    digits,
    greeting,
    yes_no,
)

ACCOUNT = digits(phrase("ask_account_number"), shortest=4, longest=10)
MENU = choice(phrase("pay_this_one"), {"1": "pay", "2": "leave"}, again="3")
WELCOME = greeting(phrase("welcome"))


def answered(question: Question[T], keys: str) -> Answer[T]:
    """The answer to these keys; a pause follows the last one."""
    entry = KeyEntry(question.rule, PlainKeys())
    entry.listen(0)
    for key in keys:
        step = entry.press(key, 0)
        if step is not Step.MORE:
            break
    else:
        step = entry.expire()
    return question.answer(step, entry.buffer.text)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ("1042#", Understood("1042")),
        ("1042", Understood("1042")),
        ("1234567890", Understood("1234567890")),
        ("123#", NotUnderstood()),
        ("123", NotUnderstood()),
        ("", Silence()),
        ("00#", Aside.AGENT),
        ("00", Aside.AGENT),
        ("9", Aside.OTHER_LANGUAGE),
        ("9#", Aside.OTHER_LANGUAGE),
        ("9042#", Understood("9042")),
    ],
)
def test_a_number_is_keyed(keys: str, answer: Answer[str]) -> None:
    assert answered(ACCOUNT, keys) == answer


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ("1", Understood("pay")),
        ("2", Understood("leave")),
        ("3", Aside.AGAIN),
        ("*", Aside.AGAIN),
        ("9", Aside.OTHER_LANGUAGE),
        ("00", Aside.AGENT),
        ("0", NotUnderstood()),
        ("01", NotUnderstood()),
        ("7", NotUnderstood()),
        ("", Silence()),
    ],
)
def test_a_menu_takes_one_key(keys: str, answer: Answer[str]) -> None:
    assert answered(MENU, keys) == answer


def test_a_menu_does_not_wait_after_its_key() -> None:
    assert KeyEntry(MENU.rule, PlainKeys()).press("1", 0) is Step.SUBMITTED


@pytest.mark.parametrize(("keys", "value"), [("1", True), ("2", False)])
def test_one_is_yes_and_two_is_no(keys: str, value: object) -> None:
    assert answered(yes_no(phrase("confirm_charge")), keys) == Understood(value)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ("", Silence()),
        ("9", Aside.OTHER_LANGUAGE),
        ("1", Understood("1")),
        ("91", Understood("91")),
        ("0", Understood("0")),
        ("*", Aside.AGAIN),
    ],
)
def test_the_welcome_takes_the_language_key_or_the_first_digits(
    keys: str, answer: Answer[str]
) -> None:
    assert answered(WELCOME, keys) == answer
