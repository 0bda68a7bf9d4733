"""The outbox: what happened, kept in the commit in which it happened, to be told afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ivr.storage.pool import Database, Record
from ivr.storage.rows import Page, page


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell."""

    id: int
    topic: str
    """webhook or text"""
    kind: str
    """payment.captured, invoice.paid, invoice.part-paid, service.reactivated,
    payment.not-applied; receipt for topic text"""
    attempt_id: UUID | None
    call_id: str | None
    payload: dict[str, Any]
    """ids only: payment, invoice, service"""
    created_at: datetime
    delivered_at: datetime | None


class PostgresEvents:
    """Reads the outbox and ticks it off. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, topic: str, limit: int = 100) -> list[Event]:
        """The oldest events of a topic that nobody has delivered yet."""
        return [_event(row) for row in await self._database.rows("events_waiting", topic, limit)]

    async def delivered(self, event_id: int) -> None:
        """Tick one off; again changes nothing."""
        await self._database.change("event_delivered", event_id)

    async def recent(
        self, before: int | None = None, limit: int = 50, call_id: str | None = None
    ) -> Page[Event]:
        """Events, newest first, older than the cursor `before`; of one call if given."""
        found = await self._database.rows("recent_events", before, call_id, limit + 1)
        return page(found, limit, "id", _event)


def _event(row: Record) -> Event:
    return Event(
        id=row["id"],
        topic=row["topic"],
        kind=row["kind"],
        attempt_id=row["attempt_id"],
        call_id=row["call_id"],
        payload=json.loads(row["payload"]),
        created_at=row["created_at"],
        delivered_at=row["delivered_at"],
    )
