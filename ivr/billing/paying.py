"""Charging a card: never twice, never lost, and "paid" only after the commit (payments.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ivr.billing.allocating import as_chosen, in_full
from ivr.billing.errors import (
    GatewayNotReached,
    GatewayRefused,
    InvoiceAlreadyPaid,
    InvoiceBeingPaid,
    LedgerNotReached,
    LedgerUnavailable,
    OutcomeUnknown,
    TransitionRefused,
)
from ivr.billing.invoices import Invoice
from ivr.billing.limiting import Limiting
from ivr.billing.limits import CardVerdict
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    BeingPaid,
    Captured,
    DeclineBucket,
    Declined,
    KeepCard,
    MeansOnHand,
    NotCharged,
    OverLimit,
    PaidMeanwhile,
    PayResult,
    Refusal,
    Unknown,
)
from ivr.billing.ports import Gateway, Ledger

Spawn = Callable[[Coroutine[Any, Any, PayResult]], "asyncio.Task[PayResult]"]
"""Starts a task that belongs to the app, so that a hang-up cannot cancel half a charge."""

KEEP_TRYING = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 20.0)
"""Seconds between tries to write down what the gateway said, while the caller waits for it."""

LET_GO = (0.1, 0.5, 1.0)
"""The same for an attempt that was never sent: the caller need not wait long."""

PATIENCE = (30.0,) * 20
"""The same after the caller was answered; a charge not written by then is found by Resolving."""

NOTHING_SENT = "the ledger did not confirm the start; nothing was sent"
NEVER_SENT = {AttemptState.CANCELED, AttemptState.FAILED}


class Paying:
    """The whole way of one payment through the ledger and the gateway."""

    def __init__(
        self, ledger: Ledger, gateway: Gateway, spawn: Spawn, limiting: Limiting | None = None
    ) -> None:
        """Without `limiting` nobody counts tries: then callers must not get here."""
        self.limiting = limiting
        self._ledger = ledger
        self._gateway = gateway
        self._spawn = spawn

    async def open(
        self,
        customer_id: int,
        invoices: Sequence[Invoice],
        call_id: str | None,
        *,
        amounts: Mapping[int, Money] | None = None,
        fee: Money | None = None,
        method: Method = Method.CARD,
    ) -> Attempt:
        """Write down the intent to pay these invoices, in full or `amounts` of them, and a fee.

        Raises AmountOutOfRange, and LedgerUnavailable.
        """
        attempt_id = uuid4()
        chosen = in_full(invoices) if amounts is None else as_chosen(invoices, amounts)
        fee = fee or Money.zero(chosen.amount.currency)
        attempt = Attempt(
            id=attempt_id,
            order_id=f"saldo-{attempt_id}",
            customer_id=customer_id,
            call_id=call_id,
            amount=chosen.amount + fee,
            allocations=chosen.allocations,
            state=AttemptState.CREATED,
            fee=fee,
            method=method,
        )
        await self._ledger.open_attempt(attempt)
        return attempt

    async def cancel(self, attempt: Attempt) -> None:
        """Give up before anything was sent. Raises LedgerUnavailable."""
        await self._ledger.cancel(attempt.id)

    async def pay(
        self, attempt: Attempt, means: MeansOnHand, *, keep: KeepCard | None = None
    ) -> PayResult:
        """Charge in a task of the app; cancelling the caller of this cancels nothing.

        With `keep`, a card is kept at the gateway too, when the charge succeeds.

        What cannot be written down in time is answered with what may be said, and written down
        later, when the ledger is back. "Not charged" may be said only once it is written, or when
        nothing ever was: another process may send a charge again that it finds without an end.
        """
        answer: asyncio.Future[PayResult] = asyncio.get_running_loop().create_future()
        charge = _Charge(self._ledger, self._gateway, self.limiting, attempt, means, keep, answer)
        task = self._spawn(charge.run())
        await asyncio.wait({task, answer}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else task.result()


@dataclass(frozen=True, slots=True)
class _Charge:
    """One attempt on its way; `answer` is set when the caller is told before all is written."""

    ledger: Ledger
    gateway: Gateway
    limiting: Limiting | None
    attempt: Attempt
    means: MeansOnHand
    keep: KeepCard | None
    answer: asyncio.Future[PayResult]

    async def run(self) -> PayResult:
        stopped = await self._stopped()
        return await self._begin() if stopped is None else stopped

    async def _stopped(self) -> PayResult | None:
        """Why this try may not be made; a try that cannot be counted may not either."""
        if self.limiting is None:
            return None
        try:
            verdict = await self.limiting.count(self.attempt.id, self.means)
            if verdict is CardVerdict.ALLOWED:
                return None
            await self.ledger.cancel(self.attempt.id)
        except LedgerUnavailable:  # a created attempt holds nothing, and is never charged
            return NotCharged()
        if verdict is CardVerdict.REFUSED_FOR_GOOD:
            return Declined(DeclineBucket.HARD)
        return OverLimit()

    async def _begin(self) -> PayResult:
        try:
            await self.ledger.begin_charging(self.attempt.id, self.means, self.keep)
        except InvoiceAlreadyPaid:
            return PaidMeanwhile()
        except InvoiceBeingPaid:
            return BeingPaid()
        except LedgerNotReached:
            self._say(NotCharged())
            return await self._written(self._let_go, NotCharged(), LET_GO)
        except LedgerUnavailable:  # the gateway is asked only after this commit
            return await self._written(self._let_go, Unknown(), LET_GO)
        return await self._charge()

    async def _let_go(self) -> PayResult:
        """Release the invoices if the commit was done and only its answer was lost."""
        # First this: a start that is still on its way in the database is then refused.
        await self.ledger.cancel(self.attempt.id, tell=self._said_unknown)
        return await self._not_charged(NOTHING_SENT)

    async def _not_charged(self, reason: str) -> PayResult:
        try:
            tell = self._said_unknown
            await self.ledger.failed(self.attempt.id, reason, tell=tell, unsent=True)
        except TransitionRefused as refused:
            if refused.state not in NEVER_SENT:
                raise  # another process sent it again, or may
        return NotCharged()

    async def _charge(self) -> PayResult:
        try:
            result = await self.gateway.charge(
                means=self.means,
                amount=self.attempt.amount,
                order_id=self.attempt.order_id,
                request_key=str(self.attempt.id),
                keep=self.keep,
            )
        except (GatewayNotReached, GatewayRefused) as error:
            reason = str(error)
            return await self._written(lambda: self._not_charged(reason), Unknown(), KEEP_TRYING)
        except OutcomeUnknown as error:
            return await self._in_doubt(str(error))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the money may have moved
            return await self._in_doubt(f"unforeseen {type(error).__name__}")
        return await self._write_down(result)

    async def _in_doubt(self, reason: str) -> PayResult:
        return await self._settled(lambda: self.ledger.unknown(self.attempt.id, reason), Unknown())

    async def _write_down(self, result: Captured | Refusal) -> PayResult:
        if isinstance(result, Refusal):
            return await self._settled(
                lambda: self.ledger.declined(self.attempt.id, result),
                Declined(result.bucket, result.about_funds),
            )
        return await self._written(
            lambda: self.ledger.captured(self.attempt.id, result), Unknown(), KEEP_TRYING
        )

    async def _settled(self, write: Callable[[], Awaitable[None]], result: PayResult) -> PayResult:
        """`result`, whose truth does not depend on its being written."""

        async def written() -> PayResult:
            await write()
            return result

        return await self._written(written, result, KEEP_TRYING)

    async def _written(
        self,
        write: Callable[[], Awaitable[PayResult]],
        otherwise: PayResult,
        pauses: Sequence[float],
    ) -> PayResult:
        """Write until the database takes it; `otherwise` is what may be said until it does.

        It is said after `pauses`, or when the ledger fails in a way that trying again cannot mend.
        """
        for place, pause in enumerate((*pauses, *PATIENCE), start=1):
            try:
                return await write()
            except TransitionRefused:
                return otherwise  # settled meanwhile by another process, or never begun
            except LedgerUnavailable:
                if place == len(pauses):
                    self._say(otherwise)
                await asyncio.sleep(pause)
            except Exception:  # raised again; but the caller must not wait for an answer for ever
                self._say(otherwise)
                raise
        return otherwise

    @property
    def _said_unknown(self) -> bool:
        """Whether the caller was told that we are confirming, and waits for a message."""
        return self.answer.done() and self.answer.result() == Unknown()

    def _say(self, result: PayResult) -> None:
        if not self.answer.done():  # the caller may have left, and nobody waits for it
            self.answer.set_result(result)
