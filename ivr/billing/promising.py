"""Taking promises to pay: who may make one, and writing it down with the news of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol
from uuid import uuid4

from ivr.billing.customers import Customer
from ivr.billing.errors import PromiseRefused
from ivr.billing.invoices import Invoice
from ivr.billing.money import Money
from ivr.billing.promises import (
    Promise,
    PromiseRules,
    amount_of,
    may_promise,
    parts_of,
)


class Promises(Protocol):
    """Promises to pay. Every method raises LedgerUnavailable."""

    async def make(self, promise: Promise) -> None:
        """Keep it, and tell of it in the same commit; the same one again changes nothing.

        Raises PromiseRefused when an invoice is promised already, or not due that much any more.
        """
        ...

    async def of_customer(self, customer_id: int) -> list[Promise]:
        """All of one customer, newest first, with what was paid since."""
        ...


def today() -> date:
    """By the clock and time zone of this machine."""
    return datetime.now(UTC).astimezone().date()


@dataclass(frozen=True, slots=True)
class Promising:
    """One for the whole app."""

    promises: Promises
    rules: PromiseRules = field(default_factory=PromiseRules)
    today: Callable[[], date] = today

    async def may_promise(self, customer: Customer, invoices: Sequence[Invoice]) -> bool:
        """Whether the customer may promise to pay these. Raises LedgerUnavailable."""
        before = await self.promises.of_customer(customer.id)
        return may_promise(invoices, before, self.rules, self.today())

    async def promise(
        self, customer: Customer, amounts: Mapping[int, Money], day: date, call_id: str | None
    ) -> Promise:
        """Write down that so much of these invoices, in one currency, will be paid by that day.

        Raises PromiseRefused when the day may not be promised, or an invoice is promised already;
        and LedgerUnavailable.
        """
        if not self.rules.takes(day, self.today()):
            raise PromiseRefused("payment cannot be promised for that day")
        parts = parts_of(amounts)
        promise = Promise(
            id=uuid4(),
            customer_id=customer.id,
            call_id=call_id,
            amount=amount_of(parts, parts[0].amount.currency),
            day=day,
            parts=parts,
            made_at=datetime.now(UTC),
        )
        await self.promises.make(promise)
        return promise
