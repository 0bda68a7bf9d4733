"""A delivery to send, as the database would give it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ivr.billing.messages import Channel, Delivery, Endpoint
from ivr.messaging.templates import SAMPLE

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""that of the specification's example"""
LINE = {
    "id": 7,
    "external_id": "C1042-1",
    "label": "James's mobile",
    "status": "active",
    "suspended_for": None,
}
FACTS: dict[str, Any] = {
    **{noun: SAMPLE[noun] for noun in ("payment", "invoices", "reactivated")},
    "customer": {"id": 1, "external_id": "C1042", "name": "James Smith", "language": "en"},
    "service": LINE,
    "message": {},
}


def delivery(channel: Channel, kind: str = "receipt", **changes: Any) -> Delivery:
    """One on its first try."""
    new = Delivery(
        id=11,
        event_id=5,
        channel=channel,
        target=str(channel),
        kind=kind,
        happened_at=datetime(2026, 11, 23, 5, 30, tzinfo=UTC),
        attempts=1,
        age_seconds=0.1,
        facts=FACTS,
    )
    return replace(new, **changes)


def to(url: str, secret: str = SECRET, previous: str | None = None) -> Delivery:
    """A webhook of a line that came back."""
    endpoint = Endpoint(UUID(int=3), url, secret, previous)
    return delivery(Channel.WEBHOOK, "service.reactivated", endpoint=endpoint)
