"""Payments as they are shown: to the web, to the billing team, to the simulated calls."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from ivr.billing.errors import AttemptNotFound
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payment_records import (
    PaidInvoice,
    PaymentDetails,
    PaymentRecord,
    Step,
    StepKind,
)
from ivr.billing.payments import AttemptState
from ivr.storage.pool import Database, Record
from ivr.storage.refunds import refund
from ivr.storage.rows import Page, page


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

    async def matching(
        self,
        before: int | None,
        limit: int,
        *,
        number: str = "",
        states: Collection[AttemptState] = (),
    ) -> Page[PaymentRecord]:
        """The same of those in one of the states, if any is given, and with a number, if given.

        It is a confirmation, account or invoice number, an order or a transaction of the gateway.
        """
        wanted = [state.value for state in states]
        if number:
            found = await self._database.rows("payments_found", before, wanted, number, limit + 1)
        elif wanted:
            found = await self._database.rows("payments_in_states", before, wanted, limit + 1)
        else:
            return await self.recent(before, limit)
        return page(found, limit, "seq", _record)

    async def listed(
        self,
        limit: int,
        *,
        account: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        states: Collection[AttemptState] = (),
    ) -> Page[PaymentRecord]:
        """The newest of one customer, opened in that time, in one of the states, as far as given.

        `account` is an account number or the biller's own key; `until` is the first moment after.
        """
        wanted = [state.value for state in states]
        found = await self._database.rows(
            "payments_listed", account, since, until, wanted, limit + 1
        )
        return page(found, limit, "seq", _record)

    async def confirmed(self, confirmation: str) -> list[UUID]:
        """Those with this confirmation, the newest first: hardly ever more than one."""
        found = await self._database.rows("payments_confirmed", confirmation)
        return [row["id"] for row in found]

    async def details(self, payment_id: UUID) -> PaymentDetails:
        """Everything about one. Raises AttemptNotFound."""
        async with self._database.session() as session:
            row = await session.row("payment_shown", payment_id)
            if row is None:
                raise AttemptNotFound(f"no payment {payment_id}")
            invoices = await session.rows("invoices_of_payment", payment_id)
            refunds = await session.rows("refunds_of_payment", payment_id)
            steps = await session.rows("steps_of_payment", payment_id)
        return PaymentDetails(
            payment=_record(row),
            by_link=row["by_link"],
            needs_person=row["needs_person"],
            invoices=tuple(_invoice(each) for each in invoices),
            refunds=tuple(refund(each) for each in refunds),
            steps=tuple(_step(each) for each in steps),
        )


def _record(row: Record) -> PaymentRecord:
    currency = row["currency"]
    return PaymentRecord(
        id=row["id"],
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        account_number=row["account_number"],
        customer_name=row["customer_name"],
        call_id=row["call_id"],
        amount=Money(row["amount"], currency),
        fee=Money(row["fee"], currency),
        refunded=Money(row["refunded"], currency),
        refunding=Money(row["refunding"], currency),
        method=Method(row["method"]),
        state=AttemptState(row["state"]),
        brand=row["brand"],
        last4=row["last4"],
        account_type=row["account_type"],
        payer=row["payer"],
        transaction_id=row["transaction_id"],
        processor_code=row["processor_code"],
        confirmation=row["confirmation"],
        reason=row["reason"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )


def _invoice(row: Record) -> PaidInvoice:
    currency = row["currency"]
    return PaidInvoice(
        number=row["number"],
        service_label=row["service_label"],
        due_date=row["due_date"],
        amount=Money(row["amount"], currency),
        applied=Money(row["applied"], currency),
        reopened=Money(row["reopened"], currency),
        due=Money(row["due"], currency),
    )


def _step(row: Record) -> Step:
    return Step(row["at"], StepKind(row["kind"]), row["why"], row["refund"])
