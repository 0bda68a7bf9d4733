"""What Braintree's answers mean for the money: taken, refused, or not known.

| answer                                                        | becomes                     |
|---------------------------------------------------------------|-----------------------------|
| submitted for settlement, settling, settled                   | Captured                    |
| processor declined, failed, gateway rejected, voided, expired | Refusal                     |
| rejected as a duplicate, token already used                   | what the search finds, else |
|                                                               | OutcomeUnknown              |
| request key in flight, used otherwise or failed (91523x)      | OutcomeUnknown              |
| any other validation error                                    | ValidationRefused           |
| 401, 403, 404, 426                                            | GatewayRefused              |
| 429, connection refused, no such host, connect time-out       | GatewayNotReached           |
| 408, 5xx, read time-out, reset, an answer we cannot read      | OutcomeUnknown              |
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ivr.billing.errors import GatewayError, GatewayNotReached, GatewayRefused, OutcomeUnknown
from ivr.billing.payments import Captured, DeclineBucket, Refusal
from ivr.gateways.declines import FUNDS_CODES, bucket, rejection_bucket
from ivr.gateways.errors import Fault, ValidationRefused, without_digits
from ivr.gateways.sdk import ErrorCodes, exceptions
from ivr.gateways.vault import in_vault

KEY_NOT_ALLOWED: str = ErrorCodes.Transaction.ApiRequestKeyNotAllowed
TOKEN_USED: str = ErrorCodes.Transaction.PaymentMethodNonceConsumed
KEY_UNSURE = frozenset(
    {
        ErrorCodes.Transaction.ApiRequestKeyCanBeReusedOnlyWithTheSameRequest,
        ErrorCodes.Transaction.ApiRequestKeyIsInFlight,
        ErrorCodes.Transaction.ApiRequestKeyWithFailedRequest,
        ErrorCodes.Transaction.ApiRequestKeyServerError,
    }
)
"""An earlier request with the same key exists, and what became of it is not said."""

ADVICE = {
    ErrorCodes.Transaction.MerchantAccountIdIsInvalid: "Check braintree.merchant_accounts.",
    ErrorCodes.Transaction.MerchantAccountIsSuspended: "Ask Braintree about this merchant account.",
    ErrorCodes.Transaction.MerchantAccountDoesNotSupportMOTO: "Ask Braintree to allow telephone"
    " orders (MOTO) on this merchant account.",
    ErrorCodes.Transaction.ProcessorDoesNotSupportMotoForCardType: "Ask Braintree to allow"
    " telephone orders (MOTO) for this card brand.",
}

TAKEN = {
    "submitted_for_settlement",
    "settling",
    "settlement_confirmed",
    "settlement_pending",
    "settled",
}
GIVEN_BACK = {"voided", "authorization_expired", "settlement_declined", "settlement_failed"}

TURNED_AWAY: tuple[tuple[type[Exception], GatewayError], ...] = (
    (
        exceptions.AuthenticationError,
        GatewayRefused(
            "the gateway refused our keys: check braintree.environment, public_key and private_key"
        ),
    ),
    (
        exceptions.AuthorizationError,
        GatewayRefused("these keys may not do this: give their user the role in the gateway"),
    ),
    (
        exceptions.NotFoundError,
        GatewayRefused("the gateway knows no such merchant: check braintree.merchant_id"),
    ),
    (
        exceptions.UpgradeRequiredError,
        GatewayRefused("the gateway wants a newer braintree package: upgrade it"),
    ),
    (
        exceptions.TooManyRequestsError,
        GatewayNotReached("the gateway turned the request away: too many at once"),
    ),
)
"""What the SDK raises for a request that was refused before anything was done with it."""


def outcome_of(transaction: Any) -> Captured | Refusal:
    """What one transaction, as the SDK gives it, means for the money.

    Raises:
        OutcomeUnknown: it is neither taken nor refused (yet), such as `authorizing`.
    """
    status = str(transaction.status)
    if status in TAKEN:
        return Captured(
            transaction.id,
            _text(transaction, "processor_response_code"),
            _when(transaction),
            in_vault(transaction),
        )
    if status in ("processor_declined", "failed"):
        return _declined(transaction)
    if status == "gateway_rejected":
        reason = _text(transaction, "gateway_rejection_reason") or status
        text = f"Gateway rejected: {reason}"
        return Refusal(reason, text, rejection_bucket(reason), transaction.id)
    if status in GIVEN_BACK:
        return Refusal(status, status.replace("_", " "), DeclineBucket.SOFT, transaction.id)
    raise OutcomeUnknown(f"the gateway's transaction {transaction.id} is still {status}")


def best_of(transactions: Iterable[Any]) -> Captured | Refusal | None:
    """The one outcome of all sales of one order: taken beats not known beats refused.

    Raises:
        OutcomeUnknown: none is taken and one is not settled either way.
    """
    refusal: Refusal | None = None
    unknown: OutcomeUnknown | None = None
    for transaction in transactions:
        if transaction.type != "sale":
            continue
        try:
            outcome = outcome_of(transaction)
        except OutcomeUnknown as error:
            unknown = error
            continue
        if isinstance(outcome, Captured):
            return outcome
        refusal = outcome
    if unknown is not None:
        raise unknown
    return refusal


def is_duplicate(transaction: Any) -> bool:
    """Rejected because an equal sale was accepted within the duplicate-checking window."""
    return _text(transaction, "gateway_rejection_reason") == "duplicate"


def codes_of(result: Any) -> frozenset[str]:
    """The codes of an XML answer's validation errors; none if it has none."""
    errors = getattr(result, "errors", None)
    return frozenset(str(error.code) for error in errors.deep_errors) if errors else frozenset()


def validation_refused(errors: Iterable[Any]) -> ValidationRefused:
    """The error for an XML answer's validation errors."""
    faults = tuple(
        Fault(str(error.code), without_digits(error.attribute), without_digits(error.message))
        for error in errors
    )
    advice = next((ADVICE[fault.code] for fault in faults if fault.code in ADVICE), "")
    return ValidationRefused(faults, advice)


def graphql_data(response: Any) -> dict[str, Any]:
    """The `data` of a GraphQL answer.

    Raises:
        ValidationRefused: there are errors.
        OutcomeUnknown: there is neither data nor an error.
    """
    errors = response.get("errors") if isinstance(response, dict) else None
    if errors:
        raise ValidationRefused(tuple(map(_graphql_fault, errors)))
    data = response.get("data") if isinstance(response, dict) else None
    if not isinstance(data, dict):
        raise OutcomeUnknown("the gateway's answer was not understood (no data)")
    return data


def from_exception(error: Exception) -> GatewayError:
    """Our error for one the SDK raised; it carries nothing of the request."""
    if isinstance(error, GatewayError):
        return error
    for kind, ours in TURNED_AWAY:
        if isinstance(error, kind):
            return type(ours)(*ours.args)
    return OutcomeUnknown(
        f"the gateway's answer does not say what became of it ({type(error).__name__})"
    )


def _declined(transaction: Any) -> Refusal:
    code = _text(transaction, "processor_response_code")
    return Refusal(
        code,
        without_digits(_text(transaction, "processor_response_text")),
        bucket(
            code,
            _text(transaction, "processor_response_type"),
            cvv=_text(transaction, "cvv_response_code"),
            postal_code=_text(transaction, "avs_postal_code_response_code"),
        ),
        transaction.id,
        about_funds=code in FUNDS_CODES,
    )


def _graphql_fault(error: Any) -> Fault:
    extensions = error.get("extensions") or {}
    field = ".".join(map(str, extensions.get("inputPath") or ()))
    kind = str(extensions.get("errorClass") or "request not understood")
    message = f"{kind}: {without_digits(error.get('message', ''))}"
    return Fault(str(extensions.get("legacyCode") or ""), without_digits(field), message)


def _text(transaction: Any, name: str) -> str:
    return str(getattr(transaction, name, None) or "")


def _when(transaction: Any) -> datetime:
    created = getattr(transaction, "created_at", None)
    if not isinstance(created, datetime):
        return datetime.now(UTC)
    return created if created.tzinfo else created.replace(tzinfo=UTC)
