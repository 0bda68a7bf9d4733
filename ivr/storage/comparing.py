"""Our ledger for comparing it with the gateway's, and whose turn that is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from ivr.billing.differences import GIVEN_BACK, PAID, Ours
from ivr.storage.payments import read_attempt
from ivr.storage.pool import Database, Record

ORDERS_AT_ONCE = 500


class PostgresCompared:
    """`billing.comparing.Payments`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_orders(self, order_ids: Sequence[str]) -> list[Ours]:
        found: list[Ours] = []
        for first in range(0, len(order_ids), ORDERS_AT_ONCE):
            some = list(order_ids[first : first + ORDERS_AT_ONCE])
            found += map(_ours, await self._database.rows("payments_to_compare", some))
        return found

    async def charged_between(self, since: datetime, until: datetime) -> list[Ours]:
        states = [state.value for state in PAID | GIVEN_BACK]
        return await self._named(await self._database.rows("orders_taken", since, until, states))

    async def unfinished(self, since: datetime, until: datetime) -> list[Ours]:
        return await self._named(await self._database.rows("orders_unfinished", since, until))

    async def unknown(self) -> list[Ours]:
        return await self._named(await self._database.rows("orders_unknown"))

    async def strays_given_back(self, transaction_ids: Sequence[str]) -> set[str]:
        rows = await self._database.rows("strays_given_back", list(transaction_ids))
        return {row["transaction_id"] for row in rows}

    async def _named(self, rows: Sequence[Record]) -> list[Ours]:
        return await self.of_orders([row["order_id"] for row in rows])


class PostgresComparisons:
    """The nights that were compared. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database, daemon: UUID) -> None:
        self._database = database
        self._daemon = daemon

    async def claim(self, night: date) -> bool:
        """Whether it is ours to do."""
        return await self._database.change("claim_comparison", night, self._daemon) is not None

    async def give_back(self, night: date) -> None:
        """It came to nothing; somebody else may try."""
        await self._database.change("give_comparison_back", night, self._daemon)

    async def ended(self, night: date, *, compared: int, mended: int, left_open: int) -> None:
        """It is done."""
        await self._database.change(
            "comparison_ended", night, self._daemon, compared, mended, left_open
        )


def _ours(row: Record) -> Ours:
    return Ours(
        attempt=read_attempt(row),
        transaction_id=row["transaction_id"],
        needs_person=row["needs_person"],
        is_being_refunded=row["is_being_refunded"],
        refund_ids=frozenset(row["refund_ids"]),
    )
