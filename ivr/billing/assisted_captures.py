"""A card taken while an agent talks with the caller, as it is at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from ivr.billing.captures import (
    CARD_FIELDS,
    CaptureField,
    CaptureOutcome,
    CaptureRequest,
    CaptureResult,
    ErrorType,
)
from ivr.billing.money import Money
from ivr.billing.payments import (
    Attempt,
    BeingPaid,
    CardOnHand,
    DeclineBucket,
    Declined,
    NotCharged,
    OverLimit,
    Paid,
    PaidMeanwhile,
    PayResult,
    Unknown,
)

NECESSARY = frozenset({CaptureField.CARD_NUMBER, CaptureField.EXPIRATION_DATE})
"""without these the gateway makes no token"""


@dataclass(frozen=True, slots=True)
class Leg:
    """One end of a talk: a channel of the PBX."""

    channel_id: str
    channel: str
    """the PBX's name of it, such as PJSIP/agent-00000002"""
    number: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """A caller and an agent who hear each other."""

    caller: Leg
    agent: Leg
    since: str = ""
    """when the caller's call began, ISO 8601"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for; `key` makes it safe to ask again."""

    key: str
    channel: str
    """id or name of the caller's channel"""
    agent_channel: str = ""
    """empty: the only other one in the caller's bridge"""
    account: str = ""
    """the customer's external id"""
    invoices: tuple[str, ...] = ()
    """the biller's numbers; paid with the card as soon as it is there"""
    amount: Money | None = None
    """a part of what is due on these, oldest first; None: all of it"""
    language: str = ""
    """empty: the customer's, else the company's"""
    fields: tuple[CaptureField, ...] = CARD_FIELDS


class FieldState(StrEnum):
    """How far a field is."""

    WAITING = "waiting"
    """nobody asked for it yet"""
    ASKED = "asked"
    ENTERING = "entering"
    GOOD = "good"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class FieldProgress:
    """One field, as anybody may see it."""

    state: FieldState = FieldState.WAITING
    masked: str = ""
    attempt: int = 0
    error_type: ErrorType | None = None


class CaptureStatus(StrEnum):
    """Where an assisted capture is."""

    OPENING = "opening"
    """the two channels are on their way into the secure part"""
    OPEN = "open"
    COMPLETE = "complete"
    CANCELED = "canceled"
    FAILED = "failed"


class PaymentStatus(StrEnum):
    """What became of the invoices."""

    WAITING = "waiting"
    """for the card"""
    CHARGING = "charging"
    PAID = "paid"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    """it may have been charged: do not charge again"""
    NOT_CHARGED = "not-charged"
    ALREADY_PAID = "already-paid"
    BEING_PAID = "being-paid"
    OVER_LIMIT = "over-limit"
    """tried too often, or cards are not taken now: not charged"""


@dataclass(frozen=True, slots=True)
class CardPayment:
    """The payment that a capture is for."""

    status: PaymentStatus
    amount: Money
    """all that is charged, `fee` included: the caller must be told both before they pay"""
    fee: Money
    confirmation: str | None = None
    """eight digits for the caller, once it is paid"""
    bucket: DeclineBucket | None = None
    """of a decline: what may follow"""

    def after(self, result: PayResult) -> CardPayment:
        """The same payment when the charge has ended."""
        return replace(
            self,
            status=AFTER[type(result)],
            confirmation=result.confirmation if isinstance(result, Paid) else None,
            bucket=result.bucket if isinstance(result, Declined) else None,
        )


AFTER: Mapping[type[PayResult], PaymentStatus] = {
    Paid: PaymentStatus.PAID,
    Declined: PaymentStatus.DECLINED,
    Unknown: PaymentStatus.UNKNOWN,
    NotCharged: PaymentStatus.NOT_CHARGED,
    PaidMeanwhile: PaymentStatus.ALREADY_PAID,
    BeingPaid: PaymentStatus.BEING_PAID,
    OverLimit: PaymentStatus.OVER_LIMIT,
}


ENDINGS = {
    CaptureResult.SUCCESS: CaptureStatus.COMPLETE,
    CaptureResult.CANCELED: CaptureStatus.CANCELED,
    CaptureResult.CALLER_INTERRUPTED: CaptureStatus.CANCELED,
}
"""every other result is a failure"""


@dataclass(frozen=True, slots=True)
class AssistedCapture:
    """One capture with an agent, as it is now."""

    request: CaptureRequest
    talk: Talk
    key: str
    digest: str
    """of what was asked for: the same key with another one is a mistake"""
    daemon: str
    """which `saldo serve` watches it, or its next run: its node and application name"""
    fields: Mapping[CaptureField, FieldProgress]
    is_open: bool = False
    """the secure process has shown that it has both channels"""
    outcome: CaptureOutcome | None = None
    attempt: Attempt | None = None
    payment: CardPayment | None = None

    @property
    def id(self) -> UUID:
        return self.request.id

    @property
    def status(self) -> CaptureStatus:
        """Where it is."""
        if self.outcome is not None:
            return ENDINGS.get(self.outcome.result, CaptureStatus.FAILED)
        return CaptureStatus.OPEN if self.is_open else CaptureStatus.OPENING

    @property
    def required(self) -> tuple[CaptureField, ...]:
        """The fields that are still to be good, in the order of the request."""
        if self.status is CaptureStatus.COMPLETE:
            return ()
        return tuple(
            field
            for field in self.request.fields
            if self.fields[field].state is not FieldState.GOOD
        )

    @property
    def card(self) -> CardOnHand | None:
        """What is known of the card; only when the capture is complete."""
        return self.outcome.card if self.outcome else None

    def with_field(self, field: CaptureField, progress: FieldProgress) -> AssistedCapture:
        """The same when a field went on; one that was not asked for changes nothing."""
        if field not in self.fields:
            return replace(self, is_open=True)
        return replace(self, is_open=True, fields={**self.fields, field: progress})


def untouched(fields: tuple[CaptureField, ...]) -> dict[CaptureField, FieldProgress]:
    """Every field before anybody asked for it."""
    return dict.fromkeys(fields, FieldProgress())
