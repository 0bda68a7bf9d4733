"""Giving money back: exactly once for each request key, never more than was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from ivr.billing.errors import BillingError, GatewayError, LedgerUnavailable, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.refunds import (
    GivenBack,
    NotGivenBack,
    Refund,
    RefundKind,
    RefundWish,
)
from ivr.billing.transactions import TAKEN, Standing, Transaction

Spawn = Callable[[Coroutine[Any, Any, Refund]], "asyncio.Task[Refund]"]
"""Starts a task that belongs to the app: who asked may leave, and half a refund is none."""

AGAIN_SECONDS = 600.0
"""so long after it was asked for it may be asked for again; later the books are only searched"""
GONE_SECONDS = 900.0
"""what the gateway's books do not show so long after it was asked for was never done"""
ANSWER_SECONDS = 200.0
"""a refund that is older has no task any more"""


class RefundError(BillingError):
    """Money cannot be given back like that; the text says why."""


class NotRefundable(RefundError):
    """The payment was not taken, is given back already, or has less left than that."""


class RefundKeyUsed(RefundError):
    """The same key came with another wish."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What of a payment may still be given back."""

    sale_id: str
    amount: Money
    left: Money

    def allows(self, wanted: Money | None, kind: RefundKind) -> Money:
        """How much is to be given back; of None, all that is left. Raises NotRefundable."""
        amount = self.left if wanted is None else wanted
        if amount.currency != self.amount.currency:
            raise NotRefundable(f"it was paid in {self.amount.currency}")
        if amount.amount <= 0 or self.left < amount:
            raise NotRefundable(f"{self.left} of it is left to give back")
        if kind is RefundKind.VOID and amount != self.amount:
            raise NotRefundable(
                "it is not settled yet: give the whole payment back, or a part of it tomorrow"
            )
        return amount


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a payment would be given back if it were now."""

    kind: RefundKind
    """VOID: as a whole only"""
    left: Money


class Refunds(Protocol):
    """The refunds in the ledger. Every method raises LedgerUnavailable."""

    async def payment(self, attempt_id: UUID) -> Payment:
        """Raises AttemptNotFound, and NotRefundable: it was not taken, or is gone."""
        ...

    async def open(self, wish: RefundWish, kind: RefundKind) -> tuple[Refund, bool]:
        """Write it down as asked, under a lock on the payment, and True.

        Or the earlier one of the same key, and False: somebody else carries that one out.

        Raises:
            AttemptNotFound.
            NotRefundable: the payment was not taken, or less is left.
            RefundKeyUsed: the key came with another wish.
        """
        ...

    async def of_key(self, wish: RefundWish) -> Refund | None:
        """The one that was asked for with this key. Raises RefundKeyUsed."""
        ...

    async def done(self, refund_id: UUID, transaction_id: str) -> Refund:
        """The payment, its invoices if they are to be owed again, and what is told, at once."""
        ...

    async def refused(self, refund_id: UUID, why: str) -> Refund: ...

    async def unknown(self, refund_id: UUID, why: str) -> Refund: ...

    async def unfinished(self, older_than_seconds: float) -> list[tuple[Refund, float]]:
        """Those unknown, or asked for longer ago than that, with their age in seconds."""
        ...


class Giver(Protocol):
    """The gateway, as far as it gives money back.

    Raises GatewayNotReached, GatewayRefused: nothing was given back; OutcomeUnknown: perhaps.
    """

    @property
    def request_keys(self) -> bool:
        """Whether the same key may be sent again, as far as we know."""
        ...

    async def standing(self, sale_id: str) -> Standing | None:
        """How a sale stands now; SETTLED: it is too late to void it. None: there is no such."""
        ...

    async def void(
        self, sale_id: str, request_key: str, *, again: bool = False
    ) -> GivenBack | NotGivenBack:
        """`again`: it may have been done before, so that it is never asked for without the key."""
        ...

    async def refund(
        self, sale_id: str, *, amount: Money, order_id: str, request_key: str, again: bool = False
    ) -> GivenBack | NotGivenBack:
        """`again` as for `void`."""
        ...

    async def of_order(self, order_id: str) -> list[Transaction]: ...


class Refunding:
    """The whole way of one refund through the ledger and the gateway."""

    def __init__(self, refunds: Refunds, giver: Giver, spawn: Spawn) -> None:
        self._refunds = refunds
        self._giver = giver
        self._spawn = spawn

    async def give_back(self, wish: RefundWish) -> Refund:
        """The refund, with its outcome if that is known by now; the same again for the same key.

        Raises:
            AttemptNotFound, NotRefundable, RefundKeyUsed: nothing was asked of the gateway.
            LedgerUnavailable, GatewayError: the same; but ask again with the same key.
        """
        earlier = await self._refunds.of_key(wish)
        if earlier is not None:
            return earlier
        payment = await self._refunds.payment(wish.attempt_id)
        kind = await self._kind(payment)
        if wish.only_void and kind is not RefundKind.VOID:
            raise NotRefundable("it is settled already: refund it")
        refund, is_ours = await self._refunds.open(wish, kind)
        if not is_ours:
            return refund
        return await asyncio.shield(self._spawn(self._carry_out(refund)))

    async def outlook(self, attempt_id: UUID) -> Outlook:
        """How a payment would be given back now.

        Raises AttemptNotFound, NotRefundable, LedgerUnavailable, GatewayError.
        """
        payment = await self._refunds.payment(attempt_id)
        kind = await self._kind(payment)
        return Outlook(kind, payment.allows(None, kind))

    async def resolve(self) -> int:
        """Find out what became of refunds without an answer; how many are left for the next time.

        One whose end cannot be written down is left, and holds up no other. Raises
        LedgerUnavailable.
        """
        left = 0
        for refund, age_seconds in await self._refunds.unfinished(ANSWER_SECONDS):
            try:
                left += (await self._look(refund, age_seconds)).is_open
            except LedgerUnavailable:
                raise
            except BillingError:
                left += 1
        return left

    async def _kind(self, payment: Payment) -> RefundKind:
        """By how the payment stands at the gateway now."""
        standing = await self._giver.standing(payment.sale_id)
        if standing is Standing.SETTLED:
            return RefundKind.REFUND
        if standing is not Standing.CAPTURED:
            raise NotRefundable(f"the gateway has nothing to give back: it is {standing or 'gone'}")
        return RefundKind.VOID

    async def _carry_out(self, refund: Refund) -> Refund:
        try:
            answer = await self._ask(refund)
        except OutcomeUnknown as error:
            return await self._refunds.unknown(refund.id, str(error))
        except GatewayError as error:
            return await self._refunds.refused(refund.id, str(error))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the money may have moved
            return await self._refunds.unknown(refund.id, f"unforeseen {type(error).__name__}")
        return await self._end(refund, answer)

    async def _ask(self, refund: Refund, *, again: bool = False) -> GivenBack | NotGivenBack:
        if refund.kind is RefundKind.VOID:
            return await self._giver.void(refund.sale_id, str(refund.id), again=again)
        return await self._giver.refund(
            refund.sale_id,
            amount=refund.amount,
            order_id=refund.order_id,
            request_key=str(refund.id),
            again=again,
        )

    async def _end(self, refund: Refund, answer: GivenBack | NotGivenBack) -> Refund:
        if isinstance(answer, GivenBack):
            return await self._refunds.done(refund.id, answer.transaction_id)
        return await self._refunds.refused(refund.id, answer.why)

    async def _look(self, refund: Refund, age_seconds: float) -> Refund:
        """First in the books, which need no luck; then by asking again, which a key makes safe."""
        try:
            if found := await self._found(refund):
                return await self._end(refund, found)
            if self._giver.request_keys and age_seconds < AGAIN_SECONDS:
                return await self._end(refund, await self._ask(refund, again=True))
        except GatewayError as error:
            return await self._refunds.unknown(refund.id, str(error))
        if age_seconds > GONE_SECONDS:
            return await self._refunds.refused(refund.id, "the gateway never did it")
        return await self._refunds.unknown(refund.id, "not in the gateway's books yet")

    async def _found(self, refund: Refund) -> GivenBack | NotGivenBack | None:
        """What the books say of it; for a void, of the sale itself. Raises GatewayError."""
        if refund.kind is RefundKind.VOID:
            standing = await self._giver.standing(refund.sale_id)
            return GivenBack(refund.sale_id) if standing is Standing.VOIDED else None
        found = [each for each in await self._giver.of_order(refund.order_id) if not each.is_sale]
        if done := [each for each in found if each.standing in TAKEN]:
            return GivenBack(done[0].id)
        if any(each.standing is Standing.PENDING for each in found):
            raise OutcomeUnknown("the gateway has not decided it yet")
        return NotGivenBack("the bank refused it") if found else None
