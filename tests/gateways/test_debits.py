"""Debits whose answer has errors beside what was done, or in place of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ivr.billing.errors import OutcomeUnknown
from ivr.billing.payments import Captured
from ivr.gateways.debits import IS_DEBIT, debit
from ivr.gateways.outcomes import codes_of, outcome_of

SALE = {
    "amount": "42.50",
    "order_id": "saldo-1",
    "merchant_account_id": "saldo_usd",
    "payment_method_token": "token",
    IS_DEBIT: {"ach_mandate_text": "I agree", "ach_mandate_accepted_at": None},
}
MADE = {
    "legacyId": "tx1",
    "status": "SETTLEMENT_PENDING",
    "orderId": "saldo-1",
    "createdAt": "2026-11-23T12:00:00Z",
    "amount": {"value": "42.50"},
}
HIDDEN = {"message": "you may not see this", "path": ["chargeUsBankAccount", "transaction"]}
NO_AMOUNT = {
    "message": "amount",
    "extensions": {"errorClass": "VALIDATION", "legacyCode": "81503"},
}


def debited(answer: dict[str, Any]) -> SimpleNamespace:
    sdk = SimpleNamespace(graphql_client=SimpleNamespace(query=lambda *_: answer))
    return debit(sdk, SALE, "key")


@pytest.mark.parametrize("history", [None, [], [None]])
def test_a_debit_that_was_made_is_made_though_a_part_of_the_answer_failed(history: Any) -> None:
    transaction = {**MADE, "statusHistory": history}
    answer = {"data": {"chargeUsBankAccount": {"transaction": transaction}}, "errors": [HIDDEN]}
    outcome = outcome_of(debited(answer).transaction)
    assert isinstance(outcome, Captured)
    assert outcome.transaction_id == "tx1"


def test_an_error_after_the_debit_was_begun_does_not_say_that_nothing_was_taken() -> None:
    with pytest.raises(OutcomeUnknown):
        debited({"data": None, "errors": [HIDDEN]})
    with pytest.raises(OutcomeUnknown):
        debited({"data": {"chargeUsBankAccount": None}, "errors": [NO_AMOUNT, HIDDEN]})


def test_what_is_wrong_with_the_request_was_not_debited() -> None:
    refused = debited({"data": {"chargeUsBankAccount": None}, "errors": [NO_AMOUNT]})
    assert refused.transaction is None
    assert codes_of(refused) == {"81503"}
    never_begun = debited({"errors": [{"message": "Field 'x' is undefined"}]})
    assert len(never_begun.errors.deep_errors) == 1
