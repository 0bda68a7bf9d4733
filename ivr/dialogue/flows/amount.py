"""How much of what is due the caller wants to pay now, and what that costs on top."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from ivr.billing.allocating import Chosen
from ivr.billing.errors import AmountTooLarge, AmountTooSmall, MoneyNotUnderstood
from ivr.billing.invoices import Invoice, total_due
from ivr.billing.money import Money, minor_digits
from ivr.billing.terms import Terms
from ivr.dialogue.call import TRIES, Call
from ivr.dialogue.endings import TooManyTries
from ivr.dialogue.hearing import Expecting, Heard
from ivr.dialogue.keypad import EntryRule, PlainKeys
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import (
    AGENT_KEYS,
    LANGUAGE_KEY,
    Answer,
    Aside,
    ByVoice,
    NotUnderstood,
    Question,
    Understood,
)

LONGEST_AMOUNT = 9
"""keys; more only where more is due"""
CENTS = 2
HALF = Decimal(50)
CALLED_ALIKE = {
    "MXN": frozenset({"ARS", "CLP", "COP", "CUP", "DOP", "PHP", "UYU"}),
    "USD": frozenset({"AUD", "CAD", "NZD"}),
}
"""whoever says pesos or dollars means those that they owe"""


async def part_of(call: Call, terms: Terms, invoices: Sequence[Invoice]) -> Chosen:
    """So much of these as the caller says, oldest first; at least one, of one currency.

    What cannot be paid is said to be too little or too much, and asked again. Raises WentBack, and
    as Call.ask.
    """
    due = total_due(invoices)
    asking = ask_amount(terms.least(due) or due, due)
    question = asking
    for _ in range(TRIES):
        amount = await call.ask(question, may_go_back=True)
        try:
            return terms.chosen(invoices, amount)
        except AmountTooSmall:
            question = asking.after(phrase("amount_too_small"))
        except AmountTooLarge:
            question = asking.after(phrase("amount_too_large", amount=due))
    raise TooManyTries


async def tell_fee(call: Call, fee: Money, amount: Money) -> None:
    """Say the fee on `amount`, if there is one, to its end: what is agreed to next was heard.

    Raises HungUp.
    """
    if fee:
        await call.say("fee_added", fee=fee, amount=amount)
        call.line.forget_keys()


def ask_amount(least: Money, due: Money) -> Question[Money]:
    """An amount, keyed with its cents and ended by `#` or a pause; any amount is an answer.

    A 9 is the amount where nine may be paid, else it changes the language.
    """

    def understand(keys: str) -> Answer[Money]:
        if keys == AGENT_KEYS:
            return Aside.AGENT
        amount = keyed(keys, least, due)
        if keys == LANGUAGE_KEY and not least <= amount <= due:
            return Aside.OTHER_LANGUAGE
        return Understood(amount)

    def said(heard: Heard) -> Answer[Money]:
        amount = spoken(heard.meaning, least, due)
        return NotUnderstood() if amount is None else Understood(amount)

    longest = max(LONGEST_AMOUNT, len(str(due.minor_units)))
    rule: EntryRule[PlainKeys] = EntryRule(
        is_full=lambda keys: len(keys) >= longest, is_enough=lambda _: True
    )
    ask = phrase(asked_with(due.currency), amount=least, digits=str(least.minor_units))
    return Question(
        (ask,),
        (ask,),
        rule,
        understand,
        star_clears=True,
        by_voice=ByVoice(Expecting("amount", patience_seconds=rule.first_key_seconds), said),
    )


def asked_with(currency: str) -> Literal["ask_amount", "ask_amount_as_shown"]:
    """The phrase: that cents are keyed too is said where there are cents."""
    return "ask_amount" if minor_digits(currency) == CENTS else "ask_amount_as_shown"


def keyed(keys: str, least: Money, due: Money) -> Money:
    """The amount whose digits were keyed: 2500 is 25.00.

    Who keys 25 where 25 cents is too little, and 25 euros is not, means euros; it is read back.
    """
    amount = Money.of_minor_units(int(keys), due.currency)
    whole = Money.of(int(keys), due.currency)
    return whole if amount < least <= whole <= due else amount


def spoken(meaning: str, least: Money, due: Money) -> Money | None:
    """The amount of a meaning of the grammar `amount`; None in another currency."""
    of_it = {"all": due, "half": due.percent(HALF), "minimum": least}
    if meaning in of_it:
        return of_it[meaning]
    number, _, currency = meaning.partition(" ")
    try:
        return Money.of(number, due.currency) if _names(currency, due.currency) else None
    except MoneyNotUnderstood:
        return None


def _names(said: str, currency: str) -> bool:
    return said in {"", currency} or currency in CALLED_ALIKE.get(said, ())
