"""Cards on file: offered before the others, removed on request, kept when the caller agrees."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from ivr.billing.cards_on_file import OFFERED, Consent, RemovedFor, is_among
from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.methods import Method
from ivr.billing.payments import Attempt, CardOnFile, CardOnHand, KeepCard, MeansOnHand
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import Question, Spoken, choice, yes_no

KEEP_TRIES = 2
"""how often it is asked; who does not answer does not agree"""
A_PAIR = 2
SAYABLE = ("visa", "mastercard", "amex")
"""brands that are words of the grammars, by their meanings"""


def is_identified(call: Call, customer: Customer) -> bool:
    """Whether it is the customer who calls, and not somebody who pays for them."""
    return call.customer is not None and call.customer.id == customer.id


async def at_hand(call: Call, desk: Desk, customer: Customer) -> list[CardOnFile]:
    """The caller's own cards that may be offered now; an expired one is removed, and they hear so.

    A card that was declined in this call is not offered in it again.
    """
    if desk.keeping is None or not is_identified(call, customer):
        return []
    if Method.CARD_ON_FILE in call.methods_failed:
        return []
    async with call.filling():
        good, expired = await desk.keeping.at_hand(customer.id, datetime.now(UTC).date())
    for card in expired:
        await remove(call, desk, card, RemovedFor.EXPIRED)
        await call.say("card_expired", brand=card.brand, last4=card.last4)
    return [card for card in good if card.id not in call.cards_tried][:OFFERED]


def in_words(cards: Sequence[CardOnFile]) -> tuple[str, ...]:
    """How they may be called besides their numbers: "visa 1111"."""
    return tuple(f"{card.brand} {card.last4}" for card in cards)


def told_by_brand(cards: Sequence[CardOnFile]) -> dict[str, CardOnFile]:
    """Those whose brand says which it is, by it."""
    brands = [card.brand for card in cards]
    return {
        card.brand: card
        for card in cards
        if card.brand in SAYABLE and brands.count(card.brand) == 1
    }


async def remove_one(call: Call, desk: Desk, cards: list[CardOnFile]) -> None:
    """Remove the card that the caller names, of one or more. Raises as Call.ask, and WentBack."""
    card: CardOnFile | None = cards[0]
    if len(cards) > 1:
        card = await call.ask(remove_which(cards), may_go_back=True)
    if card is None:
        return
    if await call.ask(remove_this_one(card), may_go_back=True):
        await remove(call, desk, card, RemovedFor.CALLER)
        await call.say("card_removed", brand=card.brand, last4=card.last4)


def remove_which(cards: Sequence[CardOnFile]) -> Question[CardOnFile | None]:
    """One key a card, in their order, and one for none of them.

    By voice also "the first one", the brand that only one has, and the last four digits.
    """
    keys: dict[str, CardOnFile | None] = {str(key): card for key, card in enumerate(cards, 1)}
    none = str(len(keys) + 1)
    options = [
        phrase("card_to_remove", brand=card.brand, last4=card.last4, number=number)
        for number, card in enumerate(cards, 1)
    ]
    words = {**keys, **told_by_brand(cards), none: None, "none": None, "last": cards[-1]}
    if len(cards) == A_PAIR:
        words["other"] = cards[-1]
    spoken = Spoken("which_card", words, in_words(cards))
    leave = phrase("remove_none", number=int(none))
    question = choice(leave, {**keys, none: None}, spoken=spoken)
    whole = question.after(phrase("remove_which"), *options)
    return replace(whole, retry=whole.phrases)


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
    await call.say("keep_card")
    call.line.forget_keys()  # what is agreed to next was heard
    if not await call.offer(yes_no(phrase("agree_to_keep")), otherwise=False, tries=KEEP_TRIES):
        return None
    consent = Consent(customer.id, attempt.id, call.id, call.language)
    with suppress(LedgerUnavailable):  # without the consent on paper it is paid with, and not kept
        async with call.filling():
            return await desk.keeping.agreed(consent)
    return None
