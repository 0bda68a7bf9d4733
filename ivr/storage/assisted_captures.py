"""Captures with an agent: whose they are, how far each field is, and which payment they are for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from ivr.billing.assisted_captures import (
    AssistedCapture,
    CardPayment,
    FieldProgress,
    FieldState,
    Leg,
    PaymentStatus,
    Talk,
)
from ivr.billing.captures import CaptureField, ErrorType
from ivr.billing.money import Money
from ivr.billing.payments import Allocation, Attempt, AttemptState, DeclineBucket
from ivr.storage.captures import read_outcome, read_request
from ivr.storage.errors import AlreadyThere
from ivr.storage.pool import Database, Record
from ivr.storage.rows import storable

PAYMENTS = {
    AttemptState.CREATED: PaymentStatus.WAITING,
    AttemptState.CHARGING: PaymentStatus.CHARGING,
    AttemptState.CAPTURED: PaymentStatus.PAID,
    AttemptState.DECLINED: PaymentStatus.DECLINED,
    AttemptState.UNKNOWN: PaymentStatus.UNKNOWN,
    AttemptState.FAILED: PaymentStatus.NOT_CHARGED,
    AttemptState.CANCELED: PaymentStatus.NOT_CHARGED,
    # What happens days later does not change how the talk ended.
    AttemptState.SETTLED: PaymentStatus.PAID,
    AttemptState.VOIDED: PaymentStatus.PAID,
    AttemptState.REFUNDED: PaymentStatus.PAID,
    AttemptState.RETURNED: PaymentStatus.PAID,
}
CANCELED_FOR = {
    "already-paid": PaymentStatus.ALREADY_PAID,
    "being-paid": PaymentStatus.BEING_PAID,
}
"""why begin_charging canceled an attempt"""


class PostgresAssistedCaptures:
    """`billing.ports.AssistedCaptures`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, capture: AssistedCapture) -> bool:
        request = capture.request
        try:
            row = await self._database.change(
                "open_assisted_capture",
                request.id,
                request.call_id,
                request.language,
                [field.value for field in request.fields],
                list(request.brands),
                request.slow,
                capture.key,
                capture.digest,
                capture.daemon,
                _talk_text(capture.talk),
                capture.attempt.id if capture.attempt else None,
                _fields_text(capture.fields),
            )
        except AlreadyThere:  # another request with the same key was a moment faster
            return False
        return row is not None

    async def find(self, capture_id: UUID) -> AssistedCapture | None:
        row = await self._database.row("assisted_capture_by_id", capture_id)
        return _capture(row) if row else None

    async def of_key(self, key: str) -> AssistedCapture | None:
        row = await self._database.row("assisted_capture_by_key", key)
        return _capture(row) if row else None

    async def keep_fields(
        self, capture_id: UUID, fields: Mapping[CaptureField, FieldProgress]
    ) -> None:
        await self._database.change("keep_capture_fields", capture_id, _fields_text(fields))

    async def forget_token(self, capture_id: UUID) -> None:
        await self._database.change("forget_capture_token", capture_id)

    async def unfinished(self, daemon: str, ended_seconds_ago: float) -> list[AssistedCapture]:
        found = await self._database.rows("unfinished_assisted_captures", daemon, ended_seconds_ago)
        return [
            _capture(row) if row["has_just_ended"] in (None, True) else _past(_capture(row))
            for row in found
        ]


def _capture(row: Record) -> AssistedCapture:
    fields = _fields(row["fields"])
    return AssistedCapture(
        request=read_request(row, "asked"),
        talk=_talk(row["talk"]),
        key=row["request_key"],
        digest=row["digest"],
        daemon=row["daemon"],
        fields=fields,
        is_open=any(one.state is not FieldState.WAITING for one in fields.values()),
        outcome=read_outcome(row) if row["result"] is not None else None,
        attempt=_attempt(row) if row["attempt_id"] else None,
        payment=_payment(row) if row["attempt_id"] else None,
    )


def _past(capture: AssistedCapture) -> AssistedCapture:
    """The same with a card that cannot be charged any more."""
    outcome = capture.outcome
    if outcome is None or outcome.card is None:
        return capture
    return replace(capture, outcome=replace(outcome, card=replace(outcome.card, token="")))


def _attempt(row: Record) -> Attempt:
    parts = zip(row["invoice_ids"], row["amounts"], strict=True)
    return Attempt(
        id=row["attempt_id"],
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        call_id=row["call_id"],
        amount=Money(row["amount"], row["currency"]),
        allocations=tuple(
            Allocation(invoice, Money(amount, row["currency"])) for invoice, amount in parts
        ),
        state=AttemptState(row["state"]),
        fee=Money(row["fee"], row["currency"]),
    )


def _payment(row: Record) -> CardPayment:
    status = PAYMENTS[AttemptState(row["state"])]
    if status is PaymentStatus.NOT_CHARGED:
        status = CANCELED_FOR.get(row["reason"], status)
    return CardPayment(
        status,
        Money(row["amount"], row["currency"]),
        Money(row["fee"], row["currency"]),
        row["confirmation"],
        DeclineBucket(row["bucket"]) if row["bucket"] else None,
    )


def _talk_text(talk: Talk) -> str:
    legs = {"caller": talk.caller, "agent": talk.agent}
    shown: dict[str, Any] = {
        side: {key: storable(value) for key, value in asdict(leg).items()}
        for side, leg in legs.items()
    }
    return json.dumps({**shown, "since": talk.since}, ensure_ascii=False)


def _talk(text: str) -> Talk:
    body = json.loads(text)
    return Talk(Leg(**body["caller"]), Leg(**body["agent"]), body["since"])


def _fields_text(fields: Mapping[CaptureField, FieldProgress]) -> str:
    return json.dumps({field.value: asdict(one) for field, one in fields.items()})


def _fields(text: str) -> dict[CaptureField, FieldProgress]:
    return {CaptureField(name): _progress(body) for name, body in json.loads(text).items()}


def _progress(body: Mapping[str, Any]) -> FieldProgress:
    error = body["error_type"]
    return FieldProgress(
        FieldState(body["state"]),
        body["masked"],
        body["attempt"],
        ErrorType(error) if error else None,
    )
