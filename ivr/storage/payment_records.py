"""Payments as they are shown: to the web, to the billing team, to the simulated calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import AttemptState
from ivr.storage.pool import Database, Record
from ivr.storage.rows import Page, page


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """One attempt with all that may be shown of it; never its token."""

    id: UUID
    order_id: str
    customer_id: int
    call_id: str | None
    amount: Money
    """all that was charged, `fee` included"""
    fee: Money
    method: Method
    state: AttemptState
    brand: str | None
    last4: str | None
    transaction_id: str | None
    processor_code: str | None
    confirmation: str | None
    reason: str | None
    created_at: datetime
    ended_at: datetime | None


class PostgresPayments:
    """Reads attempts. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recent(
        self, before: int | None = None, limit: int = 50, call_id: str | None = None
    ) -> Page[PaymentRecord]:
        """Attempts, newest first, older than the cursor `before`; of one call if given."""
        found = await self._database.rows("recent_payments", before, call_id, limit + 1)
        return page(found, limit, "seq", _record)


def _record(row: Record) -> PaymentRecord:
    return PaymentRecord(
        id=row["id"],
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        call_id=row["call_id"],
        amount=Money(row["amount"], row["currency"]),
        fee=Money(row["fee"], row["currency"]),
        method=Method(row["method"]),
        state=AttemptState(row["state"]),
        brand=row["brand"],
        last4=row["last4"],
        transaction_id=row["transaction_id"],
        processor_code=row["processor_code"],
        confirmation=row["confirmation"],
        reason=row["reason"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )
