"""`/v1/webhooks`: where signed webhooks go, how far each message got, and dead letters again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, field_validator

from ivr.billing.card_numbers import holds_card_number
from ivr.billing.messages import DeliveryState, Endpoint, known_kind
from ivr.web.idempotency import IdempotencyKey
from ivr.web.keys import Keys, Scope
from ivr.web.rows import to_json

NOWHERE = "There is no such endpoint: GET /v1/webhooks lists them"
Kind = Annotated[
    str, Field(pattern=r"^[a-z-]+(\.[a-z-]+)?$", max_length=64), AfterValidator(known_kind)
]
"""a mistyped one is repeated in the answer: so it has no digit"""


class Endpoints(Protocol):
    """Where webhooks go (storage.webhook_endpoints)."""

    async def add(self, url: str, kinds: Sequence[str], secret: str, key: str) -> Endpoint: ...

    async def all(self) -> list[Endpoint]: ...

    async def rotate(self, endpoint_id: UUID, secret: str, key: str) -> Endpoint | None: ...

    async def enable(self, endpoint_id: UUID, key: str) -> Endpoint | None: ...

    async def delete(self, endpoint_id: UUID) -> bool: ...


class Page(Protocol):
    """A part of a list, newest first (storage.rows.Page)."""

    @property
    def items(self) -> Sequence[object]: ...

    @property
    def before(self) -> int | None: ...


class Deliveries(Protocol):
    """How far messages got (storage.deliveries)."""

    async def recent(
        self,
        before: int | None = None,
        limit: int = 50,
        state: str | None = None,
        endpoint_id: UUID | None = None,
    ) -> Page: ...

    async def redeliver(self, delivery_id: int, key: str) -> bool | None: ...


class NewEndpoint(BaseModel):
    """An address, and what is told there."""

    model_config = ConfigDict(extra="forbid")

    url: HttpUrl
    kinds: tuple[Kind, ...] = Field((), max_length=50)
    """empty: everything"""

    @field_validator("url")
    @classmethod
    def _can_be_kept(cls, url: HttpUrl) -> HttpUrl:
        if url.username or url.password:
            raise ValueError("leave user and password out: webhooks are signed")
        if holds_card_number(str(url)):
            raise ValueError("there is what could be a card number in it: addresses are kept")
        return url


def routes(
    endpoints: Endpoints,
    deliveries: Deliveries,
    new_secret: Callable[[], str],
    keys: Keys,
    allowed: Callable[[str], bool],
    *,
    plain_http: bool = False,
) -> APIRouter:
    """Everything below `/v1/webhooks`, for endpoints at hosts that are `allowed`.

    `plain_http` lets addresses without TLS in.
    """
    router = APIRouter(prefix="/v1/webhooks", dependencies=[Depends(keys.for_(Scope.WEBHOOKS))])

    def check(url: HttpUrl) -> None:
        if url.scheme != "https" and not plain_http:
            raise HTTPException(422, "An endpoint needs https, or set [webhooks] plain_http")
        if not allowed(url.host or ""):
            raise HTTPException(422, "This address is not on the internet: see [webhooks] networks")

    _add_endpoints(router, endpoints, new_secret, check)
    _add_deliveries(router, deliveries)
    return router


def _add_endpoints(
    router: APIRouter,
    endpoints: Endpoints,
    new_secret: Callable[[], str],
    check: Callable[[HttpUrl], None],
) -> None:
    @router.get("", summary="Where webhooks go")
    async def listed() -> dict[str, Any]:
        return {"data": [document(each) for each in await endpoints.all()]}

    @router.post("", status_code=201, summary="A new endpoint; its secret is shown this once")
    async def add(wanted: NewEndpoint, key: IdempotencyKey) -> dict[str, Any]:
        check(wanted.url)
        endpoint = await endpoints.add(str(wanted.url), wanted.kinds, new_secret(), key)
        return {**document(endpoint), "secret": endpoint.secret}

    @router.post("/{endpoint_id}/secret", summary="A new secret, shown once; both sign for a day")
    async def rotate(endpoint_id: UUID, key: IdempotencyKey) -> dict[str, Any]:
        endpoint = _there(await endpoints.rotate(endpoint_id, new_secret(), key))
        return {**document(endpoint), "secret": endpoint.secret}

    @router.post("/{endpoint_id}/enable", summary="After it was disabled: webhooks from now on")
    async def enable(endpoint_id: UUID, key: IdempotencyKey) -> dict[str, Any]:
        return document(_there(await endpoints.enable(endpoint_id, key)))

    @router.delete("/{endpoint_id}", status_code=204, summary="Nothing goes there any more")
    async def delete(endpoint_id: UUID) -> Response:
        if not await endpoints.delete(endpoint_id):
            raise HTTPException(404, NOWHERE)
        return Response(status_code=204)


def _add_deliveries(router: APIRouter, deliveries: Deliveries) -> None:
    @router.get("/deliveries", summary="How far messages got; state=dead: the dead letters")
    async def recent(
        before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        state: DeliveryState | None = None,
        endpoint: UUID | None = None,
    ) -> dict[str, Any]:
        found = await deliveries.recent(before, limit, state, endpoint)
        return {"data": [to_json(item) for item in found.items], "next": found.before}

    @router.post("/deliveries/{delivery_id}/redeliver", status_code=202, summary="Once more, now")
    async def redeliver(
        delivery_id: Annotated[int, Path(ge=1, lt=2**63)], key: IdempotencyKey
    ) -> dict[str, str]:
        match await deliveries.redeliver(delivery_id, key):
            case None:
                raise HTTPException(404, "There is no such delivery")
            case False:
                raise HTTPException(409, "Its endpoint takes nothing now: enable it first")
        return {"state": "waiting"}


def _there(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise HTTPException(404, NOWHERE)
    return endpoint


def document(endpoint: Endpoint) -> dict[str, Any]:
    """What may be seen of an endpoint: never a secret."""
    return {
        "id": str(endpoint.id),
        "url": endpoint.url,
        "kinds": list(endpoint.kinds),
        "state": endpoint.state,
        "why": endpoint.why,
        "created_at": to_json(endpoint.created_at),
    }
