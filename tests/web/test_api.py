"""REST, health and metrics, asked over ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from ivr.billing.customers import CustomerKind
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.money import Money
from ivr.web.api import Sources, build
from ivr.web.errors import PROBLEM
from ivr.web.keys import Key, Keys, Scope
from tests.billing.assistance import Assistance

KEY = "k" * 32
AGENT_KEY = "for agents"
HEADERS = {"Authorization": f"Bearer {KEY}"}


@dataclass(frozen=True)
class Bill:
    """A noun with everything JSON cannot hold by itself."""

    id: int
    due: Money
    due_date: date
    kind: CustomerKind
    attempt: UUID


def bill(number: int) -> Bill:
    due = Money.of("42.50", "EUR")
    return Bill(number, due, date(2026, 5, 1), CustomerKind.PERSON, UUID(int=7))


@dataclass(frozen=True)
class Page:
    items: tuple[Bill, ...]
    before: int | None


class BackEnd:
    """Rows 1 to 5, and a database that can be taken away."""

    def __init__(self) -> None:
        self.away = False

    async def page(self, before: int | None, limit: int) -> Page:
        if self.away:
            raise LedgerUnavailable("gone")
        numbers = [number for number in range(5, 0, -1) if before is None or number < before]
        shown = tuple(bill(number) for number in numbers[:limit])
        return Page(shown, shown[-1].id if len(numbers) > limit else None)

    async def check(self) -> bool:
        return not self.away


@pytest.fixture
def back_end() -> BackEnd:
    return BackEnd()


@pytest.fixture
async def client(back_end: BackEnd) -> AsyncIterator[httpx.AsyncClient]:
    metrics = CollectorRegistry()
    Counter("saldo_calls", "Calls taken", registry=metrics).inc()
    app = build(
        Sources(
            readers={
                "customers": back_end.page,
                "services": back_end.page,
                "invoices": back_end.page,
                "calls": back_end.page,
            },
            checks={"database": back_end.check},
            metrics=metrics,
            keys=Keys([Key("all", KEY), Key("agents", AGENT_KEY, frozenset({Scope.CAPTURES}))]),
            assisting=Assistance().assisting,
        )
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://saldo") as asking:
        yield asking


async def test_the_key_of_agents_opens_captures_and_nothing_else(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {AGENT_KEY}"}
    opened = [
        (await client.get(f"/v1/{what}", headers=headers)).status_code
        for what in ("captures/calls", "customers", "invoices", "calls")
    ]
    assert opened == [200, 403, 403, 403]


async def test_a_page_ends_with_the_cursor_of_the_next(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/invoices?limit=3", headers=HEADERS)).json()
    assert [row["id"] for row in first["data"]] == [5, 4, 3]
    older = f"/v1/invoices?limit=3&before={first['next']}"
    second = (await client.get(older, headers=HEADERS)).json()
    assert ([row["id"] for row in second["data"]], second["next"]) == ([2, 1], None)


async def test_each_list_is_in_openapi_by_its_name_and_what_is_none_is_not_found(
    client: httpx.AsyncClient,
) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/v1/customers", "/v1/services", "/v1/invoices", "/v1/calls"} <= set(paths)
    answer = await client.get("/v1/promotions", headers=HEADERS)
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


async def test_money_is_exact_text(client: httpx.AsyncClient) -> None:
    row = (await client.get("/v1/invoices?limit=1", headers=HEADERS)).json()["data"][0]
    assert row == {
        "id": 5,
        "due": {"amount": "42.50", "currency": "EUR"},
        "due_date": "2026-05-01",
        "kind": "person",
        "attempt": "00000000-0000-0000-0000-000000000007",
    }


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_without_a_valid_key_nothing_is_read(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.get("/v1/customers", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "before=x", "before=0"])
async def test_a_wrong_limit_or_cursor_says_what_is_wrong(
    client: httpx.AsyncClient, query: str
) -> None:
    answer = await client.get(f"/v1/calls?{query}", headers=HEADERS)
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["detail"]


async def test_the_database_away_is_503_and_not_ready(
    client: httpx.AsyncClient, back_end: BackEnd
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    back_end.away = True
    ready = await client.get("/readyz")
    assert (ready.status_code, "database" in ready.json()["detail"]) == (503, True)
    assert (await client.get("/v1/invoices", headers=HEADERS)).status_code == 503
    assert (await client.get("/healthz")).status_code == 200


async def test_metrics_are_in_prometheus_text(client: httpx.AsyncClient) -> None:
    assert "saldo_calls_total 1.0" in (await client.get("/metrics")).text
