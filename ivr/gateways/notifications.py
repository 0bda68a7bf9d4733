"""Braintree's webhooks: signed, and read by its own SDK."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from ivr.billing.payments import AttemptState
from ivr.billing.settling import Notification
from ivr.gateways.braintree import Braintree

# https://developer.paypal.com/braintree/docs/reference/general/webhooks/transaction/python
TELLS = {
    "transaction_settled": AttemptState.SETTLED,
    "transaction_settlement_declined": AttemptState.RETURNED,
}
"""A debit that its bank returns is told as declined, also after it was settled."""


RETURN_CODE = re.compile(r"R[0-9]{2}")
"""of Nacha"""


class BraintreeNotifications:
    """Those of one merchant."""

    def __init__(self, braintree: Braintree) -> None:
        """`braintree` is ours alone: strangers send webhooks, and must not keep charges waiting."""
        self._braintree = braintree

    async def read(self, signature: str, payload: str) -> Notification | None:
        """What is told; None if Braintree did not sign it. Raises GatewayNotReached: too many."""
        return await self._braintree.ask(lambda sdk: _read(sdk, signature, payload))


def _read(sdk: Any, signature: str, payload: str) -> Notification | None:
    try:
        told = sdk.webhook_notification.parse(signature, payload)
    except Exception:  # noqa: BLE001 - anybody may send anything; what cannot be read is not signed
        return None
    transaction = getattr(told, "transaction", None)
    is_sale = getattr(transaction, "type", "") == "sale"
    return Notification(
        digest=_letters(payload),
        kind=str(told.kind),
        happened_at=_when(told.timestamp),
        tells=TELLS.get(str(told.kind)) if is_sale else None,
        transaction_id=str(getattr(transaction, "id", None) or ""),
        order_id=str(getattr(transaction, "order_id", None) or "") if is_sale else "",
        reason=_return_code(transaction),
    )


def _return_code(transaction: Any) -> str:
    """Why a bank returned a debit, last; empty when none did."""
    responses = getattr(transaction, "ach_return_responses", None) or [None]
    last = responses[-1]
    code = str(last.get("reason_code") or "") if isinstance(last, dict) else ""
    return code if RETURN_CODE.fullmatch(code) else ""


def _letters(payload: str) -> str:
    """SHA-256 in the letters a to p: no search for card numbers stumbles over it."""
    digest = hashlib.sha256(payload.strip().encode()).digest()
    return "".join(chr(ord("a") + half) for byte in digest for half in divmod(byte, 16))


def _when(timestamp: object) -> datetime:
    if not isinstance(timestamp, datetime):
        return datetime.now(UTC)
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
