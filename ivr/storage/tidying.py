"""Old rows deleted once a day, by one node, in batches that nobody has to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from ivr.storage.errors import QueryRefused
from ivr.storage.pool import Database, Session

KINDS = (
    "deliveries",
    "dead_letters",
    "events",
    "links",
    "captures",
    "notifications",
    "calls",
    "tries",
    "daemons",
)
"""What is tidied, in this order: an event goes after the last of its deliveries."""
AT_ONCE = 500
BATCH_SECONDS = 60.0
PAUSE_SECONDS = 0.05
"""between batches, so that calls have the database for themselves"""


@dataclass(frozen=True, slots=True)
class Tidied:
    """What one day's tidying came to."""

    deleted: dict[str, int] = field(default_factory=dict)
    """rows by kind; a kind of which nothing was old is not named"""
    refused: dict[str, str] = field(default_factory=dict)
    """kinds that the database did not let go, and why"""


class PostgresTidying:
    """Deletes what is old; any node may ask for it at any time."""

    def __init__(self, database: Database, *, at_once: int = AT_ONCE) -> None:
        self._database = database
        self._at_once = at_once

    async def tidy(self, day: date, days: Mapping[str, int]) -> Tidied | None:
        """Delete of each kind what is older than so many days; None when it is not ours to do.

        That is when another node is at it, or was on this day. A kind that `days` does not name is
        kept. What was deleted before a fault stays deleted, and the day is not over then.

        Raises LedgerUnavailable.
        """
        async with self._database.apart(BATCH_SECONDS) as session:
            lock = await session.row("lock_tidying")
            if not (lock and lock["is_ours"]) or await session.row("tidied", day):
                return None
            tidied = Tidied()
            for kind in KINDS:
                if kind in days:
                    await self._all_of(session, kind, days[kind], tidied)
            if not tidied.refused:
                await session.run("keep_tidying", day, sum(tidied.deleted.values()))
        return tidied

    async def _all_of(self, session: Session, kind: str, days: int, tidied: Tidied) -> None:
        came_to: datetime | None = None
        try:
            while row := await session.row(f"tidy_{kind}", days, came_to, self._at_once):
                if row["deleted"]:
                    tidied.deleted[kind] = tidied.deleted.get(kind, 0) + row["deleted"]
                came_to = row["came_to"]
                if came_to is None:
                    return
                await asyncio.sleep(PAUSE_SECONDS)
        except QueryRefused as error:
            tidied.refused[kind] = str(error)
