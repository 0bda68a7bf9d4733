"""With what to pay: the method that the caller chooses, and the means of payment of that method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from ivr.billing.captures import CaptureResult
from ivr.billing.customers import Customer
from ivr.billing.methods import Method
from ivr.billing.payments import Attempt, CardOnHand, MeansOnHand
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import HungUp, TooManyTries, WantsAgent
from ivr.dialogue.phrases import PhraseId, phrase
from ivr.dialogue.questions import Question, Spoken, choice

OPTIONS: Mapping[Method, PhraseId] = {
    Method.CARD: "method_card",
    Method.BANK_ACCOUNT: "method_bank_account",
    Method.PAYPAL: "method_paypal",
}
MEANINGS: Mapping[str, Method] = {
    "card": Method.CARD,
    "new_card": Method.CARD,
    "bank": Method.BANK_ACCOUNT,
    "paypal": Method.PAYPAL,
}
"""of the grammar payment_method"""


async def choose_method(call: Call, desk: Desk) -> Method:
    """What the caller wants to pay with; not asked where there is one way only.

    Raises as Call.ask, and WentBack.
    """
    if len(desk.methods) == 1:
        return desk.methods[0]
    return await call.ask(which_method(desk.methods), may_go_back=True)


def which_method(methods: tuple[Method, ...]) -> Question[Method]:
    """One key a method, in their order."""
    keys = {str(key): method for key, method in enumerate(methods, start=1)}
    spoken = {word: method for word, method in MEANINGS.items() if method in methods}
    options = [phrase(OPTIONS[each], number=int(key)) for key, each in keys.items()]
    last = options.pop()
    question = choice(last, keys, spoken=Spoken("payment_method", {**spoken, **keys}))
    whole = question.after(phrase("choose_method"), *options)
    return replace(whole, retry=whole.phrases)


async def means_for(
    call: Call, desk: Desk, attempt: Attempt, customer: Customer
) -> MeansOnHand | None:
    """What can be charged for this attempt, by its method; None when the caller left.

    Raises as Call.ask, and WantsAgent when it cannot be had in this call.
    """
    return await GET[attempt.method](call, desk, attempt, customer)


async def card(call: Call, desk: Desk, _attempt: Attempt, _customer: Customer) -> CardOnHand | None:
    """What the secure part brought back; None when the caller left it."""
    outcome = await call.collect_card(desk.captures, desk.brands)
    match outcome.result:
        case CaptureResult.SUCCESS:
            return outcome.card
        case CaptureResult.CALLER_INTERRUPTED | CaptureResult.CANCELED:
            return None
        case CaptureResult.CALLER_HUNG_UP:
            raise HungUp
        case CaptureResult.TOO_MANY_FAILED_ATTEMPTS:
            raise TooManyTries
        case CaptureResult.TRANSFERRED_TO_AGENT:
            raise WantsAgent("asked for, in the secure part")
    await call.say("card_not_available")
    raise WantsAgent(f"no card by telephone: {outcome.result}")


Get = Callable[[Call, Desk, Attempt, Customer], Awaitable[MeansOnHand | None]]
GET: Mapping[Method, Get] = {Method.CARD: card}
