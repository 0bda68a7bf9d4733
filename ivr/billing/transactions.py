"""What the payment gateway has written down: sales, and money that went back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ivr.billing.money import Money
from ivr.billing.payments import Captured, Refusal

ORDER_PREFIX = "saldo-"
"""every order of ours begins like this"""


class Standing(StrEnum):
    """How a transaction stands at the gateway."""

    PENDING = "pending"
    """neither taken nor refused yet"""
    CAPTURED = "captured"
    SETTLED = "settled"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    """refused, because another sale of the same order had been accepted just before"""
    VOIDED = "voided"
    RETURNED = "returned"
    """the bank did not pay in the end, or took it back"""


TAKEN = frozenset({Standing.CAPTURED, Standing.SETTLED})
"""The money is on its way to us or there."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One sale or one refund."""

    id: str
    order_id: str
    standing: Standing
    amount: Money
    created_at: datetime
    outcome: Captured | Refusal | None = None
    """of a sale: what its charge came to; None while it is pending"""
    refund_of: str = ""
    """of a refund: the sale it belongs to"""

    @property
    def is_sale(self) -> bool:
        return not self.refund_of

    @property
    def is_taken(self) -> bool:
        """Whether this sale has our customer's money."""
        return self.is_sale and self.standing in TAKEN
