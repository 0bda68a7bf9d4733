"""The honest third answer: nobody knows yet whether a charge was made, and how the caller will."""

from __future__ import annotations

from contextlib import suppress

from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.phrases import PhraseId


async def say_confirming(call: Call, desk: Desk, customer: Customer | None) -> None:
    """Say not to pay again, and promise a message to who gets one.

    The message goes to the customer. Without one here, who pays for another hears the same whoever
    that is, and of no message. Raises HungUp.
    """
    await call.say(await _words(call, desk, customer))


async def _words(call: Call, desk: Desk, customer: Customer | None) -> PhraseId:
    if customer is None:
        return "confirming_see_statement"
    with suppress(LedgerUnavailable):  # what cannot be looked up is not promised
        async with call.filling():
            if await desk.ways_to(customer):
                return "confirming_do_not_pay_again"
    return "confirming_call_again"
