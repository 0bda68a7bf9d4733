"""What came with the call: an invoice that is offered first, an amount that is proposed."""

from __future__ import annotations

import re

from ivr.billing.allocating import Chosen, in_full
from ivr.billing.errors import MoneyNotUnderstood
from ivr.billing.invoices import Invoice, by_currency, total_due
from ivr.billing.money import Money
from ivr.billing.terms import Terms
from ivr.dialogue.call import Call
from ivr.dialogue.flows.hear_invoices import pay_this_one, read
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import Question, yes_no

CANNOT_BE_SENT = re.compile(r"[^A-Za-z0-9-]")
"""what the dial plan drops of a number that comes in a header"""


def is_any(call: Call) -> bool:
    """Whether an invoice or an amount came with the call."""
    return bool(call.line.hints.get("invoice") or call.line.hints.get("amount"))


async def offer(call: Call, terms: Terms, unpaid: list[Invoice]) -> Chosen | None:
    """What the caller wants to pay of what came with the call; None when it is nothing of that.

    An invoice that is not among the unpaid ones and an amount that may not be paid are passed over.
    Raises as Call.ask.
    """
    invoice = sent_invoice(call, unpaid)
    owed = [invoice] if invoice else next(iter(by_currency(unpaid).values()), [])
    if owed and (amount := sent_amount(call, terms, owed)):
        wanted = await call.ask(pay_proposed(owed, amount, is_known=invoice is not None))
        return terms.chosen(owed, amount) if wanted else None
    if invoice is None or len(unpaid) == 1:  # the only one is offered first anyway
        return None
    about = pay_this_one(invoice).after(phrase("this_invoice"))
    return in_full([invoice]) if await call.ask(about) else None


def sent_invoice(call: Call, unpaid: list[Invoice]) -> Invoice | None:
    """The unpaid invoice whose number came with the call."""
    number = call.line.hints.get("invoice", "")
    named = [each for each in unpaid if CANNOT_BE_SENT.sub("", each.number) == number]
    return named[0] if named else None


def sent_amount(call: Call, terms: Terms, owed: list[Invoice]) -> Money | None:
    """The part of what is owed that came with the call; None when it may not be paid, or is all."""
    due = total_due(owed)
    least = terms.least(due)
    try:
        amount = Money.of(call.line.hints.get("amount", ""), due.currency)
    except MoneyNotUnderstood:
        return None
    return amount if least and least <= amount < due else None


def pay_proposed(owed: list[Invoice], amount: Money, *, is_known: bool) -> Question[bool]:
    """1 pays the amount that came with the call, 2 chooses; `is_known`: so did the invoice."""
    question = yes_no(phrase("pay_proposed", amount=amount))
    if is_known:
        return question.after(phrase("this_invoice"), read(owed[0]))
    if len(owed) == 1:
        return question.after(phrase("owes_one"), read(owed[0]))
    return question.after(phrase("owes_many", count=len(owed), amount=total_due(owed)))
