"""The outbox: what happened, kept in the commit in which it happened, to be told afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ivr.billing.messages import Message
from ivr.storage.pool import Database, Record, Session
from ivr.storage.rows import Page, page


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell."""

    id: int
    topic: str
    """webhook, text or mail"""
    kind: str
    """payment.captured, service.reactivated, …; receipt, pay-link, … for texts and mails"""
    attempt_id: UUID | None
    call_id: str | None
    payload: dict[str, Any]
    """payment, invoice, service by our ids, and what else is to be said"""
    created_at: datetime
    planned_at: datetime | None
    """when it was known to whom it goes"""


class PostgresEvents:
    """`billing.ports.Outbox`, and what is in it. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tell(self, *messages: Message) -> None:
        await self._database.change("tell", *_columns(messages))

    async def recent(
        self, before: int | None = None, limit: int = 50, call_id: str | None = None
    ) -> Page[Event]:
        """Events, newest first, older than the cursor `before`; of one call if given."""
        found = await self._database.rows("recent_events", before, call_id, limit + 1)
        return page(found, limit, "id", _event)


async def tell(session: Session, *messages: Message) -> None:
    """Keep messages in the commit of what they are about."""
    if messages:
        await session.run("tell", *_columns(messages))


def _columns(messages: Sequence[Message]) -> Iterator[list[Any]]:
    yield [message.topic for message in messages]
    yield [message.kind for message in messages]
    yield [message.attempt_id for message in messages]
    yield [message.call_id for message in messages]
    yield [json.dumps(dict(message.ids), default=str) for message in messages]
    yield [message.to for message in messages]
    yield [message.until for message in messages]


def _event(row: Record) -> Event:
    return Event(
        id=row["id"],
        topic=row["topic"],
        kind=row["kind"],
        attempt_id=row["attempt_id"],
        call_id=row["call_id"],
        payload=json.loads(row["payload"]),
        created_at=row["created_at"],
        planned_at=row["planned_at"],
    )
