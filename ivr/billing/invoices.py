"""What is owed, per invoice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ivr.billing.money import Money, total


@dataclass(frozen=True, slots=True)
class Invoice:
    """One unpaid or part-paid bill of one service."""

    id: int
    number: str
    """the biller's own, such as F-2026-0007"""
    customer_id: int
    service_id: int
    service_label: str
    amount: Money
    paid: Money
    due_date: date

    @property
    def due(self) -> Money:
        """What is still to pay; never below zero."""
        return max(self.amount - self.paid, Money.zero(self.amount.currency))


def in_order(invoices: Sequence[Invoice]) -> list[Invoice]:
    """Oldest first, as they are read out and paid."""
    return sorted(invoices, key=lambda invoice: (invoice.due_date, invoice.number))


def by_currency(invoices: Sequence[Invoice]) -> dict[str, list[Invoice]]:
    """One payment has one currency: the invoices of each, oldest first."""
    groups: dict[str, list[Invoice]] = {}
    for invoice in in_order(invoices):
        groups.setdefault(invoice.amount.currency, []).append(invoice)
    return groups


def total_due(invoices: Sequence[Invoice]) -> Money:
    """The sum of what is due; all in one currency, at least one invoice."""
    return total((invoice.due for invoice in invoices), invoices[0].amount.currency)
