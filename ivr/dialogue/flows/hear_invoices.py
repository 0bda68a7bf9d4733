"""What is owed, read aloud, and which of it the caller wants to pay now."""

from __future__ import annotations

from enum import Enum, auto

from ivr.billing.invoices import Invoice, total_due
from ivr.dialogue.call import Call
from ivr.dialogue.phrases import Phrase, phrase
from ivr.dialogue.questions import Question, Spoken, choice, yes_no


class Wish(Enum):
    """What to do with several invoices."""

    PAY_ALL = auto()
    CHOOSE = auto()
    NONE = auto()


async def choose_invoices(call: Call, invoices: list[Invoice]) -> list[Invoice]:
    """Those the caller wants to pay now, perhaps none; all in one currency, at least one given."""
    if len(invoices) == 1:
        return invoices if await call.ask(pay_the_one(invoices[0])) else []
    match await call.ask(pay_all_or_choose(invoices)):
        case Wish.PAY_ALL:
            return invoices
        case Wish.NONE:
            return []
    chosen = [invoice for invoice in invoices if await call.ask(pay_this_one(invoice))]
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
