"""How a payment is spread over invoices: to the last minor unit, never more than what is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ivr.billing.errors import AmountOutOfRange
from ivr.billing.invoices import Invoice, in_order
from ivr.billing.money import Money, total
from ivr.billing.payments import Allocation


@dataclass(frozen=True, slots=True)
class Chosen:
    """What somebody wants to pay now: invoices of one currency, and how much of each."""

    invoices: tuple[Invoice, ...]
    """oldest first"""
    amounts: Mapping[int, Money]
    """by the ids of invoices; one that gets nothing is not named"""

    @property
    def amount(self) -> Money:
        """What goes to invoices, before any fee."""
        return total(self.amounts.values(), self.invoices[0].amount.currency)

    @property
    def allocations(self) -> tuple[Allocation, ...]:
        """The same for the ledger, oldest invoice first."""
        named = [each.id for each in self.invoices if each.id in self.amounts]
        return tuple(Allocation(each, self.amounts[each]) for each in named)

    @property
    def is_part(self) -> bool:
        """Whether something stays due on these invoices."""
        return any(each.due != self.amounts.get(each.id) for each in self.invoices)


def in_full(invoices: Sequence[Invoice]) -> Chosen:
    """All that is due on each. Raises CurrencyMismatch; AmountOutOfRange when nothing is due."""
    return as_chosen(invoices, {each.id: each.due for each in invoices if each.due})


def oldest_first(invoices: Sequence[Invoice], amount: Money) -> Chosen:
    """`amount` of what is due: the oldest invoice in full, then the next, until it is used up.

    Raises CurrencyMismatch; AmountOutOfRange when it is nothing or more than what is due.
    """
    left, amounts = amount, dict[int, Money]()
    for invoice in in_order(_each_once(invoices)):
        part = min(invoice.due, left)
        if part:
            amounts[invoice.id] = part
            left -= part
    if left:
        raise AmountOutOfRange("more than what is due on these invoices")
    return as_chosen(invoices, amounts)


def as_chosen(invoices: Sequence[Invoice], amounts: Mapping[int, Money]) -> Chosen:
    """So much of each invoice as `amounts` says, by its id; nothing of those it does not name.

    Raises CurrencyMismatch; AmountOutOfRange when an amount is zero, more than what is due, or of
    no such invoice, and when there is none.
    """
    due = {each.id: each.due for each in invoices}
    if not amounts:
        raise AmountOutOfRange("a payment is of something")
    for invoice_id, amount in amounts.items():
        nothing = Money.zero(amount.currency)
        if invoice_id not in due or not nothing < amount <= due[invoice_id]:
            raise AmountOutOfRange("a payment is of something, and of no more than what is due")
    total(
        (each.due for each in invoices), invoices[0].amount.currency
    )  # one currency, or it says so
    return Chosen(tuple(in_order(_each_once(invoices))), dict(amounts))


def _each_once(invoices: Sequence[Invoice]) -> list[Invoice]:
    return list({each.id: each for each in invoices}.values())
