"""The stand-in's answers in Braintree's shapes: a transaction, a refusal, a page of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ivr.gateways.test_cards import Brand
from ivr.lab.gateway_ledger import Token, Transaction
from ivr.lab.gateway_wire import Items, Symbol, document

PAGE_SIZE = 50
OK, CREATED, UNPROCESSABLE = 200, 201, 422
NOT_TAKEN = ("processor_declined", "failed", "gateway_rejected")


class Refused(Exception):
    """A validation error; its text is the code."""


CARD_TYPES = {
    Brand.VISA: "Visa",
    Brand.MASTERCARD: "MasterCard",
    Brand.AMEX: "American Express",
    Brand.DISCOVER: "Discover",
    Brand.DINERS: "Discover",  # Braintree processes Diners Club cards as Discover
    Brand.JCB: "JCB",
    Brand.MAESTRO: "Maestro",
    Brand.UNIONPAY: "UnionPay",
}

REFUSALS = {
    "81502": ("amount", "Amount is required."),
    "81503": ("amount", "Amount is an invalid format."),
    "81531": ("amount", "Amount must be greater than zero."),
    "91501": ("order_id", "Order ID is too long."),
    "91504": ("base", "Transaction can only be voided if its status allows it."),
    "91506": ("base", "Cannot refund a transaction unless it is settled."),
    "91507": ("base", "Cannot submit for settlement unless status is authorized."),
    "91508": ("base", "Cannot determine payment method."),
    "91510": ("customer_id", "Customer ID is invalid."),
    "91512": ("base", "Transaction has already been completely refunded."),
    "91513": ("merchant_account_id", "Merchant account ID is invalid."),
    "91518": ("payment_method_token", "Payment method token is invalid."),
    "91521": ("amount", "Refund amount is too large."),
    "91558": ("base", "Merchant account does not support MOTO."),
    "91564": ("payment_method_nonce", "Cannot use a payment_method_nonce more than once."),
    "91565": ("payment_method_nonce", "Unknown or expired payment_method_nonce."),
    "91609": ("id", "Customer ID has already been taken."),
    "91610": ("id", "Customer ID is invalid."),
    "915133": ("transaction_source", "Transaction source is invalid."),
    "915230": ("api_request_key", "API request key is too long."),
    "915231": ("api_request_key", "API request key is not allowed."),
    "915232": ("api_request_key", "API request key was used with another request."),
    "915233": ("api_request_key", "A request with this API request key is in flight."),
    "915234": ("api_request_key", "API request key was used with a failed request."),
}
"""Validation error code → attribute and message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: str = ""


NOT_FOUND = Answer(404)


def transaction(of: Transaction, status: int = OK) -> Answer:
    """One transaction; a sale that was refused comes as an error, as it does from Braintree."""
    if of.type == "sale" and status == CREATED and of.status in NOT_TAKEN:
        message = f"Gateway Rejected: {of.rejection}" if of.rejection else of.processor_text
        return _error({"errors": Items(())}, message, {"transaction": _fields(of)})
    return Answer(status, document("transaction", _fields(of)))


def refusal(code: str, of: str = "transaction") -> Answer:
    """One validation error."""
    attribute, message = REFUSALS[code]
    error = {"code": code, "attribute": Symbol(attribute), "message": message}
    errors = {"errors": Items(()), of: {"errors": Items((("error", error),))}}
    return _error(errors, message, {})


def found_ids(transactions: Sequence[Transaction]) -> Answer:
    """The first answer of a search."""
    ids = Items(tuple(("item", each.id) for each in transactions))
    return Answer(OK, document("search-results", {"page-size": PAGE_SIZE, "ids": ids}))


def page(transactions: Sequence[Transaction]) -> Answer:
    """The second answer of a search."""
    children = (
        ("current-page-number", 1),
        ("page-size", PAGE_SIZE),
        ("total-items", len(transactions)),
        *(("transaction", _fields(each)) for each in transactions),
    )
    return Answer(OK, document("credit-card-transactions", Items(children, "collection")))


def notification(kind: str, of: Transaction, at: datetime) -> str:
    """What a webhook tells of a transaction."""
    subject = {"transaction": _fields(of)}
    return document("notification", {"timestamp": at, "kind": kind, "subject": subject})


def _error(errors: dict[str, Any], message: str, more: dict[str, Any]) -> Answer:
    body = {"errors": errors, "params": {}, "message": message, **more}
    return Answer(UNPROCESSABLE, document("api-error-response", body))


def _fields(of: Transaction) -> dict[str, Any]:
    token = of.token
    extra = "" if of.processor_type == "approved" else f"{of.processor_code} : {of.processor_text}"
    return {
        "id": of.id,
        "status": of.status,
        "type": of.type,
        "currency-iso-code": of.currency,
        "amount": of.amount,
        "merchant-account-id": of.merchant_account_id,
        "order-id": of.order_id,
        "created-at": of.created,
        "updated-at": datetime.fromisoformat(of.updated_at),
        "avs-error-response-code": token.avs_error or None,
        "avs-postal-code-response-code": token.postal_code,
        "avs-street-address-response-code": token.street,
        "cvv-response-code": token.cvv,
        "gateway-rejection-reason": of.rejection or None,
        "processor-response-code": of.processor_code,
        "processor-response-text": of.processor_text,
        "processor-response-type": of.processor_type or None,
        "additional-processor-response": extra if of.processor_code else None,
        **_instrument(of),
        "refunded-transaction-id": of.refund_of or None,
        "ach-return-responses": Items(_returns(of)),
        "customer": {"id": of.customer_id or None},
        "status-history": Items(()),
    }


def _returns(of: Transaction) -> tuple[tuple[str, Any], ...]:
    """Of a debit that its bank returned."""
    if of.status != "settlement_declined" or not of.token.account_type:
        return ()
    at = datetime.fromisoformat(of.updated_at)
    return (("ach-return-response", {"created-at": at, "reason-code": of.processor_code}),)


def _instrument(of: Transaction) -> dict[str, Any]:
    if of.token.payer:
        paypal = {"token": None, "payer-email": of.token.payer}
        return {"payment-instrument-type": "paypal_account", "paypal": paypal}
    if of.token.account_type:
        account = {"token": of.vault_token or None, **bank_account(of.token)}
        return {"payment-instrument-type": "us_bank_account", "us-bank-account": account}
    return {"payment-instrument-type": "credit_card", "credit-card": _card(of)}


def bank_account(token: Token) -> dict[str, Any]:
    """What is shown of an account; nobody learns its numbers."""
    return {"last-4": token.last4, "account-type": token.account_type}


def _card(of: Transaction) -> dict[str, Any]:
    return {
        "token": of.vault_token or None,
        "bin": of.token.bin,
        "last-4": of.token.last4,
        "card-type": CARD_TYPES[Brand(of.token.brand)],
        "expiration-month": of.token.expires[:2],
        "expiration-year": of.token.expires[2:],
    }
