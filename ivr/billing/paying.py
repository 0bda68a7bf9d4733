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
    TransitionRefused,
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

LET_GO = (0.1, 0.5, 1.0)
"""The same for an attempt that was never sent; the next start frees it otherwise."""


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
            return await self._never_sent(attempt.id)  # the gateway is asked only after this commit
        return await self._charge(attempt, card)

    async def _never_sent(self, attempt_id: UUID) -> PayResult:
        """Let the invoices go again if the commit was done and only its answer was lost."""
        reason = "the ledger did not confirm the start; nothing was sent"
        return await self._written(
            lambda: self._settle(self._ledger.failed(attempt_id, reason), NotCharged()),
            NotCharged(),
            LET_GO,
        )

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
            return await self._in_doubt(attempt.id, str(error))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the money may have moved
            return await self._in_doubt(attempt.id, f"unforeseen {type(error).__name__}")
        return await self._keep(attempt.id, result)

    async def _in_doubt(self, attempt_id: UUID, reason: str) -> PayResult:
        return await self._written(
            lambda: self._settle(self._ledger.unknown(attempt_id, reason), Unknown()), Unknown()
        )

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
        write: Callable[[], Coroutine[Any, Any, PayResult]],
        otherwise: PayResult,
        pauses: Sequence[float] = (),
    ) -> PayResult:
        """Write until the database takes it; `otherwise` is what may be said if it does not."""
        for pause in pauses or KEEP_TRYING:
            try:
                return await write()
            except TransitionRefused:
                return otherwise  # settled meanwhile by another process, or never begun
            except LedgerUnavailable:
                await asyncio.sleep(pause)
        return otherwise
