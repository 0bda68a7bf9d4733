"""Payments over REST: found by number and state, and everything about one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from ivr.billing.errors import AttemptNotFound
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payment_records import (
    PaidInvoice,
    PaymentDetails,
    PaymentRecord,
    Step,
    StepKind,
)
from ivr.billing.payments import AttemptState
from ivr.web.errors import PROBLEM, add_handlers
from ivr.web.keys import Key, Keys, Scope
from ivr.web.payments import as_kept, routes

READER = {"Authorization": f"Bearer {'r' * 32}"}
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
ZERO = Money.zero("EUR")


def record(amount: str = "42.50") -> PaymentRecord:
    return PaymentRecord(
        uuid4(), "saldo-1", 7, "1042", "James Smith", "call", Money.of(amount, "EUR"), ZERO, ZERO,
        ZERO, Method.CARD, AttemptState.CAPTURED, "visa", "1111", None, None, "sale1", "1000",
        "12345678", None, NOON, NOON,
    )  # fmt: skip


@dataclass(frozen=True)
class Page:
    items: tuple[PaymentRecord, ...]
    before: int | None


@dataclass
class Shelf:
    """Two payments, and what was asked for."""

    kept: tuple[PaymentRecord, ...] = field(default_factory=lambda: (record(), record("36.00")))
    asked: list[tuple[int | None, int, str, Collection[AttemptState]]] = field(default_factory=list)

    async def matching(
        self,
        before: int | None,
        limit: int,
        *,
        number: str = "",
        states: Collection[AttemptState] = (),
    ) -> Page:
        self.asked.append((before, limit, number, states))
        return Page(self.kept, 17)

    async def details(self, payment_id: UUID) -> PaymentDetails:
        for each in self.kept:
            if each.id == payment_id:
                part = PaidInvoice(
                    "F-1", "Mobile", date(2026, 3, 31), each.amount, each.amount, ZERO, ZERO
                )
                step = Step(NOON, StepKind.CAPTURED, None, None)
                return PaymentDetails(
                    each, by_link=False, needs_person=False, invoices=(part,), refunds=(),
                    steps=(step,),
                )  # fmt: skip
        raise AttemptNotFound(f"no payment {payment_id}")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def http(shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    reader = Key("reader", "r" * 32, frozenset({Scope.READ}))
    agent = Key("agent", "a" * 32, frozenset({Scope.CAPTURES}))
    app = FastAPI()
    add_handlers(app)
    app.include_router(routes(shelf, Keys([reader, agent])))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://saldo") as asking:
        yield asking


async def test_a_page_says_what_a_clerk_looks_for(http: httpx.AsyncClient, shelf: Shelf) -> None:
    answer = (await http.get("/v1/payments?limit=2", headers=READER)).json()
    assert answer["next"] == 17
    first: dict[str, Any] = answer["data"][0]
    assert first["amount"] == {"amount": "42.50", "currency": "EUR"}
    assert (first["customer_name"], first["account_number"]) == ("James Smith", "1042")
    assert (first["brand"], first["last4"], first["state"]) == ("visa", "1111", "captured")
    assert shelf.asked == [(None, 2, "", frozenset())]


async def test_a_number_and_states_are_looked_for(http: httpx.AsyncClient, shelf: Shelf) -> None:
    query = "number=1234%205678&state=captured&state=settled&before=9"
    assert (await http.get(f"/v1/payments?{query}", headers=READER)).status_code == 200
    paid = frozenset({AttemptState.CAPTURED, AttemptState.SETTLED})
    assert shelf.asked == [(9, 100, "12345678", paid)]


@pytest.mark.parametrize(
    "query", ["state=lost", f"number={'9' * 65}", "before=0", f"before={2**63}", "limit=501"]
)
async def test_what_cannot_be_looked_for_is_refused(
    http: httpx.AsyncClient, shelf: Shelf, query: str
) -> None:
    answer = await http.get(f"/v1/payments?{query}", headers=READER)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert query.partition("=")[0] in answer.text
    assert shelf.asked == []


@pytest.mark.parametrize(
    ("typed", "kept"),
    [(" 1234 5678 ", "12345678"), ("F-2026 7", "F-2026 7"), ("a\0b", "ab"), ("", ""), (" ", "")],
)
def test_digits_in_groups_are_one_number(typed: str, kept: str) -> None:
    assert as_kept(typed) == kept


async def test_one_payment_comes_with_invoices_and_history(
    http: httpx.AsyncClient, shelf: Shelf
) -> None:
    one = shelf.kept[0]
    shown = (await http.get(f"/v1/payments/{one.id}", headers=READER)).json()
    assert (shown["id"], shown["confirmation"], shown["refunds"]) == (str(one.id), "12345678", [])
    assert shown["invoices"][0]["applied"] == {"amount": "42.50", "currency": "EUR"}
    assert shown["steps"] == [
        {"at": NOON.isoformat(), "kind": "captured", "why": None, "refund": None}
    ]


async def test_a_payment_that_nobody_knows_is_not_found(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/v1/payments/{uuid4()}", headers=READER)
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


async def test_only_keys_that_may_read_do(http: httpx.AsyncClient, shelf: Shelf) -> None:
    for place in ("/v1/payments", f"/v1/payments/{shelf.kept[0].id}"):
        agent = await http.get(place, headers={"Authorization": f"Bearer {'a' * 32}"})
        assert (agent.status_code, (await http.get(place)).status_code) == (403, 401)
    assert shelf.asked == []
