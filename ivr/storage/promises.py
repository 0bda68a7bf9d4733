"""Promises to pay, kept with the news of them; what became of each is read from payments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from ivr.billing.errors import PromiseRefused
from ivr.billing.money import Money
from ivr.billing.promises import Promise, PromisedPart, PromiseState
from ivr.billing.promising import today
from ivr.storage.pool import Database, Record
from ivr.storage.rows import Page, page


@dataclass(frozen=True, slots=True)
class PromiseRecord:
    """A promise as it is shown, with what has become of it."""

    id: UUID
    customer_id: int
    call_id: str | None
    amount: Money
    day: date
    state: PromiseState
    parts: tuple[PromisedPart, ...]
    made_at: datetime


class PostgresPromises:
    """`billing.promising.Promises`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database, clock: Callable[[], date] = today) -> None:
        self._database = database
        self._today = clock

    async def make(self, promise: Promise) -> None:
        invoice_ids = [part.invoice_id for part in promise.parts]
        async with self._database.transaction() as session:
            await session.run("lock_promised_invoices", invoice_ids)
            row = await session.row(
                "make_promise",
                promise.id,
                promise.customer_id,
                promise.call_id,
                promise.amount.amount,
                promise.amount.currency,
                invoice_ids,
                [part.amount.amount for part in promise.parts],
                promise.day,
                str(promise.amount.amount),
            )
        if row is None:
            raise PromiseRefused("an invoice is promised already, or not due that much any more")

    async def of_customer(self, customer_id: int) -> list[Promise]:
        found = await self._database.rows("promises_of_customer", customer_id)
        return [_promise(row) for row in found]

    async def recent(self, before: int | None = None, limit: int = 50) -> Page[PromiseRecord]:
        """Promises, newest first, older than the cursor `before`."""
        found = await self._database.rows("recent_promises", before, limit + 1)
        return page(found, limit, "seq", self._record)

    def _record(self, row: Record) -> PromiseRecord:
        promise = _promise(row)
        return PromiseRecord(
            id=promise.id,
            customer_id=promise.customer_id,
            call_id=promise.call_id,
            amount=promise.amount,
            day=promise.day,
            state=promise.state(self._today()),
            parts=promise.parts,
            made_at=promise.made_at,
        )


def _promise(row: Record) -> Promise:
    currency = row["currency"]
    return Promise(
        id=row["id"],
        customer_id=row["customer_id"],
        call_id=row["call_id"],
        amount=Money(row["amount"], currency),
        day=row["day"],
        parts=tuple(
            PromisedPart(
                invoice, Money(amount, currency), Money(in_time, currency), Money(late, currency)
            )
            for invoice, amount, in_time, late in zip(
                row["invoice_ids"], row["amounts"], row["in_time"], row["late"], strict=True
            )
        ),
        made_at=row["made_at"],
    )
