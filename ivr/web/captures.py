"""`/v1/captures`: cards asked for while an agent talks with the caller. Never a digit of a card."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal, Protocol, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ivr.billing.assisted_captures import (
    NECESSARY,
    AssistedCapture,
    CardPayment,
    Leg,
    Talk,
    Wanted,
)
from ivr.billing.captures import ACCOUNT_FIELDS, CARD_FIELDS, CaptureField
from ivr.billing.money import Money
from ivr.billing.payments import CardOnHand
from ivr.web.idempotency import IdempotencyKey
from ivr.web.keys import Keys, Scope
from ivr.web.rows import to_json

Text = Annotated[str, Field(min_length=1, max_length=128)]


class Assisting(Protocol):
    """What does it (billing.assisting.Assisting). Every method raises CaptureError."""

    async def calls(self) -> list[Talk]: ...

    async def begin(self, wanted: Wanted) -> AssistedCapture: ...

    async def find(self, capture_id: UUID) -> AssistedCapture: ...

    def changes(self, capture_id: UUID) -> AsyncIterator[AssistedCapture]: ...

    async def ask(self, capture_id: UUID, asked: CaptureField) -> AssistedCapture: ...

    async def complete(self, capture_id: UUID) -> AssistedCapture: ...

    async def cancel(self, capture_id: UUID) -> AssistedCapture: ...


class Sum(BaseModel):
    """Money, as the API writes it too."""

    model_config = ConfigDict(extra="forbid")

    amount: str = Field(pattern=r"^[0-9]{1,11}(\.[0-9]{1,3})?$")
    currency: str = Field(pattern=r"^[A-Z]{3}$")

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        """Refuse zero, and what the currency cannot express (that raises a ValueError)."""
        if not self.money:
            raise ValueError("amount: more than zero")
        return self

    @property
    def money(self) -> Money:
        return Money.of(self.amount, self.currency)


class NewCapture(BaseModel):
    """Whose card, and what for."""

    model_config = ConfigDict(extra="forbid")

    channel: Text
    """id or name of the caller's channel"""
    agent_channel: Text | None = None
    account: Text | None = None
    invoices: tuple[Text, ...] = Field((), max_length=50)
    amount: Sum | None = None
    """a part of what is due on the invoices; without it, all of it"""
    language: Literal["en", "es"] | None = None
    fields: tuple[CaptureField, ...] = CARD_FIELDS

    @model_validator(mode="after")
    def _fields_make_a_card(self) -> Self:
        if len(set(self.fields)) < len(self.fields) or not set(self.fields) >= NECESSARY:
            raise ValueError(f"fields: each once, and at least {' and '.join(sorted(NECESSARY))}")
        if set(self.fields) & set(ACCOUNT_FIELDS):
            raise ValueError("fields: bank accounts are taken without an agent")
        return self

    def wanted(self, key: str) -> Wanted:
        """The same in billing's words."""
        return Wanted(
            key=key,
            channel=self.channel,
            agent_channel=self.agent_channel or "",
            account=self.account or "",
            invoices=tuple(dict.fromkeys(self.invoices)),
            amount=self.amount.money if self.amount else None,
            language=self.language or "",
            fields=self.fields,
        )


class Change(BaseModel):
    """One thing to be done with a capture."""

    model_config = ConfigDict(extra="forbid")

    capture: CaptureField | None = None
    """ask the caller for this field, again or for the first time"""
    status: Literal["complete", "cancel"] | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.capture is None) == (self.status is None):
            raise ValueError("name either `capture` or `status`")
        return self


def routes(assisting: Assisting, keys: Keys) -> APIRouter:
    """Everything below `/v1/captures`."""
    router = APIRouter(prefix="/v1/captures", dependencies=[Depends(keys.for_(Scope.CAPTURES))])

    @router.get("/calls", summary="The talks of two that a card could be asked for in")
    async def calls() -> dict[str, Any]:
        return {"data": [_call(talk) for talk in await assisting.calls()]}

    @router.post("", status_code=201, summary="Take a talk into the secure part")
    async def begin(wanted: NewCapture, key: IdempotencyKey, response: Response) -> dict[str, Any]:
        capture = await assisting.begin(wanted.wanted(key))
        response.headers["Location"] = f"/v1/captures/{capture.id}"
        return document(capture)

    @router.get("/{capture_id}", summary="A capture as it is now")
    async def read(capture_id: UUID) -> dict[str, Any]:
        return document(await assisting.find(capture_id))

    @router.patch("/{capture_id}", summary="Ask for a field, complete, or cancel")
    async def change(capture_id: UUID, wanted: Change) -> dict[str, Any]:
        if wanted.capture is not None:
            return document(await assisting.ask(capture_id, wanted.capture))
        if wanted.status == "complete":
            return document(await assisting.complete(capture_id))
        return document(await assisting.cancel(capture_id))

    @router.get("/{capture_id}/events", summary="The document at each change (server-sent events)")
    async def events(capture_id: UUID) -> StreamingResponse:
        await assisting.find(capture_id)  # a capture that is not there is a problem, not a stream
        return StreamingResponse(
            _events(assisting.changes(capture_id)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


def document(capture: AssistedCapture) -> dict[str, Any]:
    """What anybody with a key may see of it."""
    outcome = capture.outcome
    return {
        "id": str(capture.id),
        "status": capture.status.value,
        "result": outcome.result.value if outcome else None,
        "caller": _leg(capture.talk.caller),
        "agent": _leg(capture.talk.agent),
        "language": capture.request.language,
        "fields": {field.value: to_json(capture.fields[field]) for field in capture.request.fields},
        "required": _names(capture.required),
        "card": _card(capture.card),
        "payment": _payment(capture.payment),
    }


async def _events(changes: AsyncIterator[AssistedCapture]) -> AsyncIterator[str]:
    async for capture in changes:
        yield f"event: capture\ndata: {json.dumps(document(capture))}\n\n"


def _names(fields: Sequence[CaptureField]) -> list[str]:
    return [field.value for field in fields]


def _call(talk: Talk) -> dict[str, Any]:
    return {"caller": _leg(talk.caller), "agent": _leg(talk.agent), "since": talk.since}


def _leg(leg: Leg) -> dict[str, str]:
    return {
        "channel": leg.channel_id,
        "device": leg.channel,
        "number": leg.number,
        "name": leg.name,
    }


def _card(card: CardOnHand | None) -> dict[str, str] | None:
    if card is None:
        return None
    return {"brand": card.brand, "last4": card.last4, "expires": card.expires}


def _payment(payment: CardPayment | None) -> dict[str, Any] | None:
    return to_json(payment) if payment else None
