"""The table that both processes share: what to collect, and how it ended."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from ivr.billing.bank_accounts import AccountHolder, BankAccountKeyed
from ivr.billing.captures import (
    CaptureField,
    CaptureOutcome,
    CaptureRequest,
    CaptureResult,
    ErrorType,
)
from ivr.billing.payments import CardOnHand
from ivr.storage.pool import Database, Record


class PostgresCaptures:
    """`billing.ports.Captures`. Every method raises LedgerUnavailable.

    The token of a capture is forgotten as soon as a charge has taken it over or its call has
    ended; an outcome read after that has an empty one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, request: CaptureRequest) -> None:
        await self._database.change(
            "open_capture",
            request.id,
            request.call_id,
            request.language,
            [field.value for field in request.fields],
            list(request.brands),
            request.slow,
            request.holder.name if request.holder else None,
            request.holder.mandate if request.holder else None,
        )

    async def request(self, capture_id: UUID) -> CaptureRequest | None:
        row = await self._database.row("capture_request", capture_id)
        if row is None:
            return None
        request = read_request(row, "fields")
        if row["holder"] is None:
            return request
        return replace(request, holder=AccountHolder(row["holder"], row["mandate"]))

    async def close(self, capture_id: UUID, outcome: CaptureOutcome) -> None:
        card, account = outcome.card, outcome.account
        keyed = card or account
        await self._database.change(
            "close_capture",
            capture_id,
            outcome.result.value,
            outcome.error_type.value if outcome.error_type else None,
            card.brand if card else None,
            keyed.last4 if keyed else None,
            card.expires if card else None,
            keyed.token if keyed else None,
            (card.card_hash or None) if card else None,
            account.account_type if account else None,
        )

    async def outcome(self, capture_id: UUID) -> CaptureOutcome | None:
        row = await self._database.row("capture_outcome", capture_id)
        if row is None or row["account_type"] is None:
            return read_outcome(row) if row else None
        account = BankAccountKeyed(row["last4"], row["account_type"], row["token"] or "")
        return CaptureOutcome(CaptureResult(row["result"]), account=account)


def read_request(row: Record, fields: str) -> CaptureRequest:
    """A row of a query that selects a card's capture; `fields` is the column of its fields."""
    return CaptureRequest(
        id=row["id"],
        call_id=row["call_id"],
        language=row["language"],
        fields=tuple(CaptureField(field) for field in row[fields]),
        brands=tuple(row["brands"]),
        slow=row["slow"],
    )


def read_outcome(row: Record) -> CaptureOutcome:
    """A row of a query that selects a capture of a card that is over."""
    card = None
    if row["last4"] is not None:
        card = CardOnHand(
            row["brand"],
            row["last4"],
            row["expires"],
            row["token"] or "",
            card_hash=row["card_hash"] or "",
        )
    error = row["error_type"]
    return CaptureOutcome(CaptureResult(row["result"]), card, ErrorType(error) if error else None)
