"""PayPal in a call: a link is sent, and the call hears it when the payment is made."""

from __future__ import annotations

import asyncio

from ivr.billing.allocating import Chosen
from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.links import Link, LinkPurpose
from ivr.billing.messages import Message
from ivr.billing.methods import Method
from ivr.billing.payments import AttemptState, Paid, Unknown
from ivr.billing.ports import Links
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.flows.send_link import E164, can_send_link
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import choice

LOOK_SECONDS = 1.0
"""between two looks at what was paid"""
ANOTHER_WAY = "1"


async def pay_by_link(
    call: Call, desk: Desk, customer: Customer, chosen: Chosen
) -> Paid | Unknown | None:
    """Send a link and wait for what is paid by it; None when the caller goes on without.

    The link stays good: whoever hangs up can pay by it later. Raises HungUp, LedgerUnavailable, and
    WantsAgent or Over when the caller says so.
    """
    if desk.links is None or not await can_send_link(desk, customer):
        await call.say("link_not_possible")
        return None
    async with call.filling():
        link = await send(call, desk, desk.links, customer, chosen)
    fee = desk.terms.fees.of(Method.PAYPAL, chosen.amount)
    await call.say("paypal_link_sent", amount=chosen.amount + fee)
    return await wait_for(call, desk.links, link, desk.link_wait_seconds)


async def send(call: Call, desk: Desk, links: Links, customer: Customer, chosen: Chosen) -> Link:
    """Make a link and have it sent, by text and by mail. Raises LedgerUnavailable."""
    if desk.outbox is None:
        raise ValueError("ask can_send_link first")
    link = await links.make(
        customer.id,
        list(chosen.amounts),
        desk.link_minutes,
        purpose=LinkPurpose.PAYPAL,
        amounts=chosen.amounts if chosen.is_part else None,
        call_id=call.id,
    )
    ids = {"customer": customer.id, "url": link.url}
    caller = call.line.arrived.caller or ""
    to = caller if E164.fullmatch(caller) else None
    until = link.expires_at
    await desk.outbox.tell(
        Message("text", "paypal-link", ids, call_id=call.id, to=to, until=until),
        Message("mail", "paypal-link", ids, call_id=call.id, until=until),
    )
    call.note("link sent")
    return link


async def wait_for(
    call: Call, links: Links, link: Link, limit_seconds: float
) -> Paid | Unknown | None:
    """What was paid by the link, as soon as it is known; None when the caller wants to go on.

    The same when the limit is over. Raises HungUp, and as Call.ask.
    """
    watching = asyncio.create_task(_settled(links, link))
    talking = asyncio.create_task(_wants_to_go_on(call))
    try:
        await asyncio.wait(
            (watching, talking), timeout=limit_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if watching.done():
            return watching.result()
        if talking.done():
            talking.result()  # a hang-up, or a person wanted, is no wish to go on
    finally:
        for task in (watching, talking):
            task.cancel()
        await asyncio.gather(watching, talking, return_exceptions=True)
    await call.say("link_stays")
    return None


async def _settled(links: Links, link: Link) -> Paid | Unknown:
    """Look until something is paid by it; a declined card is tried again on the page."""
    while True:
        try:
            news = await links.news(link.id)
        except LedgerUnavailable:
            news = None  # looked for again soon
        if news and news.state in (AttemptState.CAPTURED, AttemptState.SETTLED):
            return Paid(news.amount, news.confirmation, news.reactivated)
        if news and news.state is AttemptState.UNKNOWN:
            return Unknown()
        await asyncio.sleep(LOOK_SECONDS)


async def _wants_to_go_on(call: Call) -> None:
    """Say from time to time that we wait, until the key is pressed. Raises as Call.ask."""
    question = choice(phrase("paypal_waiting"), {ANOTHER_WAY: True})
    while not await call.offer(question, otherwise=False):
        pass
