"""The lines and subscriptions of customers, and in pages."""

from __future__ import annotations

from ivr.billing.customers import Service
from ivr.storage import rows
from ivr.storage.pool import Database
from ivr.storage.rows import Page, page


class PostgresServices:
    """Reads lines. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_customer(self, customer_id: int) -> list[Service]:
        """All lines of one customer."""
        found = await self._database.rows("services_of_customer", customer_id)
        return [rows.service(row) for row in found]

    async def recent(self, before: int | None = None, limit: int = 50) -> Page[Service]:
        """Lines, newest first, older than the cursor `before`."""
        found = await self._database.rows("recent_services", before, limit + 1)
        return page(found, limit, "id", rows.service)
