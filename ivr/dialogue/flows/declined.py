"""After what was not accepted, or cannot be taken: what else makes sense, in the same call.

| bucket | in this order, three at most, then a person, and later if there is room  |
|--------|--------------------------------------------------------------------------|
| soft   | another card, a link, a promise; about funds: a part before all          |
| hard   | another card, a link, a promise                                          |
| fix    | the card once more, another way, a link, a promise                       |

Where something else than a card can be paid with, it is another way, in the place of another card.
What is not at hand is left out: a card when enough were tried, a link when neither a number nor
an e-mail address is on file, a person when nobody is there. The words are the same for every
decline: none says which check failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from typing import NoReturn

from ivr.billing.allocating import Chosen
from ivr.billing.calls import CallOutcome
from ivr.billing.customers import Customer
from ivr.billing.invoices import total_due
from ivr.billing.messages import ToCustomer
from ivr.billing.methods import Method
from ivr.billing.payments import DeclineBucket, Declined
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import MeansNotTaken, Over, WantsAgent, WentBack
from ivr.dialogue.flows import card_on_file
from ivr.dialogue.flows.amount import part_of
from ivr.dialogue.flows.methods import COUNTED, Way, methods_for
from ivr.dialogue.flows.promise import promise_to_pay
from ivr.dialogue.flows.send_link import send_link, way_to_send
from ivr.dialogue.phrases import PhraseId, phrase
from ivr.dialogue.questions import Question, Spoken, choice


class Next(Enum):
    """What a caller may do next."""

    ANOTHER_CARD = auto()
    SAME_CARD = auto()
    """the same card, keyed once more"""
    OTHER_WAY = auto()
    """another card too, where one may be tried"""
    PART = auto()
    LINK = auto()
    """by text"""
    MAILED_LINK = auto()
    """by mail, to who gets no texts"""
    PROMISE = auto()
    LATER = auto()
    PERSON = auto()


MOST = 4
"""choices at once"""
LINKS: Mapping[Next, ToCustomer] = {Next.LINK: "text", Next.MAILED_LINK: "mail"}
"""never more than one of them is at hand"""
ORDER: Mapping[DeclineBucket, tuple[Next, ...]] = {
    DeclineBucket.SOFT: (Next.ANOTHER_CARD, *LINKS, Next.PROMISE),
    DeclineBucket.HARD: (Next.ANOTHER_CARD, *LINKS, Next.PROMISE),
    DeclineBucket.FIX: (Next.SAME_CARD, Next.ANOTHER_CARD, *LINKS, Next.PROMISE),
}
ABOUT_FUNDS = (Next.PART, Next.ANOTHER_CARD, Next.PROMISE, *LINKS)
OPTIONS: Mapping[Next, PhraseId] = {
    Next.ANOTHER_CARD: "option_another_card",
    Next.SAME_CARD: "option_same_card",
    Next.OTHER_WAY: "option_other_way",
    Next.PART: "option_part",
    Next.LINK: "option_link",
    Next.MAILED_LINK: "option_link_mailed",
    Next.PROMISE: "option_promise",
    Next.LATER: "option_later",
    Next.PERSON: "option_person",
}
MEANINGS: Mapping[Next, str] = {
    Next.ANOTHER_CARD: "another_card",
    Next.SAME_CARD: "same_card",
    Next.PART: "part",
    Next.LINK: "link",
    Next.MAILED_LINK: "link",
    Next.PROMISE: "promise",
    Next.LATER: "later",
}
"""of the grammar after_decline; a person is asked for as anywhere"""


async def after_decline(
    call: Call,
    desk: Desk,
    customer: Customer | None,
    chosen: Chosen,
    declined: Declined,
    way: Way,
) -> tuple[Chosen, Way | None]:
    """What is to be paid next, and with what: None when that is to be asked.

    `way` is what was declined. Without a customer, who pays for another, only cards and a person
    are offered. Raises Over when the caller promised, gets a link or leaves it; WantsAgent;
    WentBack; and as Call.ask.
    """
    found = await at_hand(call, desk, customer, chosen, declined, way)
    opening: PhraseId = "debit_declined" if way is Method.BANK_ACCOUNT else "declined"
    if not found:
        is_first = opening != "declined" or len(call.declined) == 1
        await call.say(opening if is_first else "declined_final")
        raise WantsAgent("declined, and nothing else is at hand")
    steps = [*found, await person_or_later(call)]
    if Next.PERSON in steps and declined.bucket is DeclineBucket.SOFT and len(steps) < MOST:
        steps.append(Next.LATER)
    while True:
        step = await call.ask(what_next(opening, steps), may_go_back=True)
        if step in (Next.ANOTHER_CARD, Next.OTHER_WAY):
            return chosen, None
        if step is Next.SAME_CARD:
            return chosen, way
        with suppress(WentBack):
            if step is Next.PART:
                return await part_of(call, desk.terms, chosen.invoices), way
            await _do(step, call, desk, customer, chosen)


async def instead(
    call: Call, desk: Desk, customer: Customer | None, chosen: Chosen, error: MeansNotTaken
) -> NoReturn:
    """A link or a person, for a caller with whom no way to pay is left. Raises Over, WantsAgent."""
    of_a_card = error.methods.intersection(desk.methods) == {Method.CARD}
    link = await link_at_hand(desk, customer)
    if link is None:
        await call.say("card_not_available" if of_a_card else "payment_not_taken")
        raise WantsAgent(f"no payment by telephone: {error.reason}")
    opening: PhraseId = "card_not_taken" if of_a_card else "payment_not_taken"
    step = await call.ask(what_next(opening, [link, await person_or_later(call)]))
    await _do(step, call, desk, customer, chosen)
    raise WantsAgent(f"no payment by telephone: {error.reason}")


async def person_or_later(call: Call) -> Next:
    """A person, or when nobody is there, to leave it for now."""
    return Next.PERSON if await call.line.somebody_is_there() else Next.LATER


async def link_at_hand(desk: Desk, customer: Customer | None) -> Next | None:
    """A link by the way that one can be sent, if any. Raises LedgerUnavailable."""
    way = await way_to_send(desk, customer) if customer else None
    return next((link for link, by in LINKS.items() if by == way), None)


async def at_hand(
    call: Call,
    desk: Desk,
    customer: Customer | None,
    chosen: Chosen,
    declined: Declined,
    way: Way,
) -> list[Next]:
    """What may be offered besides a person, in its order. Raises LedgerUnavailable."""
    may = await _may_pay(call, desk, customer, chosen, way)
    if customer is not None:
        if may & {Next.SAME_CARD, Next.ANOTHER_CARD} and _has_a_part(desk, chosen):
            may.add(Next.PART)
        async with call.filling():
            if link := await link_at_hand(desk, customer):
                may.add(link)
            if desk.promising and await desk.promising.may_promise(customer, chosen.invoices):
                may.add(Next.PROMISE)
    order = ABOUT_FUNDS if declined.about_funds else ORDER[declined.bucket]
    if Next.OTHER_WAY in may:
        order = tuple(Next.OTHER_WAY if each is Next.ANOTHER_CARD else each for each in order)
    elif Next.SAME_CARD in may and Next.SAME_CARD in order:
        may.discard(Next.ANOTHER_CARD)
    return [step for step in order if step in may][: MOST - 1]


async def _may_pay(
    call: Call, desk: Desk, customer: Customer | None, chosen: Chosen, way: Way
) -> set[Next]:
    """Whether the same card, another one or something else may be tried.

    What a limit would stop from now on is not offered again in this call.
    """
    may = set[Next]()
    if len(call.declined) < desk.limits.card_tries_a_call and way is Method.CARD:
        may.add(Next.SAME_CARD)
    if (
        len(call.declined) >= desk.limits.card_tries_a_call
        or call.different_cards >= desk.limits.cards_a_call
    ):
        call.methods_failed |= COUNTED
    elif Method.CARD in desk.methods and Method.CARD not in call.methods_failed:
        may.add(Next.ANOTHER_CARD)
    if customer is not None:
        others = await methods_for(call, desk, customer, chosen.amount.currency)
        cards = [] if may else await card_on_file.at_hand(call, desk, customer)
        if cards or set(others) - {Method.CARD}:
            may.add(Next.OTHER_WAY)
    return may


def what_next(opening: PhraseId, steps: Sequence[Next]) -> Question[Next]:
    """One key a choice, in their order; by voice each by its own words, or by its number."""
    keys = {str(key): step for key, step in enumerate(steps, start=1)}
    options = [phrase(OPTIONS[step], number=int(key)) for key, step in keys.items()]
    spoken = {MEANINGS[step]: step for step in steps if step in MEANINGS}
    if Next.OTHER_WAY in steps:
        spoken["another_card"] = Next.OTHER_WAY
    if cards := [step for step in steps if step in (Next.SAME_CARD, Next.ANOTHER_CARD)]:
        spoken["retry"] = cards[0]
    last = options.pop()
    question = choice(last, keys, spoken=Spoken("after_decline", {**spoken, **keys}))
    whole = question.after(phrase(opening), *options)
    return replace(whole, retry=whole.phrases[1:])


async def _do(
    step: Next, call: Call, desk: Desk, customer: Customer | None, chosen: Chosen
) -> None:
    if step is Next.LATER:
        raise Over(CallOutcome.NOT_PAID)
    if step in LINKS and customer:
        await send_link(call, desk, customer, chosen, LINKS[step])
        raise Over(CallOutcome.NOT_PAID)
    if step is Next.PROMISE and customer and desk.promising:
        await promise_to_pay(call, desk.promising, customer, chosen)
    raise WantsAgent("asked for, after a declined card")


def _has_a_part(desk: Desk, chosen: Chosen) -> bool:
    least = desk.terms.least(total_due(chosen.invoices))
    return least is not None and least < chosen.amount
