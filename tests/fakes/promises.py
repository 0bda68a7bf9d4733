"""`billing.promising.Promises` in memory; the same cases hold for it and for Postgres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from ivr.billing.errors import PromiseRefused
from ivr.billing.money import Money
from ivr.billing.promises import Promise, PromisedPart, PromiseState
from ivr.billing.promising import today
from tests.fakes.company import FakeCompany


@dataclass
class FakePromises:
    """Keeps promises in a list; all payments are in time."""

    company: FakeCompany
    today: Callable[[], date] = today
    made: list[Promise] = field(default_factory=list)
    paid_then: dict[tuple[UUID, int], Money] = field(default_factory=dict)

    async def make(self, promise: Promise) -> None:
        self.company.check()
        if any(one.id == promise.id for one in self.made):
            return
        if any(self._is_refused(part) for part in promise.parts):
            raise PromiseRefused("an invoice is promised already, or not due that much any more")
        self.made.append(promise)
        for part in promise.parts:
            paid = self.company.invoices[part.invoice_id].paid
            self.paid_then[promise.id, part.invoice_id] = paid
        self.company.events.extend(["promise.made", "promise"])

    async def of_customer(self, customer_id: int) -> list[Promise]:
        self.company.check()
        return [self._now(one) for one in reversed(self.made) if one.customer_id == customer_id]

    def _is_refused(self, part: PromisedPart) -> bool:
        promised = any(
            one.state(self.today()) is PromiseState.OPEN
            and any(each.invoice_id == part.invoice_id for each in one.parts)
            for one in map(self._now, self.made)
        )
        return promised or self.company.invoices[part.invoice_id].due < part.amount

    def _now(self, promise: Promise) -> Promise:
        return replace(promise, parts=tuple(self._paid(promise, part) for part in promise.parts))

    def _paid(self, promise: Promise, part: PromisedPart) -> PromisedPart:
        paid = self.company.invoices[part.invoice_id].paid
        return replace(part, paid_in_time=paid - self.paid_then[promise.id, part.invoice_id])
