"""Braintree's codes and states, sorted."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from ivr.billing.errors import GatewayNotReached, GatewayRefused, OutcomeUnknown
from ivr.billing.payments import Captured, DeclineBucket, Refusal
from ivr.gateways.declines import bucket, is_hard, rejection_bucket
from ivr.gateways.errors import without_digits
from ivr.gateways.outcomes import best_of, from_exception, graphql_data, outcome_of
from ivr.gateways.sdk import exceptions


def transaction(status: str, **more: Any) -> Any:
    created = datetime(2026, 11, 1, 12)  # noqa: DTZ001 - the SDK gives UTC without saying so
    fields = {"id": "t1", "type": "sale", "status": status, "created_at": created, **more}
    return SimpleNamespace(**fields)


@pytest.mark.parametrize(
    "status",
    [
        "submitted_for_settlement",
        "settling",
        "settlement_pending",
        "settlement_confirmed",
        "settled",
    ],
)
def test_money_on_its_way_is_captured(status: str) -> None:
    outcome = outcome_of(transaction(status, processor_response_code="1000"))
    assert outcome == Captured("t1", "1000", datetime(2026, 11, 1, 12, tzinfo=UTC))


@pytest.mark.parametrize("status", ["authorizing", "authorized", "a status of next year"])
def test_a_state_that_decides_nothing_is_unknown(status: str) -> None:
    with pytest.raises(OutcomeUnknown, match=status):
        outcome_of(transaction(status))


@pytest.mark.parametrize(
    "status", ["voided", "authorization_expired", "settlement_declined", "settlement_failed"]
)
def test_money_given_back_is_a_refusal(status: str) -> None:
    outcome = outcome_of(transaction(status))
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.transaction_id) == (status, "t1")


def test_of_several_sales_of_one_order_the_taken_one_counts() -> None:
    refused = transaction("processor_declined", processor_response_code="2001")
    sales = [refused, transaction("authorizing"), transaction("settled"), refused]
    assert isinstance(best_of(sales), Captured)
    with pytest.raises(OutcomeUnknown):
        best_of(sales[:2])
    assert isinstance(best_of([refused]), Refusal)
    assert best_of([]) is None
    assert best_of([transaction("settled", type="credit")]) is None


@pytest.mark.parametrize(
    ("code", "kind", "expected"),
    [
        ("2000", "soft_declined", DeclineBucket.SOFT),
        ("2001", "", DeclineBucket.SOFT),
        ("2004", "", DeclineBucket.HARD),
        ("2005", "hard_declined", DeclineBucket.FIX),
        ("2006", "hard_declined", DeclineBucket.FIX),
        ("2010", "", DeclineBucket.FIX),
        ("2014", "", DeclineBucket.HARD),
        ("2038", "hard_declined", DeclineBucket.HARD),
        ("2108", "", DeclineBucket.HARD),
        ("2109", "", DeclineBucket.SOFT),
        ("2999", "", DeclineBucket.SOFT),
        ("3000", "", DeclineBucket.SOFT),
        ("", "", DeclineBucket.SOFT),
    ],
)
def test_each_code_has_its_bucket(code: str, kind: str, expected: DeclineBucket) -> None:
    assert bucket(code, kind) is expected


def test_a_wrong_code_beside_a_decline_may_be_mended_unless_it_is_hard() -> None:
    assert bucket("2000", "soft_declined", cvv="N") is DeclineBucket.FIX
    assert bucket("2000", "soft_declined", postal_code="N") is DeclineBucket.FIX
    assert bucket("2000", "soft_declined", cvv="M", postal_code="I") is DeclineBucket.SOFT
    assert bucket("2014", "hard_declined", cvv="N") is DeclineBucket.HARD


def test_a_rejection_for_fraud_is_never_tried_again() -> None:
    assert rejection_bucket("fraud") is DeclineBucket.HARD
    assert rejection_bucket("cvv") is DeclineBucket.FIX
    assert rejection_bucket("a reason of next year") is DeclineBucket.SOFT


def test_a_code_that_is_no_number_is_not_hard() -> None:
    assert not is_hard("")
    assert not is_hard("20١4")


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (exceptions.AuthenticationError(), GatewayRefused),
        (exceptions.AuthorizationError("no"), GatewayRefused),
        (exceptions.NotFoundError(), GatewayRefused),
        (exceptions.UpgradeRequiredError(), GatewayRefused),
        (exceptions.TooManyRequestsError(), GatewayNotReached),
        (exceptions.ServerError(), OutcomeUnknown),
        (exceptions.ServiceUnavailableError(), OutcomeUnknown),
        (exceptions.GatewayTimeoutError(), OutcomeUnknown),
        (exceptions.RequestTimeoutError(), OutcomeUnknown),
        (exceptions.UnexpectedError("x"), OutcomeUnknown),
        (KeyError("x"), OutcomeUnknown),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_every_error_of_the_sdk_says_what_is_certain(error: Exception, ours: type) -> None:
    assert type(from_exception(error)) is ours


def test_an_echo_of_the_card_in_a_message_is_masked() -> None:
    assert "4" not in without_digits("Variable 'number' has an invalid value: 4111-1111")
    assert len(without_digits("x" * 5000)) <= 200


@pytest.mark.parametrize("answer", [None, {}, {"data": None}, [], "no"])
def test_an_answer_without_data_and_without_errors_is_unknown(answer: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        graphql_data(answer)


def test_errors_win_over_data_beside_them() -> None:
    with pytest.raises(GatewayRefused, match="not understood"):
        graphql_data({"data": {"x": 1}, "errors": [{"message": "coerced Null value"}]})
