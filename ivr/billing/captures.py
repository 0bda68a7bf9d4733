"""What the secure process is asked to collect, and what it gives back: never a digit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from ivr.billing.bank_accounts import AccountHolder, BankAccountKeyed
from ivr.billing.payments import CardOnHand


class CaptureField(StrEnum):
    """What can be collected, in the words of the capture contract (capture.md)."""

    CARD_NUMBER = "payment-card-number"
    EXPIRATION_DATE = "expiration-date"
    SECURITY_CODE = "security-code"
    POSTAL_CODE = "postal-code"
    ROUTING_NUMBER = "bank-routing-number"
    ACCOUNT_NUMBER = "bank-account-number"
    ACCOUNT_TYPE = "bank-account-type"
    HOLDER_KIND = "bank-account-holder"


class CaptureResult(StrEnum):
    """How a secure segment ends."""

    SUCCESS = "success"
    TOO_MANY_FAILED_ATTEMPTS = "too-many-failed-attempts"
    PAYMENT_CONNECTOR_ERROR = "payment-connector-error"
    CALLER_INTERRUPTED = "caller-interrupted"
    CALLER_HUNG_UP = "caller-hung-up"
    TRANSFERRED_TO_AGENT = "transferred-to-agent"
    CANCELED = "canceled"
    IN_DOUBT = "in-doubt"
    INTERNAL_ERROR = "internal-error"


class ErrorType(StrEnum):
    """Why a field was asked for again or given up."""

    INPUT_TIMEOUT = "input-timeout"
    INVALID_CARD_NUMBER = "invalid-card-number"
    INVALID_CARD_TYPE = "invalid-card-type"
    INVALID_DATE = "invalid-date"
    INVALID_SECURITY_CODE = "invalid-security-code"
    INVALID_POSTAL_CODE = "invalid-postal-code"
    INVALID_ROUTING_NUMBER = "invalid-bank-routing-number"
    INVALID_ACCOUNT_NUMBER = "invalid-bank-account-number"
    INPUT_MATCHING_FAILED = "input-matching-failed"
    INVALID_CHOICE = "invalid-choice"
    INTERNAL_ERROR = "internal-error"


CARD_FIELDS = (
    CaptureField.CARD_NUMBER,
    CaptureField.EXPIRATION_DATE,
    CaptureField.SECURITY_CODE,
)
ACCOUNT_ERRORS = (
    ErrorType.INVALID_ROUTING_NUMBER,
    ErrorType.INVALID_ACCOUNT_NUMBER,
    ErrorType.INPUT_MATCHING_FAILED,
    ErrorType.INVALID_CHOICE,
)
ACCOUNT_FIELDS = (
    CaptureField.ROUTING_NUMBER,
    CaptureField.ACCOUNT_NUMBER,
    CaptureField.ACCOUNT_TYPE,
    CaptureField.HOLDER_KIND,
)


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """One secure segment, as `saldo serve` asks for it."""

    id: UUID
    call_id: str
    language: str
    fields: tuple[CaptureField, ...] = CARD_FIELDS
    brands: tuple[str, ...] = ("visa", "mastercard", "amex", "discover")
    """accepted card brands"""
    slow: bool = False
    """doubles every timer"""
    holder: AccountHolder | None = None
    """whose bank account is asked for; None: a card is"""


@dataclass(frozen=True, slots=True)
class CaptureOutcome:
    """How it ended; a card or a bank account is there when and only when the result is SUCCESS."""

    result: CaptureResult
    card: CardOnHand | None = None
    error_type: ErrorType | None = None
    account: BankAccountKeyed | None = None
