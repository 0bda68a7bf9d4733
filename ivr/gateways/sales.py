"""What a sale says of the means of payment, in the words of Braintree's transactions."""

from __future__ import annotations

from typing import Any

from ivr.billing.payments import (
    BankAccountOnHand,
    CardOnFile,
    CardOnHand,
    KeepCard,
    MeansOnHand,
    PayPalOnHand,
)
from ivr.gateways.debits import IS_DEBIT

BY_TELEPHONE = {"transaction_source": "moto"}
"""A telephone order, also with a card on file
(https://developer.paypal.com/braintree/graphql/reference/types/payment-initiator)."""


def charged_with(means: MeansOnHand, keep: KeepCard | None) -> dict[str, Any]:
    """The part of a sale that names what is charged and how.

    A single-use payment method of GraphQL is what the SDKs call a nonce
    (https://developer.paypal.com/braintree/docs/guides/payment-method-nonces/).
    """
    options: dict[str, Any] = {"submit_for_settlement": True}
    named: dict[str, Any]
    match means:
        case CardOnHand():
            named = {"payment_method_nonce": means.token}
            if means.by_telephone:
                named |= BY_TELEPHONE
            if keep is not None:
                options["store_in_vault_on_success"] = True
                named["customer_id"] = keep.customer_ref
        case CardOnFile():
            named = {"payment_method_token": means.token, **BY_TELEPHONE}
        case BankAccountOnHand():
            agreed_at = means.agreed_at.isoformat() if means.agreed_at else None
            agreed = {
                "ach_mandate_text": means.mandate,
                "ach_mandate_accepted_at": agreed_at,
            }
            named = {"payment_method_token": means.token, IS_DEBIT: agreed}
        case PayPalOnHand():
            named = {"payment_method_nonce": means.token}
    return {**named, "options": options}
