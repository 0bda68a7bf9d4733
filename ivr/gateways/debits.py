"""A bank account charged by GraphQL, in the shape in which the SDK answers sales.

The SDK's own `sale` has no standard entry class code, and TEL is what tells the bank that its
customer agreed by telephone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from ivr.billing.errors import OutcomeUnknown
from ivr.gateways.errors import ValidationRefused
from ivr.gateways.outcomes import graphql_data

BY_TELEPHONE = "TEL"
"""the standard entry class code of Nacha"""
IS_DEBIT = "us_bank_account"
"""the part of a sale that makes it a debit"""

# https://developer.paypal.com/braintree/graphql/reference/types/charge-us-bank-account-input
DOCUMENT = """
mutation Debit($input: ChargeUsBankAccountInput!) {
  chargeUsBankAccount(input: $input) {
    transaction {
      legacyId status orderId createdAt amount { value }
      statusHistory {
        ... on AuthorizedEvent { processorResponse { legacyCode message } }
        ... on ProcessorDeclinedEvent { declineType processorResponse { legacyCode message } }
        ... on GatewayRejectedEvent {
          gatewayRejectionReason processorResponse { legacyCode message }
        }
      }
    }
  }
}
"""


def debit(sdk: Any, sale: Mapping[str, Any], request_key: str | None) -> SimpleNamespace:
    """What came of it: a `transaction`, or `errors` of validation, as from `transaction.sale`.

    A transaction that is there was made, whatever errors are beside it. Raises OutcomeUnknown:
    the errors do not say that nothing was done.
    """
    answer = sdk.graphql_client.query(DOCUMENT, _variables(sale, request_key))
    data = answer.get("data") or {}
    found = (data.get("chargeUsBankAccount") or {}).get("transaction")
    if found:
        return SimpleNamespace(transaction=_transaction(found), errors=None)
    if not _is_undone(answer):
        raise OutcomeUnknown("the gateway's errors do not say whether the account was debited")
    try:
        graphql_data(answer)
    except ValidationRefused as refused:
        faults = [
            SimpleNamespace(code=fault.code, attribute=fault.field, message=fault.message)
            for fault in refused.faults
        ]
        return SimpleNamespace(transaction=None, errors=SimpleNamespace(deep_errors=faults))
    return SimpleNamespace(transaction=None, errors=None)


def _is_undone(answer: Mapping[str, Any]) -> bool:
    """Whether errors are all of the request: of its fields, or it was not even begun.

    What was begun has `data`, if only null (https://spec.graphql.org/October2021/#sec-Data).
    """
    errors = answer.get("errors") or ()
    kinds = {(error.get("extensions") or {}).get("errorClass") for error in errors}
    return "data" not in answer or kinds <= {"VALIDATION"}


def _variables(sale: Mapping[str, Any], request_key: str | None) -> dict[str, Any]:
    mandate = sale[IS_DEBIT]
    options = {"standardEntryClassCode": BY_TELEPHONE}
    if mandate["ach_mandate_accepted_at"] is not None:
        options |= {
            "achMandate": mandate["ach_mandate_text"],
            "achMandateAcceptedAt": mandate["ach_mandate_accepted_at"],
        }
    wanted = {
        "paymentMethodId": sale["payment_method_token"],
        "options": options,
        "transaction": {
            "amount": sale["amount"],
            "orderId": sale["order_id"],
            "merchantAccountId": sale["merchant_account_id"],
        },
    }
    return {"input": wanted if request_key is None else {**wanted, "apiRequestKey": request_key}}


def _transaction(found: Mapping[str, Any]) -> SimpleNamespace:
    events = [event for event in found.get("statusHistory") or () if event]
    responses = [event["processorResponse"] for event in events if event.get("processorResponse")]
    response = responses[-1] if responses else {}
    decline = _first(events, "declineType")
    return SimpleNamespace(
        id=found.get("legacyId"),
        type="sale",
        status=str(found.get("status")).lower(),
        order_id=found.get("orderId"),
        amount=(found.get("amount") or {}).get("value"),
        created_at=_when(found.get("createdAt")),
        processor_response_code=response.get("legacyCode"),
        processor_response_text=response.get("message"),
        processor_response_type=f"{decline.lower()}_declined" if decline else "",
        gateway_rejection_reason=_first(events, "gatewayRejectionReason").lower(),
    )


def _first(events: list[Mapping[str, Any]], name: str) -> str:
    return next((str(event[name]) for event in events if event.get(name)), "")


def _when(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
