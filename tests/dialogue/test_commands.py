"""What may be said at every question: agent, repeat, back, help, the other language, goodbye."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from ivr.billing.identifying import NOBODY
from ivr.billing.matches import Choose, Sure
from ivr.billing.methods import Method
from ivr.billing.payments import CardOnFile
from ivr.dialogue.flows.amount import ask_amount
from ivr.dialogue.flows.card_on_file import remove_which
from ivr.dialogue.flows.declined import Next, what_next
from ivr.dialogue.flows.find_name import ask_spelling, confirming
from ivr.dialogue.flows.for_another import ask_amount as ask_amount_for_another
from ivr.dialogue.flows.hear_invoices import (
    pay_all_or_choose,
    pay_all_or_hear,
    pay_the_one,
    pay_this_one,
    pick,
)
from ivr.dialogue.flows.identify import ask_account, ask_account_again, ask_full_name
from ivr.dialogue.flows.methods import which_way
from ivr.dialogue.flows.promise import ask_day
from ivr.dialogue.flows.sent_along import pay_proposed
from ivr.dialogue.hearing import Heard
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import (
    Aside,
    Question,
    SpokenName,
    Understood,
    digits,
    greeting,
    or_a_name,
    yes_no,
)
from ivr.speech.ears import Ears, Tongue
from ivr.speech.judging import Evidence, Strictness, judge
from ivr.speech.recogniser import Guess
from tests.dialogue.company import invoice
from tests.dialogue.saying import JAIME, JAMES, JANE
from tests.fakes.ears import BeepModel
from tests.speech.shipped import GRAMMARS

SAID = SpokenName("james smith")
BILLS = [invoice(7, "42.50"), invoice(8, "10.00")]
ON_FILE = CardOnFile(uuid4(), "visa", "1111", "1230", "vaulted")
OTHER_ON_FILE = CardOnFile(uuid4(), "visa", "0000", "1230", "vaulted too")
QUESTIONS: Mapping[str, Question[Any]] = {
    "welcome": greeting(phrase("welcome")),
    "name or number": or_a_name(ask_account("")),
    "full name": or_a_name(ask_full_name()),
    "number": ask_account_again(),
    "postal code": digits(phrase("ask_postal_code"), shortest=5, longest=5),
    "is it you": confirming(Sure(JAMES), SAID),
    "is it you, whom nobody knows": confirming(Sure(NOBODY), SAID),
    "which of three": confirming(Choose((JAMES, JANE, JAIME)), SAID),
    "spell it": ask_spelling(),
    "the only invoice": pay_the_one(BILLS[0]),
    "all or some": pay_all_or_choose(BILLS),
    "the only invoice, or a part": pay_the_one(BILLS[0], offers_part=True),
    "all or some, or a part": pay_all_or_choose(BILLS, offers_part=True),
    "how much": ask_amount(BILLS[1].due, BILLS[0].due),
    "so much": pay_proposed(BILLS, BILLS[1].due, is_known=False),
    "all or some of many": pay_all_or_hear(BILLS, offers_part=True),
    "this one": pay_this_one(BILLS[0]),
    "this one of many": pick(BILLS[0], may_be_enough=True),
    "charge it": yes_no(phrase("confirm_charge")),
    "with what": which_way([], (Method.CARD, Method.BANK_ACCOUNT, Method.PAYPAL)),
    "with which card": which_way([ON_FILE], (Method.CARD,)),
    "with which of two cards": which_way([ON_FILE, OTHER_ON_FILE], (Method.CARD,)),
    "which card to remove": remove_which([ON_FILE, OTHER_ON_FILE]),
    "after a decline": what_next("declined", list(Next)),
    "which day": ask_day(dt.date(2026, 11, 23)),
    "how much for another": ask_amount_for_another("EUR"),
    "again or end": yes_no(phrase("repeat_or_end"), "repeat_or_end"),
}
COMMANDS: Mapping[tuple[str, str], Aside] = {
    ("en", "agent"): Aside.AGENT,
    ("en", "i want to speak to a person"): Aside.AGENT,
    ("en", "zero zero"): Aside.AGENT,
    ("en", "repeat"): Aside.AGAIN,
    ("en", "what was that"): Aside.AGAIN,
    ("en", "back"): Aside.BACK,
    ("en", "go back please"): Aside.BACK,
    ("en", "help"): Aside.HELP,
    ("en", "spanish"): Aside.SPANISH,
    ("en", "español"): Aside.SPANISH,
    ("en", "english please"): Aside.ENGLISH,
    ("en", "goodbye"): Aside.GOODBYE,
    ("es", "operador"): Aside.AGENT,
    ("es", "quiero hablar con una persona"): Aside.AGENT,
    ("es", "cero cero"): Aside.AGENT,
    ("es", "repita"): Aside.AGAIN,
    ("es", "otra vez"): Aside.AGAIN,
    ("es", "volver"): Aside.BACK,
    ("es", "atrás"): Aside.BACK,
    ("es", "ayuda"): Aside.HELP,
    ("es", "inglés"): Aside.ENGLISH,
    ("es", "english"): Aside.ENGLISH,
    ("es", "en español por favor"): Aside.SPANISH,
    ("es", "adiós"): Aside.GOODBYE,
}
SAME_BY_ITS_OWN_ANSWER = {
    ("again or end", Aside.AGAIN): Understood(value=True),
    ("again or end", Aside.GOODBYE): Understood(value=False),
}
"""where hearing it again, or ending the call, is what is asked"""


@pytest.fixture(scope="module")
def ears() -> Ears:
    ears = Ears({language: Tongue(BeepModel(), known) for language, known in GRAMMARS.items()})
    ears.close()  # nothing is decoded here
    return ears


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_command_is_obeyed_at_every_question(ears: Ears, question: str) -> None:
    asked = QUESTIONS[question]
    assert asked.by_voice is not None, "not to be answered by voice"
    expecting = asked.by_voice.expecting
    for (language, words), meant in COMMANDS.items():
        evidence = Evidence([Guess(words, 20.0)], [Guess(words, 20.0)], 0.8)
        grammars = ears.grammars(language, expecting)
        heard = judge(expecting, grammars, evidence, dt.date(2026, 11, 22), Strictness())
        assert isinstance(heard, Heard), f"{words}: not understood"
        expected = (meant, SAME_BY_ITS_OWN_ANSWER.get((question, meant)))
        assert asked.meant(heard) in expected, words


def test_every_spoken_question_is_in_the_table() -> None:
    asked = {one.by_voice.expecting.grammar for one in QUESTIONS.values() if one.by_voice}
    unasked = {"expiry", "number", "numbers", "command"}
    assert asked - {"name"} == GRAMMARS["en"].names() - unasked
