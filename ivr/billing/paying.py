"""Charging a card: never twice, never lost, and "paid" only after the commit (payments.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID, uuid4

from ivr.billing.errors import (
    GatewayNotReached,
    GatewayRefused,
    InvoiceAlreadyPaid,
    InvoiceBeingPaid,
    LedgerUnavailable,
    OutcomeUnknown,
)
from ivr.billing.invoices import Invoice, total_due
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    BeingPaid,
    Captured,
    CardOnHand,
    Declined,
    NotCharged,
    PaidMeanwhile,
    PayResult,
    Refusal,
    Unknown,
    allocate,
)
from ivr.billing.ports import Gateway, Ledger

Spawn = Callable[[Coroutine[Any, Any, PayResult]], "asyncio.Task[PayResult]"]
"""Starts a task that belongs to the app, so that a hang-up cannot cancel half a charge."""

KEEP_TRYING = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 20.0)
"""Seconds between tries to write down what the gateway said; a janitor takes over afterwards."""


class Paying:
    """The whole way of one payment through the ledger and the gateway."""

    def __init__(self, ledger: Ledger, gateway: Gateway, spawn: Spawn) -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._spawn = spawn

    async def open(
        self, customer_id: int, invoices: Sequence[Invoice], call_id: str | None
    ) -> Attempt:
        """Write down the intent to pay these invoices in full. Raises LedgerUnavailable."""
        attempt_id = uuid4()
        attempt = Attempt(
            id=attempt_id,
            order_id=f"saldo-{attempt_id}",
            customer_id=customer_id,
            call_id=call_id,
            amount=total_due(invoices),
            allocations=allocate(tuple(invoices)),
            state=AttemptState.CREATED,
        )
        await self._ledger.open_attempt(attempt)
        return attempt

    async def cancel(self, attempt: Attempt) -> None:
        """Give up before anything was sent. Raises LedgerUnavailable."""
        await self._ledger.cancel(attempt.id)

    async def pay(self, attempt: Attempt, card: CardOnHand) -> PayResult:
        """Charge in a task of the app; cancelling the caller of this cancels nothing."""
        return await asyncio.shield(self._spawn(self._pay(attempt, card)))

    async def _pay(self, attempt: Attempt, card: CardOnHand) -> PayResult:
        try:
            await self._ledger.begin_charging(attempt.id, card)
        except InvoiceAlreadyPaid:
            return PaidMeanwhile()
        except InvoiceBeingPaid:
            return BeingPaid()
        except LedgerUnavailable:
            return NotCharged()  # the gateway is asked only after this commit
        return await self._charge(attempt, card)

    async def _charge(self, attempt: Attempt, card: CardOnHand) -> PayResult:
        try:
            result = await self._gateway.charge(
                token=card.token,
                amount=attempt.amount,
                order_id=attempt.order_id,
                request_key=str(attempt.id),
            )
        except (GatewayNotReached, GatewayRefused) as error:
            reason = str(error)
            return await self._written(
                lambda: self._settle(self._ledger.failed(attempt.id, reason), NotCharged()),
                NotCharged(),
            )
        except OutcomeUnknown as error:
            reason = str(error)
            return await self._written(
                lambda: self._settle(self._ledger.unknown(attempt.id, reason), Unknown()), Unknown()
            )
        return await self._keep(attempt.id, result)

    async def _keep(self, attempt_id: UUID, result: Captured | Refusal) -> PayResult:
        if isinstance(result, Refusal):
            declined = Declined(result.bucket)
            return await self._written(
                lambda: self._settle(self._ledger.declined(attempt_id, result), declined), declined
            )
        return await self._written(lambda: self._ledger.captured(attempt_id, result), Unknown())

    @staticmethod
    async def _settle(write: Coroutine[Any, Any, None], result: PayResult) -> PayResult:
        await write
        return result

    @staticmethod
    async def _written(
        write: Callable[[], Coroutine[Any, Any, PayResult]], otherwise: PayResult
    ) -> PayResult:
        """Write until the database takes it; `otherwise` is what may be said if it does not."""
        for pause in KEEP_TRYING:
            try:
                return await write()
            except LedgerUnavailable:
                await asyncio.sleep(pause)
        return otherwise
