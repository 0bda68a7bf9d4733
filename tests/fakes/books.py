"""A payment gateway's books in memory: `billing.ports.Books` and `comparing.GatewayLedger`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ivr.billing.doubts import Undone
from ivr.billing.errors import GatewayNotReached, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import (
    Attempt,
    Captured,
    DeclineBucket,
    KeepCard,
    MeansOnHand,
    Refusal,
)
from ivr.billing.transactions import Standing, Transaction

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


@dataclass
class Written:
    """A transaction, and when the index shows it."""

    transaction: Transaction
    shown_at: float


class FakeBooks:
    """Knows what it was told to write; a charge sent again that it does not know is taken."""

    def __init__(self) -> None:
        self.request_keys = True
        self.is_away = False
        self.lag_seconds = 0.0
        self.seconds = 0.0
        """how long each answer takes"""
        self.sent_again: list[str] = []
        """order ids"""
        self.searches = 0
        self.written: dict[str, Written] = {}

    @property
    def taken(self) -> list[Transaction]:
        """Sales that have a customer's money."""
        return [one.transaction for one in self.written.values() if one.transaction.is_taken]

    def write(
        self,
        attempt: Attempt,
        standing: Standing = Standing.CAPTURED,
        *,
        amount: Money | None = None,
        at: datetime | None = None,
    ) -> Transaction:
        """A sale of this attempt's order."""
        key = f"tx{uuid4().hex[:10]}"
        at = at or NOON + timedelta(seconds=len(self.written))
        outcome: Captured | Refusal | None = Captured(key, "1000", at)
        if standing is Standing.PENDING:
            outcome = None
        elif standing not in (Standing.CAPTURED, Standing.SETTLED):
            outcome = Refusal("2001", "Insufficient Funds", DeclineBucket.SOFT, key)
        sale = Transaction(key, attempt.order_id, standing, amount or attempt.amount, at, outcome)
        return self.keep(sale)

    def keep(self, transaction: Transaction) -> Transaction:
        """Write down a transaction, or its new state."""
        shown_at = asyncio.get_running_loop().time() + self.lag_seconds
        self.written[transaction.id] = Written(transaction, shown_at)
        return transaction

    async def send_again(
        self,
        *,
        means: MeansOnHand,
        amount: Money,
        order_id: str,
        request_key: str,
        keep: KeepCard | None = None,
    ) -> Captured | Refusal:
        await self._answer()
        self.sent_again.append(order_id)
        if not self.request_keys:
            raise OutcomeUnknown("keys are not allowed")
        for one in self.written.values():
            if one.transaction.order_id == order_id:
                if one.transaction.outcome is None:
                    raise OutcomeUnknown("in flight")
                return one.transaction.outcome
        capture = Captured(f"tx{uuid4().hex[:10]}", "1000", NOON)
        self.keep(
            Transaction(capture.transaction_id, order_id, Standing.CAPTURED, amount, NOON, capture)
        )
        return capture

    async def of_order(self, order_id: str) -> list[Transaction]:
        self.searches += 1
        return [one for one in await self._shown() if one.order_id == order_id]

    async def between(self, since: datetime, until: datetime) -> list[Transaction]:
        return [one for one in await self._shown() if since <= one.created_at <= until]

    async def of_ids(self, ids: Sequence[str]) -> list[Transaction]:
        return [one for one in await self._shown() if one.id in ids]

    async def reverse(self, transaction_id: str) -> Undone:
        await self._answer()
        sale = self.written[transaction_id].transaction
        if sale.standing is Standing.SETTLED:
            self.keep(replace(sale, id=f"re{sale.id}", refund_of=sale.id, outcome=None))
            return "refunded"
        self.keep(replace(sale, standing=Standing.VOIDED))
        return "voided"

    async def _shown(self) -> list[Transaction]:
        await self._answer()
        now = asyncio.get_running_loop().time()
        shown = [one.transaction for one in self.written.values() if one.shown_at <= now]
        return sorted(shown, key=lambda one: one.created_at)

    async def _answer(self) -> None:
        await asyncio.sleep(self.seconds)
        if self.is_away:
            raise GatewayNotReached("no route to the gateway")
