"""`/v1/links`: links to the pay page that staff makes, sends, looks at and revokes."""

from typing import Annotated, Any, Literal, Protocol, Self

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ivr.billing.links import Link, LinkNow, LinkWish
from ivr.web.captures import Sum, Text
from ivr.web.idempotency import IdempotencyKey
from ivr.web.keys import Key, Keys, Scope
from ivr.web.rows import to_json


class Linking(Protocol):
    """What does it (billing.linking.Linking)."""

    async def make(self, wish: LinkWish) -> Link: ...

    async def look(self, link_id: int) -> LinkNow: ...

    async def revoke(self, link_id: int, who: str) -> None: ...


class NewLink(BaseModel):
    """What it is for, and how the customer gets it."""

    model_config = ConfigDict(extra="forbid")

    account: Text | None = None
    """alone: for all that is due on it"""
    invoices: tuple[Text, ...] = Field((), max_length=50)
    amount: Sum | None = None
    """a part of what is due; without it, all of it"""
    minutes: float | None = Field(None, gt=0, le=86400)
    """how long it may be used; without it, as in calls"""
    tell: tuple[Literal["text", "mail"], ...] = Field((), max_length=2)
    """how the customer gets it; nothing: from you"""

    @model_validator(mode="after")
    def _of_somebody(self) -> Self:
        if not self.account and not self.invoices:
            raise ValueError("name an `account` or `invoices`")
        return self

    def wish(self, minutes: float, who: str, key: str) -> LinkWish:
        """The same in billing's words; `minutes` where none are named."""
        return LinkWish(
            account=self.account or "",
            invoices=tuple(dict.fromkeys(self.invoices)),
            amount=self.amount.money if self.amount else None,
            minutes=self.minutes or minutes,
            tell=tuple(dict.fromkeys(self.tell)),
            who=who,
            key=key,
        )


Id = Annotated[int, Field(ge=0, lt=1 << 48)]


def routes(linking: Linking, keys: Keys, minutes: float) -> APIRouter:
    """Everything below `/v1/links`; a link is good for `minutes` where none are named."""
    router = APIRouter(prefix="/v1/links")
    may_link = Depends(keys.for_(Scope.LINKS))

    @router.post("", status_code=201, summary="Make a link to pay, and send it if you like")
    async def make(
        wanted: NewLink, key: IdempotencyKey, response: Response, holder: Annotated[Key, may_link]
    ) -> dict[str, Any]:
        link = await linking.make(wanted.wish(minutes, holder.name, key))
        response.headers["Location"] = f"/v1/links/{link.id}"
        return _shown(link)

    @router.get("/{link_id}", summary="A link as it is now", dependencies=[may_link])
    async def look(link_id: Id) -> dict[str, Any]:
        now = await linking.look(link_id)
        paid = now.paid and {
            "amount": to_json(now.paid.amount),
            "confirmation": now.paid.confirmation,
        }
        return _shown(now.link) | {"state": now.state.value, "paid": paid}

    @router.delete("/{link_id}", status_code=204, summary="Make a link useless")
    async def revoke(link_id: Id, holder: Annotated[Key, may_link]) -> None:
        await linking.revoke(link_id, holder.name)

    return router


def _shown(link: Link) -> dict[str, Any]:
    return {
        "id": link.id,
        "url": link.url,
        "customer_id": link.customer_id,
        "invoice_ids": list(link.invoice_ids),
        "amounts": to_json(link.amounts) or None,
        "purpose": link.purpose.value,
        "call_id": link.call_id,
        "expires_at": to_json(link.expires_at),
    }
