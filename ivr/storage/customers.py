"""Customers by what they key, and in pages."""

from __future__ import annotations

from ivr.billing.customers import Customer
from ivr.billing.messages import ToCustomer
from ivr.storage import rows
from ivr.storage.pool import Database
from ivr.storage.rows import Page, page, storable

WAYS: tuple[ToCustomer, ...] = ("text", "mail")


class PostgresDirectory:
    """`billing.ports.Directory`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_account_number(self, account_number: str) -> Customer | None:
        row = await self._database.row("customer_by_account_number", account_number)
        return rows.customer(row) if row else None

    async def by_external_id(self, external_id: str) -> Customer | None:
        row = await self._database.row("customer_by_external_id", storable(external_id))
        return rows.customer(row) if row else None

    async def ways_to(self, customer_id: int) -> frozenset[ToCustomer]:
        return frozenset(await self.addresses(customer_id))

    async def addresses(self, customer_id: int) -> dict[ToCustomer, str]:
        """What is on file: where text messages go, and where mail goes."""
        row = await self._database.row("addresses_of_customer", customer_id)
        return {way: row[way] for way in WAYS if row and row[way]}

    async def recent(self, before: int | None = None, limit: int = 50) -> Page[Customer]:
        """Customers, newest first, older than the cursor `before`."""
        found = await self._database.rows("recent_customers", before, limit + 1)
        return page(found, limit, "id", rows.customer)
