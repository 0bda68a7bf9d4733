"""The records of telephone calls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from ivr.billing.calls import CallArrived, CallEnded, CallOutcome
from ivr.billing.card_numbers import without_card_numbers
from ivr.storage.pool import Database, Record
from ivr.storage.rows import Page, page, storable


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call as it is kept; `ended` is None while it goes on or if its end was never written."""

    arrived: CallArrived
    ended: CallEnded | None


class PostgresCalls:
    """`billing.ports.Calls`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def arrived(self, call: CallArrived) -> None:
        await self._database.change(
            "call_arrived",
            call.id,
            storable(call.channel_id),
            storable(call.sip_call_id),
            None if call.caller is None else storable(call.caller),
            storable(call.dialled),
            call.node,
            call.at,
        )

    async def ended(self, call_id: str, ended: CallEnded) -> None:
        trail = [without_card_numbers(storable(step)) for step in ended.trail]
        await self._database.change(
            "call_ended",
            call_id,
            ended.outcome.value,
            ended.language,
            ended.customer_id,
            ended.at,
            json.dumps(trail, ensure_ascii=False),
        )

    async def abandoned(self, older_than_seconds: float) -> list[str]:
        """Calls that began longer ago than that and have no end get one; gives their ids.

        For calls whose process did not live to write it. The limit must be longer than the longest
        call, since other daemons may be holding theirs.
        """
        async with self._database.session() as session:
            rows = await session.rows("close_left_calls", older_than_seconds)
        return [row["id"] for row in rows]

    async def recent(
        self, before: int | None = None, limit: int = 50, sip_call_id: str | None = None
    ) -> Page[CallRecord]:
        """Calls, newest first, older than the cursor `before`; of one SIP Call-ID if given."""
        found = await self._database.rows("recent_calls", before, sip_call_id, limit + 1)
        return page(found, limit, "seq", _record)


def _record(row: Record) -> CallRecord:
    arrived = CallArrived(
        id=row["id"],
        channel_id=row["channel_id"],
        sip_call_id=row["sip_call_id"],
        caller=row["caller"],
        dialled=row["dialled"],
        node=row["node"],
        at=row["arrived_at"],
    )
    return CallRecord(arrived, _ended(row, row["ended_at"]))


def _ended(row: Record, at: datetime | None) -> CallEnded | None:
    if at is None:
        return None
    return CallEnded(
        outcome=CallOutcome(row["outcome"]),
        language=row["language"] or "",
        customer_id=row["customer_id"],
        at=at,
        trail=json.loads(row["trail"]),
    )
