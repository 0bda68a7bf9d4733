"""What is owed, read aloud, and which of it the caller wants to pay now."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto
from itertools import compress

from ivr.billing.invoices import Invoice, total_due
from ivr.dialogue.call import Call
from ivr.dialogue.endings import WentBack
from ivr.dialogue.phrases import Phrase, phrase
from ivr.dialogue.questions import Question, Spoken, choice, yes_no


class Wish(Enum):
    """What to do with several invoices."""

    PAY_ALL = auto()
    CHOOSE = auto()
    NONE = auto()


async def choose_invoices(
    call: Call, invoices: list[Invoice], *, may_go_back: bool = False
) -> list[Invoice]:
    """Those the caller wants to pay now, perhaps none; all in one currency, at least one given.

    Raises as Call.ask, of the first question.
    """
    if len(invoices) == 1:
        wanted = await call.ask(pay_the_one(invoices[0]), may_go_back=may_go_back)
        return invoices if wanted else []
    while True:
        match await call.ask(pay_all_or_choose(invoices), may_go_back=may_go_back):
            case Wish.PAY_ALL:
                return invoices
            case Wish.NONE:
                return []
        with suppress(WentBack):
            return await one_by_one(call, invoices)


async def one_by_one(call: Call, invoices: list[Invoice]) -> list[Invoice]:
    """Those the caller wants to pay, each asked for. Raises WentBack, of the first, and as ask."""
    wanted: list[bool] = []
    while len(wanted) < len(invoices):
        question = pay_this_one(invoices[len(wanted)])
        try:
            wanted.append(await call.ask(question, may_go_back=True))
        except WentBack:
            if not wanted:
                raise
            wanted.pop()
    chosen = list(compress(invoices, wanted))
    if not chosen:
        await call.say("nothing_chosen")
    return chosen


def pay_the_one(invoice: Invoice) -> Question[bool]:
    """The only invoice: 1 pays it, 2 leaves it."""
    return yes_no(phrase("pay_one_or_leave"), "pay_or_leave").after(
        phrase("owes_one"), read(invoice)
    )


def pay_all_or_choose(invoices: list[Invoice]) -> Question[Wish]:
    """All of them read out: 1 pays all, 2 chooses, 3 hears them again."""
    amount = total_due(invoices)
    question = choice(
        phrase("pay_all_or_choose", amount=amount),
        {"1": Wish.PAY_ALL, "2": Wish.CHOOSE},
        again="3",
        spoken=Spoken(
            "all_or_choose", {"all": Wish.PAY_ALL, "choose": Wish.CHOOSE, "none": Wish.NONE}
        ),
    )
    owed = phrase("owes_many", count=len(invoices), amount=amount)
    return question.after(owed, *[read(invoice) for invoice in invoices])


def pay_this_one(invoice: Invoice) -> Question[bool]:
    """One of several: 1 pays it, 2 leaves it, 3 hears it again."""
    by_voice = Spoken("pay_or_leave", {"yes": True, "no": False})
    question = choice(phrase("pay_this_one"), {"1": True, "2": False}, again="3", spoken=by_voice)
    return question.after(read(invoice))


def read(invoice: Invoice) -> Phrase:
    """The line, what is due and since when."""
    return phrase(
        "invoice_line", service=invoice.service_label, amount=invoice.due, date=invoice.due_date
    )
