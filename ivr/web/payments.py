"""`/v1/payments`: lists, found by number and state, and everything about one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ivr.billing.payment_records import PaymentDetails
from ivr.billing.payments import AttemptState
from ivr.web.api import Page
from ivr.web.keys import Keys, Scope
from ivr.web.rows import to_json


class Payments(Protocol):
    """Where they are read (storage.payment_records.PostgresPayments)."""

    async def matching(
        self,
        before: int | None,
        limit: int,
        *,
        number: str = "",
        states: Collection[AttemptState] = (),
    ) -> Page: ...

    async def details(self, payment_id: UUID) -> PaymentDetails: ...


def routes(payments: Payments, keys: Keys) -> APIRouter:
    """What may be read of payments."""
    may_read = Depends(keys.for_(Scope.READ))
    router = APIRouter(prefix="/v1/payments", dependencies=[may_read])

    @router.get("", summary="One page, newest first; `next` is the cursor of the page after")
    async def page(
        number: Annotated[
            str,
            Query(
                max_length=64,
                description="of a confirmation, account, invoice, order, or gateway transaction",
            ),
        ] = "",
        state: Annotated[list[AttemptState] | None, Query(description="one of these")] = None,
        before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        found = await payments.matching(
            before, limit, number=as_kept(number), states=frozenset(state or ())
        )
        return {"data": [to_json(item) for item in found.items], "next": found.before}

    @router.get(
        "/{payment_id}",
        summary="One payment: its invoices, what was given back, and what happened when",
    )
    async def one(payment_id: UUID) -> dict[str, Any]:
        details: dict[str, Any] = to_json(await payments.details(payment_id))
        return {**details.pop("payment"), **details}

    return router


def as_kept(number: str) -> str:
    """What somebody typed or pasted: digits in groups are one number."""
    number = number.strip().replace("\0", "")
    joined = number.replace(" ", "")
    return joined if joined.isascii() and joined.isdigit() else number
