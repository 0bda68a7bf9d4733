"""Paying for somebody else: by account number only, hearing nothing of whose it is or what is due.

The caller says how much. An amount that is more than is due, an account that does not exist and one
that owes nothing are refused in the same words after the same time, and each such try counts as a
failed identification until it ends in a payment: nobody finds out a balance by trying amounts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import NoReturn

from ivr.billing.allocating import Chosen
from ivr.billing.calls import CallOutcome
from ivr.billing.errors import AmountOutOfRange, LedgerUnavailable, MoneyNotUnderstood
from ivr.billing.limiting import NOBODY
from ivr.billing.limits import IdentificationTries, IdentificationVerdict
from ivr.billing.methods import Method
from ivr.billing.money import Money, minor_digits
from ivr.billing.payments import (
    Attempt,
    BeingPaid,
    CardOnHand,
    Declined,
    NotCharged,
    Paid,
    PaidMeanwhile,
    Unknown,
)
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import MeansNotTaken, Over, TooManyTries, WentBack
from ivr.dialogue.flows.amount import CENTS, LONGEST_AMOUNT, spoken
from ivr.dialogue.flows.declined import after_decline, instead
from ivr.dialogue.flows.identify import ask_account
from ivr.dialogue.flows.methods import card_of
from ivr.dialogue.flows.pay import Settled, agrees, charge, tell
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
    yes_no,
)

SHOWN_DIGITS = 2
"""of the account number, read back"""
EXAMPLE = 100
"""so much of a currency shows how its amounts are keyed"""


async def pay_for_another(call: Call, desk: Desk, account_number: str) -> NoReturn:
    """Ask how much, take a card, charge it, and say the confirmation number.

    Ends with Over or another ending.
    """
    account = account_number or await call.ask(ask_account(""))
    amounts = iter(range(desk.limits.identifications_a_call))
    while True:
        chosen, tried = await accepted(call, desk, account, amounts)
        with contextlib.suppress(WentBack):
            result = await paid_by_card(call, desk, chosen)
            break
    if isinstance(result, Paid):
        if desk.limiting and tried:
            await desk.limiting.forgive(tried)
        await tell(call, desk, None, replace(result, reactivated=()))
    elif isinstance(result, PaidMeanwhile | BeingPaid):
        await call.say("amount_not_taken")
    elif result is not None:
        await tell(call, desk, None, result)
    raise Over(call.settled or CallOutcome.NOT_PAID)


async def paid_by_card(
    call: Call, desk: Desk, chosen: Chosen
) -> Paid | PaidMeanwhile | BeingPaid | Unknown | NotCharged | None:
    """How it went with one card or more; None when the caller left it. Raises WentBack."""
    while True:
        try:
            result = await try_a_card(call, desk, chosen)
        except MeansNotTaken as error:
            await instead(call, desk, None, chosen, error)
        if not isinstance(result, Declined):
            return result
        chosen, _ = await after_decline(call, desk, None, chosen, result, Method.CARD)


async def accepted(
    call: Call, desk: Desk, account: str, amounts: Iterator[int]
) -> tuple[Chosen, IdentificationTries | None]:
    """An amount that may be paid for this account, and the try that it counts as.

    Each takes one of `amounts`, so many as identifications may fail in a call. Raises TooManyTries
    when none is left, and as Call.ask.
    """
    asking = question = ask_amount(desk.for_another)
    for _ in amounts:
        amount = await call.ask(question)
        if not await is_right(call, amount, account):
            question = asking
            continue
        async with call.filling():
            found, tried = await look_up(call, desk, account, amount)
        if found is not None:
            return found, tried
        call.note("amount not taken")
        call.line.forget_keys()
        question = asking.after(phrase("amount_not_taken"))
    if question is not asking:
        await call.say("amount_not_taken")
    raise TooManyTries


async def is_right(call: Call, amount: Money, account: str) -> bool:
    """Whether the caller means that; who goes back wants to say another amount."""
    try:
        return await call.ask(confirm(amount, account), may_go_back=True)
    except WentBack:
        return False


async def look_up(
    call: Call, desk: Desk, account: str, amount: Money
) -> tuple[Chosen | None, IdentificationTries | None]:
    """How the amount is spread over what is due; None when it cannot be taken.

    Everything is asked for in any case, so that the answer takes the same time.
    """
    customer = await desk.directory.by_account_number(account)
    unpaid = await desk.invoices.unpaid(customer.id if customer else NOBODY)
    owed = [each for each in unpaid if each.due.currency == amount.currency]
    tried = None
    if desk.limiting is not None:
        tried = await desk.limiting.count_claim(call.line.arrived.caller, account)
        if tried.verdict(desk.limits) is not IdentificationVerdict.ALLOWED:
            return None, tried
    try:
        return (desk.terms.chosen(owed, amount) if owed else None), tried
    except AmountOutOfRange:
        return None, tried


async def try_a_card(call: Call, desk: Desk, chosen: Chosen) -> Settled | None:
    """How one attempt went with a card that is never kept; None when the caller left it."""
    fee = desk.terms.fees.of(Method.CARD, chosen.amount)
    async with call.filling():
        attempt = await desk.paying.open(
            chosen.invoices[0].customer_id,
            chosen.invoices,
            call.id,
            amounts=chosen.amounts,
            fee=fee,
        )
    card = await agreed_card(call, desk, attempt)
    return await charge(call, desk, attempt, card, None) if card else None


async def agreed_card(call: Call, desk: Desk, attempt: Attempt) -> CardOnHand | None:
    """A card that the caller agreed to charge; otherwise the attempt is given up."""
    agreed = False
    try:
        card = await card_of(call, desk, attempt)
        agreed = card is not None and await agrees(call, attempt, card)
        return card if agreed else None
    finally:
        if not agreed:
            call.note("attempt given up")
            with contextlib.suppress(LedgerUnavailable):  # a created attempt holds nothing
                await desk.paying.cancel(attempt)


def ask_amount(currency: str) -> Question[Money]:
    """An amount in this currency, keyed with its minor digits; any but nothing is an answer."""
    nothing = Money.zero(currency)

    def positive(amount: Money | None) -> Answer[Money]:
        return Understood(amount) if amount else NotUnderstood()

    def understand(keys: str) -> Answer[Money]:
        if keys == AGENT_KEYS:
            return Aside.AGENT
        if keys == LANGUAGE_KEY:
            return Aside.OTHER_LANGUAGE
        return positive(Money.of_minor_units(int(keys), currency))

    def said(heard: Heard) -> Answer[Money]:
        try:
            return positive(spoken(heard.meaning, nothing, nothing))
        except MoneyNotUnderstood:
            return NotUnderstood()

    rule: EntryRule[PlainKeys] = EntryRule(
        is_full=lambda keys: len(keys) >= LONGEST_AMOUNT, is_enough=lambda _: True
    )
    ask = phrase("ask_amount_for_another")
    if minor_digits(currency) != CENTS:
        shown = Money.of(EXAMPLE, currency)
        digits = str(shown.minor_units)
        ask = phrase("ask_amount_for_another_as_shown", amount=shown, digits=digits)
    by_voice = ByVoice(Expecting("amount", patience_seconds=rule.first_key_seconds), said)
    return Question((ask,), (ask,), rule, understand, star_clears=True, by_voice=by_voice)


def confirm(amount: Money, account: str) -> Question[bool]:
    """1 goes on, 2 asks for another amount."""
    return yes_no(phrase("confirm_for_another", amount=amount, digits=account[-SHOWN_DIGITS:]))
