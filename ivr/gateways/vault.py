"""Braintree's vault: a customer of its own for each of ours, and the cards they left there."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from ivr.billing.errors import GatewayRefused
from ivr.billing.payments import CardOnFile
from ivr.gateways.sdk import ErrorCodes, exceptions

TOKEN_UNKNOWN: str = ErrorCodes.Transaction.PaymentMethodTokenIsInvalid
CUSTOMER_THERE: str = ErrorCodes.Customer.IdIsInUse
BRANDS = {
    "Visa": "visa",
    "MasterCard": "mastercard",
    "American Express": "amex",
    "Discover": "discover",
    "JCB": "jcb",
    "Maestro": "maestro",
    "UnionPay": "unionpay",
}
"""Braintree's names for people → our words"""


def card_id(token: str) -> UUID:
    """Our id of a vaulted card: the same whenever the gateway tells of it again."""
    return uuid5(NAMESPACE_URL, f"vaulted-card:{token}")


def in_vault(transaction: Any) -> CardOnFile | None:
    """The card of a transaction as the vault has it; None if it is not in there."""
    card = getattr(transaction, "credit_card_details", None)
    token = getattr(card, "token", None)
    if not token or not card:
        return None
    expires = f"{card.expiration_month or ''}{(card.expiration_year or '')[2:]}"
    brand = BRANDS.get(str(card.card_type), str(card.card_type).lower())
    return CardOnFile(card_id(token), brand, str(card.last_4), expires, token)


def ensure_customer(sdk: Any, customer_ref: str) -> None:
    """Return when the gateway has this customer. Raises GatewayRefused."""
    result = sdk.customer.create({"id": customer_ref})
    codes = (
        {str(error.code) for error in result.errors.deep_errors} if not result.is_success else ()
    )
    if not result.is_success and CUSTOMER_THERE not in codes:
        raise GatewayRefused(f"the gateway does not take a customer {sorted(codes)}")


def forget_card(sdk: Any, token: str) -> None:
    """Return when the vault has this card no more."""
    with contextlib.suppress(exceptions.NotFoundError):
        sdk.payment_method.delete(token)
