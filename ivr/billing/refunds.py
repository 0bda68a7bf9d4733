"""Money that staff give back: a whole payment before it is settled, all or a part of it after."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from ivr.billing.money import Money
from ivr.billing.payments import Allocation


class RefundKind(StrEnum):
    """How the gateway is asked."""

    VOID = "void"
    """the whole payment, before it is settled: the money never moves"""
    REFUND = "refund"
    """all or a part, after it is settled"""


class RefundState(StrEnum):
    """Where a refund is; DONE and REFUSED are the end."""

    ASKED = "asked"
    """written down, and on its way to the gateway"""
    DONE = "done"
    REFUSED = "refused"
    """certainly not given back"""
    UNKNOWN = "unknown"
    """it may have been given back: it is looked for, and counts as given back until it is known"""


@dataclass(frozen=True, slots=True)
class RefundWish:
    """What a member of staff wants given back, and why."""

    attempt_id: UUID
    amount: Money | None
    """None: all that is left"""
    reason: str
    who: str
    """the name of their API key, or "cli:" and their login"""
    key: str
    """of theirs: the same wish with the same key is one refund"""
    reopen: bool = False
    """whether the invoices are owed again"""
    only_void: bool = False
    """not after it is settled"""

    @property
    def digest(self) -> str:
        """What tells another wish with the same key."""
        whole = (self.attempt_id, self.amount, self.reason, self.reopen, self.only_void)
        return hashlib.sha256("\n".join(map(str, whole)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund or void, as it is now; nothing of it is ever deleted."""

    id: UUID
    """also the gateway's request key"""
    attempt_id: UUID
    sale_id: str
    """the gateway's transaction of the payment"""
    kind: RefundKind
    amount: Money
    reason: str
    who: str
    reopen: bool
    state: RefundState
    transaction_id: str | None
    """the gateway's, once it is done"""
    why: str | None
    """it was refused, or is not known"""
    asked_at: datetime
    ended_at: datetime | None

    @property
    def order_id(self) -> str:
        """What the gateway's books know it by."""
        return f"saldo-refund-{self.id}"

    @property
    def is_open(self) -> bool:
        """Whether its outcome is still to be found out."""
        return self.state in (RefundState.ASKED, RefundState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The gateway did it."""

    transaction_id: str


@dataclass(frozen=True, slots=True)
class NotGivenBack:
    """The gateway or the bank said no: nothing was given back."""

    why: str


def spread_back(applied: Sequence[Allocation], amount: Money) -> list[Allocation]:
    """How much less is paid of each invoice when `amount` of a payment goes back.

    `applied` is what the payment still pays of each, oldest first. The newest invoice is opened
    first, and what no invoice took, such as the fee, goes back last: who gets a part back gets it
    for a bill.
    """
    parts: list[Allocation] = []
    left = amount
    for part in reversed(applied):
        back = min(left, part.amount)
        if back:
            parts.append(Allocation(part.invoice_id, back))
        left -= back
    return parts
