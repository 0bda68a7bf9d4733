"""What became of a payment on the page, in the words that its script knows."""

from __future__ import annotations

from typing import Any

from ivr.billing.links import Bill, LinkAttempt
from ivr.billing.online_paying import (
    CardNotTaken,
    Changed,
    PayPalAway,
    Refused,
    Result,
    TooMany,
    Working,
)
from ivr.billing.payments import AttemptState, DeclineBucket, NotCharged
from ivr.web.pay_words import money

CANCELED = {"already-paid": "paid_meanwhile", "being-paid": "being_paid"}
"""why an attempt was canceled → what the page says"""
IN_A_WORD = {
    AttemptState.CREATED: "working",
    AttemptState.CHARGING: "working",
    AttemptState.UNKNOWN: "confirming",
    AttemptState.FAILED: "not_charged",
    AttemptState.VOIDED: "given_back",
    AttemptState.REFUNDED: "given_back",
    AttemptState.RETURNED: "returned",
}
"""state of an attempt → what the page says, where there is no more to say"""
WITHOUT_ATTEMPT: dict[type[Refused | Working], str] = {
    Changed: "changed",
    TooMany: "too_many",
    CardNotTaken: "card_not_taken",
    PayPalAway: "paypal_away",
    NotCharged: "not_charged",
    Working: "working",
}
"""what the page says when there is no attempt to tell of, or none can be read"""


def now(bill: Bill) -> str:
    """What the page shows of a bill when it is loaded: open, confirming or paid."""
    if bill.confirming:
        return "confirming"
    return "open" if bill.invoices else "paid"


def answer(result: Result, language: str) -> dict[str, Any]:
    """One result as JSON: its state, and what is to be shown with it."""
    if isinstance(result, LinkAttempt):
        return _of_attempt(result, language)
    return {"state": WITHOUT_ATTEMPT[type(result)]}


def _of_attempt(attempt: LinkAttempt, language: str) -> dict[str, Any]:
    match attempt.state:
        case AttemptState.DECLINED:
            return {"state": "declined", "advice": (attempt.bucket or DeclineBucket.SOFT).value}
        case AttemptState.CAPTURED | AttemptState.SETTLED:
            return {
                "state": "paid",
                "amount": money(attempt.amount, language),
                "confirmation": attempt.confirmation,
                "reactivated": [line.label for line in attempt.reactivated],
            }
        case AttemptState.CANCELED:
            return {"state": CANCELED.get(attempt.reason, "not_charged")}
        case state:
            return {"state": IN_A_WORD[state]}
