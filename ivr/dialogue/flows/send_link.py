"""A link to the pay page, by text message to the number on file."""

from __future__ import annotations

import re

from ivr.billing.allocating import Chosen
from ivr.billing.customers import Customer
from ivr.billing.messages import Message, ToCustomer
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk

E164 = re.compile(r"\+[1-9][0-9]{6,14}")


async def ways_to_send(desk: Desk, customer: Customer) -> frozenset[ToCustomer]:
    """By what a link would reach the customer; nothing without a pay page.

    Raises LedgerUnavailable.
    """
    if desk.links is None or desk.outbox is None:
        return frozenset()
    return desk.ways & await desk.directory.ways_to(customer.id)


async def can_send_link(desk: Desk, customer: Customer) -> bool:
    """Whether one can be sent by text. Raises LedgerUnavailable."""
    return "text" in await ways_to_send(desk, customer)


async def send_link(call: Call, desk: Desk, customer: Customer, chosen: Chosen) -> None:
    """Send it, and say so. It goes to the caller's number if that is on file, else to the first.

    Raises LedgerUnavailable, HungUp.
    """
    if desk.links is None or desk.outbox is None:
        raise ValueError("ask can_send_link first")
    caller = call.line.arrived.caller or ""
    async with call.filling():
        link = await desk.links.make(
            customer.id,
            list(chosen.amounts),
            desk.link_minutes,
            amounts=chosen.amounts if chosen.is_part else None,
            call_id=call.id,
        )
        ids = {"customer": customer.id, "url": link.url, "minutes": desk.link_minutes}
        to = caller if E164.fullmatch(caller) else None
        until = link.expires_at
        await desk.outbox.tell(
            Message("text", "pay-link", ids, call_id=call.id, to=to, until=until)
        )
    call.note("link sent")
    await call.say("link_sent")
