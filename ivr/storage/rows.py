"""Database rows into the nouns of billing, and pages of them for lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ivr.billing.customers import (
    Customer,
    CustomerKind,
    Service,
    ServiceStatus,
    SuspensionReason,
)
from ivr.billing.invoices import Invoice
from ivr.billing.money import Money
from ivr.storage.pool import Record

Item = TypeVar("Item")
LONGEST_FOREIGN_TEXT = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list, newest first."""

    items: tuple[Item, ...]
    before: int | None
    """the cursor of the next page; None on the last one"""


def page(
    rows: Sequence[Record], limit: int, cursor: str, from_row: Callable[[Record], Item]
) -> Page[Item]:
    """A page from `limit` + 1 rows asked for: the row too many tells that there are more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(tuple(from_row(row) for row in shown), shown[-1][cursor] if more else None)


def storable(text: str) -> str:
    """Text from outside as Postgres can keep it: no NUL, no broken UTF-8, not endless."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:LONGEST_FOREIGN_TEXT]


def customer(row: Record) -> Customer:
    """A row of a query that selects a customer."""
    return Customer(
        id=row["id"],
        account_number=row["account_number"],
        kind=CustomerKind(row["kind"]),
        name=row["name"],
        language=row["language"],
        postal_code=row["postal_code"],
    )


def service(row: Record) -> Service:
    """A row of a query that selects a line."""
    reason = row["suspended_for"]
    return Service(
        id=row["id"],
        customer_id=row["customer_id"],
        label=row["label"],
        number=row["number"],
        status=ServiceStatus(row["status"]),
        suspended_for=SuspensionReason(reason) if reason else None,
    )


def invoice(row: Record) -> Invoice:
    """A row of a query that selects an invoice with its line."""
    return Invoice(
        id=row["id"],
        number=row["number"],
        customer_id=row["customer_id"],
        service_id=row["service_id"],
        service_label=row["service_label"],
        amount=Money(row["amount"], row["currency"]),
        paid=Money(row["paid"], row["currency"]),
        due_date=row["due_date"],
    )
