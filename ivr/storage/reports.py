"""Sums over the ledger, for a company's books."""

from __future__ import annotations

from datetime import date

from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.reports import SettlementLine
from ivr.storage.pool import Database, Record


class PostgresReports:
    """Reads the ledger. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settlement(self, since: date, until: date, zone: str) -> list[SettlementLine]:
        """Each day from `since` to `until`, both included, with something charged or given back.

        Days are those of a time zone, such as Europe/Madrid.
        """
        found = await self._database.rows("settlement_report", since, until, zone)
        return [_line(row) for row in found]


def _line(row: Record) -> SettlementLine:
    def money(column: str) -> Money:
        return Money(row[column], row["currency"])

    return SettlementLine(
        day=row["day"],
        method=Method(row["method"]),
        charged=money("charged"),
        fee=money("fee"),
        to_invoices=money("to_invoices"),
        not_applied=money("not_applied"),
        refunded=money("refunded"),
        count=row["count"],
    )
