"""`/v1/payments/{id}/refund` and `/void`: money that staff gives back, with reason and trail."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ivr.billing.errors import LedgerUnavailable, MoneyNotUnderstood
from ivr.billing.money import Money
from ivr.billing.refunding import Outlook
from ivr.billing.refunds import Refund, RefundState, RefundWish
from ivr.web.idempotency import IdempotencyKey
from ivr.web.keys import Key, Keys, Scope
from ivr.web.rows import to_json

NOT_WRITTEN = (
    "The database is away: ask again with the same Idempotency-Key to learn what became of it; "
    "nothing is given back twice"
)
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=300)]


class Refunding(Protocol):
    """What does it (billing.refunding.Refunding)."""

    async def give_back(self, wish: RefundWish) -> Refund: ...

    async def outlook(self, attempt_id: UUID) -> Outlook: ...


class Refunds(Protocol):
    """What was done (storage.refunds.PostgresRefunds)."""

    async def of_payment(self, attempt_id: UUID) -> Sequence[Refund]:
        """Raises AttemptNotFound."""
        ...


class NewVoid(BaseModel):
    """Why a whole payment is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason
    reopen: bool = False
    """whether its invoices are owed again"""


class Amount(BaseModel):
    """As amounts are shown in payments."""

    model_config = ConfigDict(extra="forbid")

    amount: Annotated[Decimal, Field(gt=0, max_digits=14)]
    currency: str = Field(pattern="^[A-Z]{3}$")


class NewRefund(NewVoid):
    """Why money is given back, and how much of it."""

    amount: Amount | None = None
    """without: all that is left"""

    @property
    def money(self) -> Money | None:
        """Raises HTTPException: it cannot be."""
        if self.amount is None:
            return None
        try:
            return Money(self.amount.amount, self.amount.currency)
        except MoneyNotUnderstood as error:
            raise HTTPException(422, f"amount: {error}") from None


def routes(refunding: Refunding, refunds: Refunds, keys: Keys) -> APIRouter:
    """Everything below `/v1/payments/{id}`."""
    router = APIRouter(prefix="/v1/payments")
    may_refund = Depends(keys.for_(Scope.REFUNDS))

    @router.get(
        "/{payment_id}/refunds",
        summary="What was given back of a payment, or asked for",
        dependencies=[Depends(keys.for_(Scope.READ))],
    )
    async def given_back(payment_id: UUID) -> dict[str, Any]:
        return {"data": [to_json(each) for each in await refunds.of_payment(payment_id)]}

    @router.get(
        "/{payment_id}/refundable",
        summary="How it would be given back now, by void or refund, and how much is left",
        dependencies=[may_refund],
    )
    async def refundable(payment_id: UUID) -> dict[str, Any]:
        shown: dict[str, Any] = to_json(await refunding.outlook(payment_id))
        return shown

    @router.post(
        "/{payment_id}/refund",
        status_code=201,
        summary="Give money back: all that is left or a part; 202 while it is not known whether",
    )
    async def refund(
        payment_id: UUID,
        wanted: NewRefund,
        key: IdempotencyKey,
        response: Response,
        holder: Annotated[Key, may_refund],
    ) -> dict[str, Any]:
        wish = RefundWish(
            payment_id, wanted.money, wanted.reason, holder.name, key, reopen=wanted.reopen
        )
        return await _answer(refunding, wish, response)

    @router.post(
        "/{payment_id}/void",
        status_code=201,
        summary="Take a whole payment back before it is settled; 202 while it is not known whether",
    )
    async def void(
        payment_id: UUID,
        wanted: NewVoid,
        key: IdempotencyKey,
        response: Response,
        holder: Annotated[Key, may_refund],
    ) -> dict[str, Any]:
        wish = RefundWish(
            payment_id, None, wanted.reason, holder.name, key, wanted.reopen, only_void=True
        )
        return await _answer(refunding, wish, response)

    return router


async def _answer(refunding: Refunding, wish: RefundWish, response: Response) -> dict[str, Any]:
    try:
        refund = await refunding.give_back(wish)
    except LedgerUnavailable:  # perhaps after the gateway had been asked
        raise HTTPException(503, NOT_WRITTEN) from None
    if refund.state is RefundState.REFUSED:
        raise HTTPException(409, f"Nothing was given back: {refund.why}")
    if refund.is_open:
        response.status_code = 202
    shown: dict[str, Any] = to_json(refund)
    return shown
