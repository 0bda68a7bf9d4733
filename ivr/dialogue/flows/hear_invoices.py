"""What is owed, read aloud, and which of it, or how much, the caller wants to pay now.

Many invoices are read out only to who wants to hear them: a dozen takes a minute and a half.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from enum import Enum, auto
from itertools import compress
from typing import TypeVar

from ivr.billing.allocating import Chosen, in_full
from ivr.billing.invoices import Invoice, total_due
from ivr.billing.terms import Terms
from ivr.dialogue.call import Call
from ivr.dialogue.endings import WentBack
from ivr.dialogue.flows.amount import part_of
from ivr.dialogue.phrases import Phrase, phrase
from ivr.dialogue.questions import Question, Spoken, choice

T = TypeVar("T")

PART_KEY = "4"
AGAIN_KEY = HEAR_KEY = "3"
ENOUGH_KEY = "4"
FEW = 5
"""invoices that are read out before anything is asked"""


class Wish(Enum):
    """What to do with what is owed."""

    PAY_ALL = auto()
    CHOOSE = auto()
    HEAR = auto()
    """all of them, when they are many"""
    PART = auto()
    NONE = auto()


class Pick(Enum):
    """What to do with one of several."""

    PAY = auto()
    LEAVE = auto()
    ENOUGH = auto()
    """leave this one and all that follow"""


async def choose_invoices(
    call: Call, terms: Terms, invoices: list[Invoice], *, may_go_back: bool = False
) -> Chosen | None:
    """What the caller wants to pay now of these, all in one currency, at least one; None: nothing.

    Raises as Call.ask, of the first question.
    """
    offers_part = terms.least(total_due(invoices)) is not None
    asking = question = what_to_pay(invoices, offers_part=offers_part)
    while True:
        wish = await call.ask(question, may_go_back=may_go_back)
        question = asking
        with suppress(WentBack):
            match wish:
                case Wish.PAY_ALL:
                    return in_full(invoices)
                case Wish.CHOOSE:
                    return await one_by_one(call, invoices)
                case Wish.HEAR:
                    question = pay_all_or_choose(invoices, offers_part=offers_part)
                case Wish.PART:
                    return await part_of(call, terms, invoices)
                case Wish.NONE:
                    return None


async def one_by_one(call: Call, invoices: list[Invoice]) -> Chosen | None:
    """Those the caller wants to pay, each asked for. Raises WentBack, of the first, and as ask."""
    picked: list[Pick] = []
    while len(picked) < len(invoices) and Pick.ENOUGH not in picked:
        question = pick(invoices[len(picked)], may_be_enough=len(invoices) > FEW)
        try:
            picked.append(await call.ask(question, may_go_back=True))
        except WentBack:
            if not picked:
                raise
            picked.pop()
    chosen = list(compress(invoices, (each is Pick.PAY for each in picked)))
    if chosen:
        return in_full(chosen)
    await call.say("nothing_chosen")
    return None


def what_to_pay(invoices: list[Invoice], *, offers_part: bool) -> Question[Wish]:
    """All of them read out, unless they are many, and what to do with them."""
    if len(invoices) == 1:
        return pay_the_one(invoices[0], offers_part=offers_part)
    if len(invoices) > FEW:
        return pay_all_or_hear(invoices, offers_part=offers_part)
    return pay_all_or_choose(invoices, offers_part=offers_part)


def pay_the_one(invoice: Invoice, *, offers_part: bool = False) -> Question[Wish]:
    """The only invoice: 1 pays it, 2 leaves it, 3 hears it again, 4 pays a part."""
    question = _choice(
        phrase("pay_one_or_leave"),
        {"1": Wish.PAY_ALL, "2": Wish.NONE},
        Spoken("pay_or_leave", {"yes": Wish.PAY_ALL, "no": Wish.NONE}),
        offers_part=offers_part,
    )
    return question.after(phrase("owes_one"), read(invoice))


def pay_all_or_choose(invoices: list[Invoice], *, offers_part: bool = False) -> Question[Wish]:
    """All of them read out: 1 pays all, 2 chooses, 3 hears them again, 4 pays a part."""
    amount = total_due(invoices)
    question = _choice(
        phrase("pay_all_or_choose", amount=amount),
        {"1": Wish.PAY_ALL, "2": Wish.CHOOSE},
        Spoken("all_or_choose", {"all": Wish.PAY_ALL, "choose": Wish.CHOOSE, "none": Wish.NONE}),
        offers_part=offers_part,
    )
    owed = phrase("owes_many", count=len(invoices), amount=amount)
    return question.after(owed, *[read(invoice) for invoice in invoices])


def pay_all_or_hear(invoices: list[Invoice], *, offers_part: bool = False) -> Question[Wish]:
    """How many they are: 1 pays all, 2 chooses, 3 hears all of them, 4 pays a part."""
    amount = total_due(invoices)
    words = {"all": Wish.PAY_ALL, "choose": Wish.CHOOSE, "again": Wish.HEAR, "none": Wish.NONE}
    question = _choice(
        phrase("pay_all_or_hear"),
        {"1": Wish.PAY_ALL, "2": Wish.CHOOSE, HEAR_KEY: Wish.HEAR},
        Spoken("all_or_choose", words),
        offers_part=offers_part,
    )
    return question.after(phrase("owes_many", count=len(invoices), amount=amount))


def _choice(
    ask: Phrase, keys: Mapping[str, Wish], spoken: Spoken[Wish], *, offers_part: bool
) -> Question[Wish]:
    if not offers_part:
        return choice(ask, keys, again=AGAIN_KEY, spoken=spoken)
    also = Spoken(spoken.grammar, {**spoken.values, "part": Wish.PART, PART_KEY: Wish.PART})
    question = choice(ask, {**keys, PART_KEY: Wish.PART}, again=AGAIN_KEY, spoken=also)
    return question.followed_by(phrase("or_a_part"))


def pay_this_one(invoice: Invoice) -> Question[bool]:
    """One of several: 1 pays it, 2 leaves it, 3 hears it again."""
    return _this_one(invoice, {"1": True, "2": False}, {"yes": True, "no": False})


def pick(invoice: Invoice, *, may_be_enough: bool) -> Question[Pick]:
    """The same where each is asked for; with many of them, 4 leaves this one and all the rest."""
    keys = {"1": Pick.PAY, "2": Pick.LEAVE}
    words = {"yes": Pick.PAY, "no": Pick.LEAVE}
    if not may_be_enough:
        return _this_one(invoice, keys, words)
    also = {ENOUGH_KEY: Pick.ENOUGH}
    question = _this_one(invoice, keys | also, {**words, **also, "enough": Pick.ENOUGH})
    return question.followed_by(phrase("or_enough"))


def _this_one(invoice: Invoice, keys: Mapping[str, T], words: Mapping[str, T]) -> Question[T]:
    spoken = Spoken("pay_or_leave", words)
    question = choice(phrase("pay_this_one"), keys, again=AGAIN_KEY, spoken=spoken)
    return question.after(read(invoice))


def read(invoice: Invoice) -> Phrase:
    """The line, what is due and since when."""
    return phrase(
        "invoice_line", service=invoice.service_label, amount=invoice.due, date=invoice.due_date
    )
