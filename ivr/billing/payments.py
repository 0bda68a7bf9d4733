"""One attempt to pay, its states, and how each ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from ivr.billing.methods import Method
from ivr.billing.money import Money


class AttemptState(StrEnum):
    """Money may have moved in CHARGING and UNKNOWN, and did in CAPTURED and all that follows it."""

    CREATED = "created"
    CHARGING = "charging"
    CAPTURED = "captured"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CANCELED = "canceled"
    """given up before anything was sent to the gateway"""
    SETTLED = "settled"
    """the money is the company's"""
    VOIDED = "voided"
    """taken back before it was settled"""
    REFUNDED = "refunded"
    """given back in full; in part, an attempt stays captured or settled"""
    RETURNED = "returned"
    """the bank took it back, as it may with bank accounts"""


TRANSITIONS: dict[AttemptState, frozenset[AttemptState]] = {
    AttemptState.CREATED: frozenset({AttemptState.CHARGING, AttemptState.CANCELED}),
    AttemptState.CHARGING: frozenset(
        {AttemptState.CAPTURED, AttemptState.DECLINED, AttemptState.UNKNOWN, AttemptState.FAILED}
    ),
    AttemptState.UNKNOWN: frozenset(
        {AttemptState.CAPTURED, AttemptState.DECLINED, AttemptState.FAILED}
    ),
    AttemptState.CAPTURED: frozenset(
        {
            AttemptState.SETTLED,
            AttemptState.VOIDED,
            AttemptState.REFUNDED,
            AttemptState.RETURNED,
        }
    ),
    AttemptState.SETTLED: frozenset({AttemptState.REFUNDED, AttemptState.RETURNED}),
    AttemptState.REFUNDED: frozenset({AttemptState.RETURNED}),
}
"""From each state, where an attempt may go; states not named are the end. Declined from unknown:
the answer came late, after another process had given the attempt up, or by asking again. Returned
from refunded: the bank took back what had been given back."""


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
    by_telephone: bool = True
    """False: typed by its holder on the pay page"""
    card_hash: str = field(default="", repr=False)
    """of its number, with a key that only the secure process has; empty: typed on the pay page"""
    method: ClassVar[Method] = Method.CARD


@dataclass(frozen=True, slots=True)
class CardOnFile:
    """A card that the gateway keeps for a customer who agreed to that."""

    id: UUID
    """ours: what an attempt and a removal name"""
    brand: str
    last4: str
    expires: str
    """MMYY"""
    token: str = field(repr=False)
    """the gateway's vaulted payment method, good until it is removed"""
    method: ClassVar[Method] = Method.CARD_ON_FILE


@dataclass(frozen=True, slots=True)
class BankAccountOnHand:
    """A bank account that the gateway vaulted under the mandate of this payment."""

    last4: str
    account_type: str
    """checking or savings"""
    token: str = field(repr=False)
    """the gateway's vaulted payment method"""
    mandate: str = field(default="", repr=False)
    """the words in which its holder agreed to this debit"""
    agreed_at: datetime | None = None
    method: ClassVar[Method] = Method.BANK_ACCOUNT


@dataclass(frozen=True, slots=True)
class PayPalOnHand:
    """A PayPal payment that the payer approved."""

    payer: str
    """masked, as it may be shown: j…@example.com"""
    token: str = field(repr=False)
    """the gateway's single-use payment method"""
    method: ClassVar[Method] = Method.PAYPAL


MeansOnHand = CardOnHand | CardOnFile | BankAccountOnHand | PayPalOnHand
"""What can be charged now."""


@dataclass(frozen=True, slots=True)
class KeepCard:
    """The caller wants the card of this charge kept, if the charge succeeds."""

    customer_ref: str
    """what the gateway calls the customer: never the account number"""


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
    """all that is charged, the fee included"""
    allocations: tuple[Allocation, ...]
    """in sum the amount without the fee"""
    state: AttemptState
    fee: Money
    """zero where the company asks for none"""
    method: Method = Method.CARD


@dataclass(frozen=True, slots=True)
class Captured:
    """The gateway took the money."""

    transaction_id: str
    processor_code: str
    captured_at: datetime
    kept: CardOnFile | None = None
    """the card as the gateway has it in its vault, if it has"""


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
    about_funds: bool = False
    """a smaller amount may pass"""


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
    settles_later: bool = False
    """accepted, and settled by a bank days later, or returned"""
    lines_wait: bool = False
    """lines come back only when it is settled"""


@dataclass(frozen=True, slots=True)
class Declined:
    """Not charged; `bucket` says what to offer next."""

    bucket: DeclineBucket
    about_funds: bool = False
    """a smaller amount may pass"""


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


@dataclass(frozen=True, slots=True)
class OverLimit:
    """It was tried too often, or cards are not taken now: nothing was sent (limits.py)."""


PayResult = Paid | Declined | Unknown | NotCharged | PaidMeanwhile | BeingPaid | OverLimit


def confirmation_code(attempt_id: UUID) -> str:
    """Eight digits, easy to say and to note, always the same for one attempt."""
    return f"{attempt_id.int % 10**8:08d}"
