"""Attempts in doubt and stray money: what is due, who looks at it, and what was found."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from ivr.billing.card_numbers import without_card_numbers
from ivr.billing.doubts import Doubt, Stray, Undone
from ivr.storage.payments import read_attempt
from ivr.storage.pool import Database, Record
from ivr.storage.rows import storable

ABANDONED_SECONDS = 400.0
"""a charge older than this has no task any more: its requests to the gateway and its tries to be
written down are over"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What is left to find out or to give back."""

    unknown: int
    need_person: int
    strays: int


class PostgresDoubts:
    """`billing.ports.Doubts` for one daemon. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database, daemon: UUID) -> None:
        self._database = database
        self._daemon = daemon

    async def abandoned(self) -> list[UUID]:
        async with self._database.session() as session:
            rows = await session.rows("abandon_charges", ABANDONED_SECONDS)
        return [row["id"] for row in rows]

    async def claim(
        self, most: int, seconds: float, in_hand: Collection[UUID | str]
    ) -> list[Doubt]:
        ours = [key for key in in_hand if isinstance(key, UUID)]
        async with self._database.session() as session:
            rows = await session.rows("claim_doubts", self._daemon, most, seconds, ours)
        return [_doubt(row) for row in rows]

    async def put_off(self, looked: Doubt, pause_seconds: float, word: str) -> None:
        await self._database.change(
            "doubt_looked_at",
            looked.attempt.id,
            self._daemon,
            looked.looks,
            looked.misses,
            looked.empty,
            _shown(word),
            looked.needs_person,
            pause_seconds,
        )

    async def over(self, attempt_id: UUID) -> None:
        await self._database.change("doubt_is_over", attempt_id, self._daemon)

    async def claim_strays(
        self, most: int, seconds: float, in_hand: Collection[UUID | str]
    ) -> list[Stray]:
        ours = [key for key in in_hand if isinstance(key, str)]
        async with self._database.session() as session:
            rows = await session.rows("claim_strays", self._daemon, most, seconds, ours)
        return [_stray(row) for row in rows]

    async def undone(self, transaction_id: str, how: Undone) -> None:
        await self._database.change("stray_undone", transaction_id, how)

    async def put_off_stray(self, stray: Stray, pause_seconds: float, word: str) -> None:
        await self._database.change(
            "stray_put_off", stray.transaction_id, self._daemon, _shown(word), pause_seconds
        )

    async def cancel_left(self, older_than_seconds: float) -> int:
        """Cancel attempts that were opened so long ago and never charged; how many."""
        async with self._database.session() as session:
            return len(await session.rows("cancel_left_attempts", older_than_seconds))

    async def counts(self) -> Counts:
        """How much there is to do, of all nodes together."""
        row = await self._database.row("count_doubts")
        return Counts(row["unknown"], row["need_person"], row["strays"]) if row else Counts(0, 0, 0)


def _shown(word: str) -> str:
    return without_card_numbers(storable(word))


def _doubt(row: Record) -> Doubt:
    return Doubt(
        attempt=read_attempt(row),
        charged_seconds=row["charged_seconds"],
        doubted_seconds=row["doubted_seconds"],
        looks=row["looks"],
        misses=row["misses"],
        empty=row["empty"],
        needs_person=row["needs_person"],
    )


def _stray(row: Record) -> Stray:
    return Stray(
        transaction_id=row["transaction_id"],
        attempt_id=row["attempt_id"],
        order_id=row["order_id"],
        why=row["why"],
        tries=row["tries"],
    )
