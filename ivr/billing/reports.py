"""What a company's books need of its payments: one line a day, method and currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ivr.billing.methods import Method
from ivr.billing.money import Money


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """What was charged on one day by one method, what became of it, and what went back."""

    day: date
    method: Method
    charged: Money
    """all that customers paid: `fee`, `to_invoices` and `not_applied` together"""
    fee: Money
    to_invoices: Money
    not_applied: Money
    """charged for an invoice that was paid elsewhere in the same moment: to be given back"""
    refunded: Money
    """given back on this day, whenever it was charged: refunds, voids and returns"""
    count: int
    """payments charged on this day"""
