"""What is on its way: written down before it is tried, tried by one node at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from ivr.billing.card_numbers import without_card_numbers
from ivr.billing.errors import BillingError
from ivr.billing.messages import (
    Channel,
    Delivery,
    DeliveryState,
    Endpoint,
    address_on_file,
    no_use,
)
from ivr.billing.money import Money
from ivr.storage.pool import Database, Record
from ivr.storage.rows import Page, page, storable

PLANNED_AT_ONCE = 200
IDS = {"payment", "invoice", "service", "customer"}
"""what of a payload is read from its table, and not shown as it is"""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """How far one message to one target got."""

    id: int
    event_id: int
    kind: str
    topic: str
    channel: Channel
    endpoint_id: UUID | None
    state: DeliveryState
    attempts: int
    error: str | None
    """why it is skipped, dead, or was not taken the last time"""
    answer: str | None
    """what the other side said last"""
    attempt_id: UUID | None
    call_id: str | None
    created_at: datetime
    ended_at: datetime | None
    next_at: datetime | None


class PostgresDeliveries:
    """`billing.delivering.Deliveries`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claim = uuid4()

    async def plan(self, channels: Collection[Channel], soap_kinds: Collection[str]) -> bool:
        row = await self._database.change(
            "plan_deliveries", [*channels], [*soap_kinds], PLANNED_AT_ONCE
        )
        return row is not None and row["planned"] == PLANNED_AT_ONCE

    async def claim(
        self, channels: Collection[Channel], busy: Mapping[str, int], most: int, seconds: float
    ) -> list[Delivery]:
        async with self._database.session() as session:
            rows = await session.rows(
                "claim_deliveries",
                [channel for channel in channels if channel is not Channel.WEBHOOK],
                most,
                [*busy],
                [*busy.values()],
                seconds,
                self._claim,
            )
        return [delivery for row in rows if (delivery := await self._read(row))]

    async def _read(self, row: Record) -> Delivery | None:
        """One that cannot be read is dead, and holds up no other."""
        try:
            return _delivery(row)
        except (BillingError, LookupError, TypeError, ValueError) as error:
            why = f"it cannot be read ({type(error).__name__})"
        await self._database.change(
            "end_delivery", row["id"], self._claim, DeliveryState.DEAD.value, why, None, None
        )
        return None

    async def ended(
        self, delivery: Delivery, state: DeliveryState, why: str | None, answer: str
    ) -> None:
        await self._end(delivery, state, why, answer, None)

    async def failed(self, delivery: Delivery, why: str, answer: str, pause_seconds: float) -> None:
        await self._end(delivery, DeliveryState.WAITING, why, answer, pause_seconds)

    async def release(self, deliveries: Collection[Delivery]) -> None:
        ids = [delivery.id for delivery in deliveries]
        await self._database.change("release_deliveries", ids, self._claim)

    async def recent(
        self,
        before: int | None = None,
        limit: int = 50,
        state: str | None = None,
        endpoint_id: UUID | None = None,
    ) -> Page[DeliveryRecord]:
        """Deliveries, newest first, older than the cursor; in a state and to an endpoint."""
        found = await self._database.rows(
            "recent_deliveries", before, state, endpoint_id, limit + 1
        )
        return page(found, limit, "id", _record)

    async def redeliver(self, delivery_id: int, key: str) -> bool | None:
        """Begin again at once; None: there is none. False: its endpoint takes nothing now.

        Asked for with the key of the last time, nothing is sent once more.
        """
        row = await self._database.change("redeliver", delivery_id, key)
        return None if row is None else bool(row["open"])

    async def _end(
        self,
        delivery: Delivery,
        state: DeliveryState,
        why: str | None,
        answer: str,
        pause_seconds: float | None,
    ) -> None:
        await self._database.change(
            "end_delivery",
            delivery.id,
            self._claim,
            state.value,
            _kept(why),
            _kept(answer) or None,
            pause_seconds,
        )


def _kept(text: str | None) -> str | None:
    """What others write must not stop us: the columns refuse card numbers."""
    return None if text is None else without_card_numbers(storable(text))


def _delivery(row: Record) -> Delivery:
    payload = json.loads(row["payload"])
    address, nowhere = _address(row)
    useless = no_use(
        row["kind"],
        is_late=bool(row["too_late"]),
        line_status=row["status"],
        suspended_for=row["suspended_for"],
    )
    return Delivery(
        id=row["id"],
        event_id=row["event_id"],
        channel=Channel(row["channel"]),
        target=row["target"],
        kind=row["kind"],
        happened_at=row["happened_at"],
        attempts=row["attempts"],
        age_seconds=row["age"],
        facts=_facts(row, _own(payload, row["told_of_call"])),
        address=address,
        endpoint=_endpoint(row) if row["endpoint_id"] else None,
        moot=useless or nowhere,
    )


def _own(payload: dict[str, Any], call_id: str | None) -> dict[str, Any]:
    """What a message brings itself, and the call that it is of."""
    own = {key: payload[key] for key in payload if key not in IDS}
    return own | ({"call_id": call_id} if call_id else {})


def _address(row: Record) -> tuple[str, str]:
    match row["channel"]:
        case Channel.TEXT:
            on_file, own = row["phone"] or "", row["address_of_a_line"]
        case Channel.MAIL:
            on_file, own = row["email"] or "", False
        case _:
            return "", ""
    return address_on_file(row["address"], on_file, is_own_line=own)


def _endpoint(row: Record) -> Endpoint:
    return Endpoint(row["endpoint_id"], row["url"], row["secret"], row["previous_secret"])


def _facts(row: Record, message: dict[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {"message": message}
    if row["payment_id"]:
        facts["payment"] = _payment(row)
        facts["invoices"] = _bills(row["bills"])
        facts["reactivated"] = tuple(json.loads(row["lines_back"] or "[]"))
    if row["invoice_id"]:
        facts["invoice"] = _invoice(row)
    if row["service_id"]:
        facts["service"] = {
            "id": row["service_id"],
            "external_id": row["service_external_id"],
            "label": row["label"],
            "status": row["status"],
            "suspended_for": row["suspended_for"],
        }
    if row["customer_id"]:
        facts["customer"] = {
            "id": row["customer_id"],
            "external_id": row["customer_external_id"],
            "name": row["customer_name"],
            "language": row["language"],
        }
    return facts


def _payment(row: Record) -> dict[str, Any]:
    currency = row["currency"]
    return {
        "id": row["payment_id"],
        "order_id": row["order_id"],
        "state": row["payment_state"],
        "method": row["method"],
        "amount": Money(row["amount"], currency).amount,
        "fee": Money(row["fee"], currency).amount,
        "currency": currency,
        "brand": row["brand"],
        "last4": row["last4"],
        "bucket": row["bucket"],
        "processor_code": row["processor_code"],
        "confirmation": row["confirmation"],
        "transaction_id": row["transaction_id"],
        "call_id": row["call_id"],
        "captured_at": row["captured_at"],
    }


def _invoice(row: Record) -> dict[str, Any]:
    currency = row["invoice_currency"]
    amount, paid = Money(row["invoice_amount"], currency), Money(row["paid"], currency)
    return {
        "id": row["invoice_id"],
        "number": row["number"],
        "amount": amount.amount,
        "paid": paid.amount,
        "due": (amount - paid).amount,
        "currency": currency,
        "due_date": row["due_date"],
    }


def _bills(found: str | None) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            **bill,
            "amount": Money.of(bill["amount"], bill["currency"]).amount,
            "applied": Money.of(bill["applied"], bill["currency"]).amount,
        }
        for bill in json.loads(found or "[]")
    )


def _record(row: Record) -> DeliveryRecord:
    return DeliveryRecord(
        id=row["id"],
        event_id=row["event_id"],
        kind=row["kind"],
        topic=row["topic"],
        channel=Channel(row["channel"]),
        endpoint_id=row["endpoint_id"],
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        error=row["error"],
        answer=row["answer"],
        attempt_id=row["attempt_id"],
        call_id=row["call_id"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        next_at=row["next_at"],
    )
