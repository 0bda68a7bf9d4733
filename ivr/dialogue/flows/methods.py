"""With what to pay: what the caller chooses, and the means of payment that it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto

from ivr.billing.captures import CaptureResult
from ivr.billing.customers import Customer
from ivr.billing.limits import CardVerdict
from ivr.billing.methods import Method
from ivr.billing.payments import Attempt, CardOnFile, CardOnHand, MeansOnHand
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import HungUp, MeansNotTaken, TooManyTries, WantsAgent, WentBack
from ivr.dialogue.flows import bank_account, card_on_file
from ivr.dialogue.flows.send_link import ways_to_send
from ivr.dialogue.phrases import Phrase, PhraseId, phrase
from ivr.dialogue.questions import Question, Spoken, choice

Way = Method | CardOnFile
"""what is paid with: a card on file, or something that the caller is yet to be asked for"""


BY_KEYS = frozenset((Method.CARD,))
COUNTED = frozenset((Method.CARD, Method.CARD_ON_FILE, Method.BANK_ACCOUNT))
"""what the limits of a call are for: a page that a link leads to has its own"""


class Wish(Enum):
    """What else may be wanted where it is asked with what to pay."""

    REMOVE_A_CARD = auto()


OPTIONS: Mapping[Method, PhraseId] = {
    Method.CARD: "method_card",
    Method.BANK_ACCOUNT: "method_bank_account",
    Method.PAYPAL: "method_paypal",
}
MEANINGS: Mapping[str, Method] = {
    "card": Method.CARD,
    "new_card": Method.CARD,
    "visa": Method.CARD,
    "mastercard": Method.CARD,
    "amex": Method.CARD,
    "bank": Method.BANK_ACCOUNT,
    "paypal": Method.PAYPAL,
}
"""of the grammar payment_method"""


async def choose_way(call: Call, desk: Desk, customer: Customer, currency: str) -> Way:
    """What the caller wants to pay with; not asked where there is one way only.

    Raises as Call.ask, WentBack, and MeansNotTaken when there is no way.
    """
    methods = await methods_for(call, desk, customer, currency)
    while True:
        cards = await card_on_file.at_hand(call, desk, customer)
        if not cards and not methods:
            raise MeansNotTaken("no way to pay is left")
        if not cards and len(methods) == 1 and may_go_without_asking(call, methods[0]):
            return methods[0]
        wanted = await call.ask(which_way(cards, methods), may_go_back=True)
        if not isinstance(wanted, Wish):
            return wanted
        with suppress(WentBack):
            await card_on_file.remove_one(call, desk, cards)


def may_go_without_asking(call: Call, only: Method) -> bool:
    """Whether nobody is surprised by it: the one way there is, or a card when others failed."""
    return only is Method.CARD or not call.methods_failed


async def has_a_way(call: Call, desk: Desk, customer: Customer, currency: str) -> bool:
    """Whether there is still something to pay with. Raises LedgerUnavailable."""
    if await card_on_file.at_hand(call, desk, customer):
        return True
    return bool(await methods_for(call, desk, customer, currency))


async def methods_for(
    call: Call, desk: Desk, customer: Customer, currency: str
) -> Sequence[Method]:
    """Those of the company that this caller may use for this currency, and did not try in vain.

    Raises LedgerUnavailable.
    """

    async def is_possible(method: Method) -> bool:
        if method is Method.BANK_ACCOUNT:
            return await bank_account.is_possible(call, desk, customer, currency)
        return method is not Method.PAYPAL or bool(await ways_to_send(desk, customer))

    methods = [each for each in desk.methods if each not in call.methods_failed]
    return [method for method in methods if await is_possible(method)]


def which_way(cards: Sequence[CardOnFile], methods: Sequence[Method]) -> Question[Way | Wish]:
    """One key a way: the cards on file, then the methods in their order, then removing a card."""
    ways: list[Way | Wish] = [*cards, *methods, *([Wish.REMOVE_A_CARD] if cards else [])]
    keys = {str(key): way for key, way in enumerate(ways, start=1)}
    options = [_option(way, int(key), cards) for key, way in keys.items()]
    words = {**keys, **_meanings(cards, methods)}
    spoken = Spoken("payment_method", words, card_on_file.in_words(cards))
    whole = choice(options.pop(), keys, spoken=spoken).after(phrase("choose_method"), *options)
    return replace(whole, retry=whole.phrases)


def _option(way: Way | Wish, number: int, cards: Sequence[CardOnFile]) -> Phrase:
    match way:
        case CardOnFile(brand=brand, last4=last4):
            by_brand = brand in card_on_file.told_by_brand(cards)
            option: PhraseId = "method_card_on_file" if by_brand else "method_card_by_number"
            return phrase(option, brand=brand, last4=last4, number=number)
        case Wish.REMOVE_A_CARD:
            return phrase("method_remove_card", number=number)
        case Method.CARD if cards:
            return phrase("method_another_card", number=number)
    return phrase(OPTIONS[way], number=number)


def _meanings(cards: Sequence[CardOnFile], methods: Sequence[Method]) -> dict[str, Way | Wish]:
    """What words stand for; with a card on file, "the card" may be that one or another.

    So may the brand that two of them have, and of two, "yes" and "my saved card".
    """
    of_cards = {"card", *(card.brand for card in cards)} if cards else set[str]()
    spoken: dict[str, Way | Wish] = {
        word: method
        for word, method in MEANINGS.items()
        if method in methods and word not in of_cards
    }
    spoken |= card_on_file.told_by_brand(cards)
    if len(cards) == 1:
        spoken |= {"saved_card": cards[0], "yes": cards[0]}
    return spoken


async def means_for(
    call: Call, desk: Desk, attempt: Attempt, customer: Customer
) -> MeansOnHand | None:
    """What can be charged for this attempt, by its method; None when the caller left.

    Raises as Call.ask, and MeansNotTaken when it cannot be had in this call.
    """
    return await GET[attempt.method](call, desk, attempt, customer)


async def card(call: Call, desk: Desk, attempt: Attempt, _customer: Customer) -> CardOnHand | None:
    """A card of anybody's."""
    return await card_of(call, desk, attempt)


async def card_of(call: Call, desk: Desk, attempt: Attempt) -> CardOnHand | None:
    """What the secure part brought back; None when the caller left it, or wants who is not there.

    Raises MeansNotTaken when none may be tried, or cannot be; and as Call.collect_card.
    """
    if desk.limiting is not None:
        async with call.filling():
            verdict = await desk.limiting.may_try(attempt.id)
        if verdict is not CardVerdict.ALLOWED:
            stopped = BY_KEYS if verdict is CardVerdict.BREAKER else COUNTED
            raise MeansNotTaken(f"limit: {verdict}", stopped)
    outcome = await call.collect_card(desk.captures, desk.brands)
    match outcome.result:
        case CaptureResult.SUCCESS:
            return outcome.card
        case CaptureResult.CALLER_INTERRUPTED | CaptureResult.CANCELED:
            return None
        case CaptureResult.CALLER_HUNG_UP:
            raise HungUp
        case CaptureResult.TOO_MANY_FAILED_ATTEMPTS if await call.line.somebody_is_there():
            raise TooManyTries
        case CaptureResult.TRANSFERRED_TO_AGENT if await call.line.somebody_is_there():
            raise WantsAgent("asked for, in the secure part")
        case CaptureResult.TRANSFERRED_TO_AGENT:
            await call.say("nobody_there")
            return None
    raise MeansNotTaken(outcome.result, BY_KEYS)


Get = Callable[[Call, Desk, Attempt, Customer], Awaitable[MeansOnHand | None]]
GET: Mapping[Method, Get] = {
    Method.CARD: card,
    Method.BANK_ACCOUNT: bank_account.bank_account,
}
