"""What is owed, by customer, by number, and in pages."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.billing.invoices import Invoice
from ivr.storage import rows
from ivr.storage.pool import Database
from ivr.storage.rows import Page, page


class PostgresInvoices:
    """`billing.ports.Invoices`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unpaid(self, customer_id: int) -> list[Invoice]:
        found = await self._database.rows("unpaid_invoices", customer_id)
        return [rows.invoice(row) for row in found]

    async def in_doubt(self, customer_id: int) -> bool:
        row = await self._database.row("customer_in_doubt", customer_id)
        return bool(row and row["in_doubt"])

    async def by_number(self, numbers: Sequence[str]) -> list[Invoice]:
        """These invoices, paid or not; numbers that nobody has are left out."""
        found = await self._database.rows("invoices_by_number", list(numbers))
        return [rows.invoice(row) for row in found]

    async def recent(self, before: int | None = None, limit: int = 50) -> Page[Invoice]:
        """Invoices, newest first, older than the cursor `before`."""
        found = await self._database.rows("recent_invoices", before, limit + 1)
        return page(found, limit, "id", rows.invoice)
