"""A link to the pay page, by text message or mail to what is on file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ivr.billing.allocating import Chosen
from ivr.billing.customers import Customer
from ivr.billing.messages import Message, ToCustomer
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.phrases import PhraseId

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
SENT: Mapping[ToCustomer, PhraseId] = {"text": "link_sent", "mail": "link_mailed"}
"""what is said once it is on its way; the better way for a caller first"""


async def ways_to_send(desk: Desk, customer: Customer) -> frozenset[ToCustomer]:
    """By what a link would reach the customer; nothing without a pay page.

    Raises LedgerUnavailable.
    """
    if desk.links is None or desk.outbox is None:
        return frozenset()
    return await desk.ways_to(customer)


async def way_to_send(desk: Desk, customer: Customer) -> ToCustomer | None:
    """A text where one can be sent, else a mail; None without both. Raises LedgerUnavailable."""
    ways = await ways_to_send(desk, customer)
    return next((way for way in SENT if way in ways), None)


async def send_link(
    call: Call, desk: Desk, customer: Customer, chosen: Chosen, way: ToCustomer
) -> None:
    """Send it, and say so.

    A text goes to the caller's number if that is on file, else to the first. Raises
    LedgerUnavailable, HungUp.
    """
    if desk.links is None or desk.outbox is None:
        raise ValueError("ask way_to_send first")
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
        to = caller if way == "text" and E164.fullmatch(caller) else None
        until = link.expires_at
        await desk.outbox.tell(Message(way, "pay-link", ids, call_id=call.id, to=to, until=until))
    call.note("link sent")
    await call.say(SENT[way])
