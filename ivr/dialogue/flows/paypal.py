"""PayPal in a call: a link is sent, and the call hears it when the payment is made."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

from ivr.billing.allocating import Chosen
from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.links import Link, LinkAttempt, LinkPurpose
from ivr.billing.messages import Message, ToCustomer
from ivr.billing.methods import Method
from ivr.billing.payments import AttemptState, Paid, Unknown
from ivr.billing.ports import Links, Outbox
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.flows.amount import tell_fee
from ivr.dialogue.flows.send_link import E164, ways_to_send
from ivr.dialogue.phrases import PhraseId, phrase
from ivr.dialogue.questions import choice

LOOK_SECONDS = 0.5
"""between two looks at what was paid"""
CHARGE_SECONDS = 75.0
"""the longest a charge is waited for; the slowest gateway takes 65 s"""
AGAIN_SECONDS = 60.0
"""to try again after a decline, however long was waited before"""
ANOTHER_WAY = "1"
NEWS = (
    AttemptState.CHARGING,
    AttemptState.CAPTURED,
    AttemptState.SETTLED,
    AttemptState.DECLINED,
    AttemptState.UNKNOWN,
)
"""what a caller who waits hears of; the page itself tells what came to nothing"""


async def pay_by_link(
    call: Call, desk: Desk, customer: Customer, chosen: Chosen
) -> Paid | Unknown | None:
    """Send a link and wait for what is paid by it; None when the caller goes on without.

    The link stays good: whoever hangs up can pay by it later. Raises HungUp, LedgerUnavailable, and
    WantsAgent or Over when the caller says so.
    """
    if desk.links is None or desk.outbox is None:
        raise ValueError("ask ways_to_send first")
    fee = desk.terms.fees.of(Method.PAYPAL, chosen.amount)
    await tell_fee(call, fee, chosen.amount)
    async with call.filling():
        ways = await ways_to_send(desk, customer)
        link = await send(call, desk, desk.links, desk.outbox, customer, chosen, ways)
    sent: PhraseId = "paypal_link_sent" if "text" in ways else "paypal_link_mailed"
    await call.say(sent, amount=chosen.amount + fee)
    return await wait_for(call, desk.links, link, desk.link_wait_seconds)


async def send(
    call: Call,
    desk: Desk,
    links: Links,
    outbox: Outbox,
    customer: Customer,
    chosen: Chosen,
    ways: Collection[ToCustomer],
) -> Link:
    """Make a link and have it sent by these ways. Raises LedgerUnavailable."""
    link = await links.make(
        customer.id,
        list(chosen.amounts),
        desk.link_minutes,
        purpose=LinkPurpose.PAYPAL,
        amounts=chosen.amounts if chosen.is_part else None,
        call_id=call.id,
    )
    ids = {"customer": customer.id, "url": link.url, "minutes": desk.link_minutes}
    caller = call.line.arrived.caller or ""
    to = caller if E164.fullmatch(caller) else None
    mail = Message("mail", "paypal-link", ids, call_id=call.id, until=link.expires_at)
    text = replace(mail, topic="text", to=to)
    await outbox.tell(*(each for each in (text, mail) if each.topic in ways))
    call.note("link sent")
    return link


async def wait_for(
    call: Call, links: Links, link: Link, limit_seconds: float
) -> Paid | Unknown | None:
    """What was paid by the link, as soon as it is known; None when the caller wants to go on.

    The same when the limit is over. A decline is said, and may be followed by another try. Raises
    HungUp, and as Call.ask.
    """
    now = asyncio.get_running_loop().time
    until = now() + limit_seconds
    told: LinkAttempt | None = None
    while True:
        try:
            async with asyncio.timeout_at(until):
                told = await _news_or_key(call, links, link, told)
        except TimeoutError:
            await call.say("link_not_used")
            return None
        if told is None:
            await call.say("link_stays")
            return None
        if told.state is AttemptState.CHARGING:
            told = await _charged(call, links, link, told)
        if told.state in (AttemptState.CAPTURED, AttemptState.SETTLED):
            return Paid(told.amount, told.confirmation, told.reactivated)
        if told.state is AttemptState.UNKNOWN:
            return Unknown()
        until = max(until, now() + AGAIN_SECONDS)


async def _news_or_key(
    call: Call, links: Links, link: Link, told: LinkAttempt | None
) -> LinkAttempt | None:
    """What the caller was not `told` yet; None when they press the key. Raises as Call.ask."""
    watching = asyncio.create_task(_news_since(links, link, told))
    talking = asyncio.create_task(_wants_to_go_on(call, told))
    try:
        await asyncio.wait((watching, talking), return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            return watching.result()
        talking.result()  # a hang-up, or a person wanted, is no wish to go on
        return None
    finally:
        for task in (watching, talking):
            task.cancel()
        await asyncio.gather(watching, talking, return_exceptions=True)


async def _news_since(links: Links, link: Link, told: LinkAttempt | None) -> LinkAttempt:
    while True:
        news = await _look(links, link)
        if news and news.state in NEWS and (told is None or news.id != told.id):
            return news
        await asyncio.sleep(LOOK_SECONDS)


async def _charged(call: Call, links: Links, link: Link, begun: LinkAttempt) -> LinkAttempt:
    """What became of a charge, with company meanwhile; it is unknown when that takes too long."""
    async with call.filling("charging"):
        try:
            async with asyncio.timeout(CHARGE_SECONDS):
                while True:
                    news = await _look(links, link)
                    if news and news.state is not AttemptState.CHARGING:
                        return news
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return replace(begun, state=AttemptState.UNKNOWN)


async def _look(links: Links, link: Link) -> LinkAttempt | None:
    try:
        return await links.news(link.id)
    except LedgerUnavailable:
        return None  # looked for again soon


async def _wants_to_go_on(call: Call, told: LinkAttempt | None) -> None:
    """Say from time to time that we wait, until the key is pressed. Raises as Call.ask."""
    waiting = choice(phrase("paypal_waiting"), {ANOTHER_WAY: True})
    declined = told is not None and told.state is AttemptState.DECLINED
    question = waiting.after(phrase("link_declined")) if declined else waiting
    while not await call.offer(question, otherwise=False):
        question = waiting
