"""Cards on file: offered before the others, removed on request, kept when the caller agrees."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from ivr.billing.cards_on_file import OFFERED, Consent, RemovedFor, is_among
from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.payments import Attempt, CardOnFile, CardOnHand, KeepCard, MeansOnHand
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import Question, yes_no

KEEP_TRIES = 2
"""how often it is asked; who does not answer does not agree"""


def is_identified(call: Call, customer: Customer) -> bool:
    """Whether it is the customer who calls, and not somebody who pays for them."""
    return call.customer is not None and call.customer.id == customer.id


async def at_hand(call: Call, desk: Desk, customer: Customer) -> list[CardOnFile]:
    """The caller's own cards that may be offered now; an expired one is removed, and they hear so.

    A card that was declined in this call is not offered in it again.
    """
    if desk.keeping is None or not is_identified(call, customer):
        return []
    async with call.filling():
        good, expired = await desk.keeping.at_hand(customer.id, datetime.now(UTC).date())
    for card in expired:
        await remove(call, desk, card, RemovedFor.EXPIRED)
        await call.say("card_expired", brand=card.brand, last4=card.last4)
    return [card for card in good if card.id not in call.cards_tried][:OFFERED]


async def remove_one(call: Call, desk: Desk, cards: list[CardOnFile]) -> None:
    """Remove the card that the caller names, of one or more. Raises as Call.ask, and WentBack."""
    for card in cards:
        if await call.ask(remove_this_one(card), may_go_back=True):
            await remove(call, desk, card, RemovedFor.CALLER)
            await call.say("card_removed", brand=card.brand, last4=card.last4)
            return


def remove_this_one(card: CardOnFile) -> Question[bool]:
    """1 removes it, 2 does not."""
    return yes_no(phrase("confirm_card_removal", brand=card.brand, last4=card.last4))


async def remove(call: Call, desk: Desk, card: CardOnFile, why: RemovedFor) -> None:
    """It is not on file any more. Raises LedgerUnavailable."""
    if desk.keeping is not None:
        async with call.filling():
            await desk.keeping.remove(card, why, call.id)
        call.note(f"card removed: {why}")


async def ask_to_keep(
    call: Call, desk: Desk, customer: Customer, attempt: Attempt, means: MeansOnHand | None
) -> KeepCard | None:
    """For whom to keep a card that was just entered; None unless its holder agrees to that.

    Asked once a call, and not for a card that is on file already. Raises as Call.offer.
    """
    if not isinstance(means, CardOnHand) or not desk.keep_cards or call.asked_to_keep:
        return None
    if desk.keeping is None or not is_identified(call, customer):
        return None
    async with call.filling():
        good, _ = await desk.keeping.at_hand(customer.id, datetime.now(UTC).date())
    if is_among(means, good):
        return None
    call.asked_to_keep = True
    if not await call.offer(yes_no(phrase("keep_card")), otherwise=False, tries=KEEP_TRIES):
        return None
    consent = Consent(customer.id, attempt.id, call.id, call.language)
    with suppress(LedgerUnavailable):  # without the consent on paper it is paid with, and not kept
        async with call.filling():
            return await desk.keeping.agreed(consent)
    return None
