"""A call that comes in: who is it, what do they owe, and would they pay it now."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import chain

from ivr.billing.allocating import Chosen
from ivr.billing.calls import CallOutcome
from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.invoices import Invoice, by_currency
from ivr.dialogue.call import OTHER_LANGUAGE, Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import Over, PaysForAnother, WentBack
from ivr.dialogue.flows import sent_along
from ivr.dialogue.flows.for_another import pay_for_another
from ivr.dialogue.flows.hear_invoices import choose_invoices
from ivr.dialogue.flows.identify import identify
from ivr.dialogue.flows.in_doubt import say_confirming
from ivr.dialogue.flows.pay import pay_invoices
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import SpokenName, greeting

AT_HAND_SECONDS = 0.2
"""for the names that are listened for; a database that is well needs a hundredth of it"""


async def inbound(call: Call, desk: Desk) -> None:
    """The whole call from the welcome on; ends with Over or another ending."""
    try:
        customer = await identify(call, desk, await welcomed(call, desk))
    except PaysForAnother as other:
        await pay_for_another(call, desk, other.account_number)
    await speak_their_language(call, customer)
    await settle_up(call, desk, customer)


async def welcomed(call: Call, desk: Desk) -> str | SpokenName:
    """What a caller who knows what comes keyed or said into the welcome; nothing, mostly."""
    at_hand: tuple[str, ...] = ()
    if desk.names is not None and call.hears:
        with suppress(LedgerUnavailable, TimeoutError):  # the welcome is heard all the same
            async with asyncio.timeout(AT_HAND_SECONDS):
                at_hand = await desk.names.at_hand()
    return await call.offer(greeting(phrase("welcome"), at_hand), otherwise="")


async def speak_their_language(call: Call, customer: Customer) -> None:
    """A caller who has not chosen a language is spoken to in the one on file."""
    known = customer.language in OTHER_LANGUAGE
    if known and not call.language_chosen and customer.language != call.language:
        call.change_language(customer.language)
        await call.say("language_changed")


async def settle_up(call: Call, desk: Desk, customer: Customer) -> None:
    """Offer what is owed, one currency at a time, until nothing is or the caller wants no more.

    Who goes back from the first choice of a currency hears again what they left before; who goes
    back while paying hears the choice again. What was paid stays paid.
    """
    left: list[list[Invoice]] = []
    settled: set[int] = set()
    offered = await settle_what_was_sent_along(call, desk, customer, settled)
    while invoices := await still_to_offer(call, desk, customer, left, settled):
        offered = True
        try:
            chosen = await choose_invoices(call, desk.terms, invoices, may_go_back=bool(left))
        except WentBack:
            left.pop()
            continue
        if not chosen:
            left.append(invoices)
            continue
        await settle(call, desk, customer, chosen, settled)
    if not offered:
        await nothing_to_offer(call, desk, customer)
    raise Over(CallOutcome.NOT_PAID if left else CallOutcome.NOTHING_OWED)


async def settle_what_was_sent_along(
    call: Call, desk: Desk, customer: Customer, settled: set[int]
) -> bool:
    """Offer the invoice or amount that came with the call, if any; whether something was."""
    if not sent_along.is_any(call):
        return False
    async with call.filling():
        unpaid = await desk.invoices.unpaid(customer.id)
    chosen = await sent_along.offer(call, desk.terms, unpaid)
    if chosen:
        await settle(call, desk, customer, chosen, settled)
    return chosen is not None


async def settle(
    call: Call, desk: Desk, customer: Customer, chosen: Chosen, settled: set[int]
) -> None:
    """Have it paid; what was paid, be it in part, is not offered again in this call."""
    receipts = len(call.receipts)
    with suppress(WentBack):
        await pay_invoices(call, desk, customer, chosen)
    if len(call.receipts) > receipts:
        settled |= {invoice.id for invoice in chosen.invoices}


async def still_to_offer(
    call: Call, desk: Desk, customer: Customer, left: list[list[Invoice]], settled: set[int]
) -> list[Invoice]:
    """Read again what is unpaid: the invoices of the next currency still open in this call."""
    async with call.filling():
        unpaid = await desk.invoices.unpaid(customer.id)
    known = {invoice.id for invoice in chain.from_iterable(left)} | settled
    groups = by_currency([invoice for invoice in unpaid if invoice.id not in known])
    return next(iter(groups.values()), [])


async def nothing_to_offer(call: Call, desk: Desk, customer: Customer) -> None:
    """Say that nothing is owed, but for what may or may not have been paid already."""
    async with call.filling():
        in_doubt = await desk.invoices.in_doubt(customer.id)
    if not in_doubt:
        await call.say("nothing_owed")
        return
    await say_confirming(call, desk, customer)
    raise Over(CallOutcome.CONFIRMING)
