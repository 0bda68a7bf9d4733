"""Payments as staff looks at them: what was paid, with what, and what became of it since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import AttemptState
from ivr.billing.refunds import Refund


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """One attempt with all that may be shown of it; never its token."""

    id: UUID
    order_id: str
    customer_id: int
    account_number: str
    customer_name: str
    call_id: str | None
    amount: Money
    """all that was charged, `fee` included"""
    fee: Money
    refunded: Money
    """what of the amount went back"""
    refunding: Money
    """what of it may have gone back: it is not known yet"""
    method: Method
    state: AttemptState
    brand: str | None
    last4: str | None
    """of the card or bank account"""
    account_type: str | None
    """of a bank account: checking or savings"""
    payer: str | None
    """of PayPal, masked"""
    transaction_id: str | None
    processor_code: str | None
    confirmation: str | None
    reason: str | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class PaidInvoice:
    """One invoice that a payment was meant for, and how it stands now."""

    number: str
    service_label: str
    """the line that it is for"""
    due_date: date
    amount: Money
    """of the payment, for this invoice"""
    applied: Money
    """what the payment paid of it: less if it was paid elsewhere meanwhile"""
    reopened: Money
    """what of that went back, so that it is owed again"""
    due: Money
    """still owed now"""


class StepKind(StrEnum):
    """What can happen to a payment."""

    OPENED = "opened"
    CHARGING = "charging"
    """it was sent to the gateway"""
    UNKNOWN = "unknown"
    """there was no answer"""
    CAPTURED = "captured"
    """by the gateway's clock"""
    DECLINED = "declined"
    FAILED = "failed"
    CANCELED = "canceled"
    FOUND_OUT = "found-out"
    """what had been unknown is known"""
    SETTLED = "settled"
    RETURNED = "returned"
    """its bank took the money back"""
    VOIDED_THERE = "voided-there"
    """at the gateway, and not by us"""
    REFUNDED_THERE = "refunded-there"
    TAKEN_AGAIN = "taken-again"
    """the gateway holds money for it that is not ours to keep"""
    SENT_BACK = "sent-back"
    """that money went back"""
    REFUND_ASKED = "refund-asked"
    REFUND_UNKNOWN = "refund-unknown"
    REFUND_DONE = "refund-done"
    REFUND_REFUSED = "refund-refused"


@dataclass(frozen=True, slots=True)
class Step:
    """One of them."""

    at: datetime
    kind: StepKind
    why: str | None
    refund: UUID | None
    """which refund it is a step of"""


@dataclass(frozen=True, slots=True)
class PaymentDetails:
    """One payment with everything around it."""

    payment: PaymentRecord
    by_link: bool
    """paid on the pay page"""
    needs_person: bool
    """the gateway's books do not settle what became of it"""
    invoices: tuple[PaidInvoice, ...]
    refunds: tuple[Refund, ...]
    """given back or asked for, the first first"""
    steps: tuple[Step, ...]
    """what happened, the first first"""
