"""One attempt to pay, its states, and how each ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from ivr.billing.invoices import Invoice
from ivr.billing.money import Money


class AttemptState(StrEnum):
    """Money may have moved in CHARGING, UNKNOWN and CAPTURED only."""

    CREATED = "created"
    CHARGING = "charging"
    CAPTURED = "captured"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CANCELED = "canceled"
    """given up before anything was sent to the gateway"""


TRANSITIONS: dict[AttemptState, frozenset[AttemptState]] = {
    AttemptState.CREATED: frozenset({AttemptState.CHARGING, AttemptState.CANCELED}),
    AttemptState.CHARGING: frozenset(
        {AttemptState.CAPTURED, AttemptState.DECLINED, AttemptState.UNKNOWN, AttemptState.FAILED}
    ),
    AttemptState.UNKNOWN: frozenset(
        {AttemptState.CAPTURED, AttemptState.DECLINED, AttemptState.FAILED}
    ),
}
"""From each state, where an attempt may go; states not named are the end. Declined from unknown:
the answer came late, after another process had given the attempt up, or by asking again."""


@dataclass(frozen=True, slots=True)
class CardOnHand:
    """What the secure process hands back: enough to charge once, nothing to leak."""

    brand: str
    """visa, mastercard, amex, discover, …"""
    last4: str
    expires: str
    """MMYY"""
    token: str = field(repr=False)
    """the gateway's single-use payment method"""


@dataclass(frozen=True, slots=True)
class Allocation:
    """The part of a payment that goes to one invoice."""

    invoice_id: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to pay some invoices with one means of payment."""

    id: UUID
    """also the gateway's request key"""
    order_id: str
    """unique per attempt at the gateway: "saldo-" and the id"""
    customer_id: int
    call_id: str | None
    amount: Money
    allocations: tuple[Allocation, ...]
    state: AttemptState


@dataclass(frozen=True, slots=True)
class Captured:
    """The gateway took the money."""

    transaction_id: str
    processor_code: str
    captured_at: datetime


class DeclineBucket(StrEnum):
    """What may follow a decline (payments.md): try later, never again, or mend and try now."""

    SOFT = "soft"
    HARD = "hard"
    FIX = "fix"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The bank or the gateway said no; nothing was charged."""

    code: str
    """the raw code, kept for the ledger, never spoken"""
    text: str
    bucket: DeclineBucket
    transaction_id: str | None = None


# How Paying.pay ends, for the flow:


@dataclass(frozen=True, slots=True)
class Reactivated:
    """A line that came back because its last unpaid invoice was paid."""

    service_id: int
    label: str


@dataclass(frozen=True, slots=True)
class Paid:
    """Durably captured: it may be spoken."""

    amount: Money
    confirmation: str
    """short code for the caller, digits and letters without look-alikes"""
    reactivated: tuple[Reactivated, ...] = ()


@dataclass(frozen=True, slots=True)
class Declined:
    """Not charged; `bucket` says what to offer next."""

    bucket: DeclineBucket


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been charged: say that we are confirming, and do not charge again."""


@dataclass(frozen=True, slots=True)
class NotCharged:
    """Nothing was sent or taken, and the reason is ours: gateway away, database away."""


@dataclass(frozen=True, slots=True)
class PaidMeanwhile:
    """The lock found an invoice paid or changed since it was read: nothing was charged."""


@dataclass(frozen=True, slots=True)
class BeingPaid:
    """Another attempt holds one of these invoices now: nothing was charged here."""


PayResult = Paid | Declined | Unknown | NotCharged | PaidMeanwhile | BeingPaid


def allocate(invoices: tuple[Invoice, ...]) -> tuple[Allocation, ...]:
    """Each invoice in full."""
    return tuple(Allocation(invoice.id, invoice.due) for invoice in invoices)


def confirmation_code(attempt_id: UUID) -> str:
    """Eight digits, easy to say and to note, always the same for one attempt."""
    return f"{attempt_id.int % 10**8:08d}"
