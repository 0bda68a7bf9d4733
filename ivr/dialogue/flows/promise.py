"""A promise to pay: the day by keys or by voice, read back, and written down."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import NoReturn

from ivr.billing.allocating import Chosen
from ivr.billing.calls import CallOutcome
from ivr.billing.customers import Customer
from ivr.billing.errors import PromiseRefused
from ivr.billing.promises import DAY_AND_MONTH, keyed_day
from ivr.billing.promising import Promising
from ivr.dialogue.call import TRIES, Call
from ivr.dialogue.endings import Over, TooManyTries, WantsAgent, WentBack
from ivr.dialogue.hearing import Expecting, Heard
from ivr.dialogue.keypad import EntryRule, PlainKeys
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import (
    AGENT_KEYS,
    Answer,
    Aside,
    ByVoice,
    NotUnderstood,
    Question,
    Understood,
    yes_no,
)

AFTER_A_KEY_SECONDS = 3.0
"""a day is one key, and so is the first of four"""


async def promise_to_pay(
    call: Call, promising: Promising, customer: Customer, chosen: Chosen
) -> NoReturn:
    """Ask for a day, read it back and write the promise down; ends with Over.

    Raises WentBack from the first question, TooManyTries, WantsAgent, and as Call.ask.
    """
    today = promising.today()
    asking = question = ask_day(today)
    for _ in range(TRIES):
        day = await call.ask(question, may_go_back=True)
        if not promising.rules.takes(day, today):
            too_late = phrase("promise_day_not_possible", date=promising.rules.last_day(today))
            question = asking.after(too_late)
            continue
        with suppress(WentBack):
            if await call.ask(confirm(chosen, day), may_go_back=True):
                await _write_down(call, promising, customer, chosen, day)
        question = asking
    raise TooManyTries


def ask_day(today: date) -> Question[date]:
    """One key, so many days from today, or four, day and month; or a date that is said.

    Nine days are a 9: in this question it does not change the language.
    """

    def understand(keys: str) -> Answer[date]:
        day = keyed_day(keys, today)
        if keys == AGENT_KEYS:
            return Aside.AGENT
        return NotUnderstood() if day is None else Understood(day)

    def said(heard: Heard) -> Answer[date]:
        return Understood(date.fromisoformat(heard.meaning))

    rule: EntryRule[PlainKeys] = EntryRule(
        is_full=lambda keys: len(keys) >= DAY_AND_MONTH,
        is_enough=lambda _: True,
        between_keys_seconds=AFTER_A_KEY_SECONDS,
    )
    ask = phrase("ask_promise_day")
    by_voice = ByVoice(Expecting("date", patience_seconds=rule.first_key_seconds), said)
    return Question((ask,), (ask,), rule, understand, star_clears=True, by_voice=by_voice)


def confirm(chosen: Chosen, day: date) -> Question[bool]:
    """1 promises it, 2 asks for another day."""
    return yes_no(phrase("confirm_promise", amount=chosen.amount, date=day))


async def _write_down(
    call: Call, promising: Promising, customer: Customer, chosen: Chosen, day: date
) -> NoReturn:
    async with call.filling():
        try:
            await promising.promise(customer, chosen.amounts, day, call.id)
        except PromiseRefused:  # promised or paid in another call, a moment ago
            raise WantsAgent("the promise could not be kept in writing") from None
    call.settled = call.settled or CallOutcome.PROMISED
    call.note("promise")
    await call.say("promise_made", amount=chosen.amount, date=day)
    raise Over(CallOutcome.PROMISED)
