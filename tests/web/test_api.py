"""REST, health and metrics, asked over ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from ivr.billing.errors import LedgerUnavailable
from ivr.web.api import Row, Sources, build

KEY = "k" * 32
HEADERS = {"Authorization": f"Bearer {KEY}"}


class BackEnd:
    """Rows 1 to 5, and a database that can be taken away."""

    def __init__(self) -> None:
        self.away = False

    async def rows(self, after: str | None, limit: int) -> list[Row]:
        if self.away:
            raise LedgerUnavailable("gone")
        first = int(after or 0) + 1
        return [{"id": str(number)} for number in range(first, 6)][:limit]

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
                "customers": back_end.rows,
                "services": back_end.rows,
                "invoices": back_end.rows,
                "payments": back_end.rows,
                "calls": back_end.rows,
            },
            checks={"database": back_end.check},
            metrics=metrics,
            api_key=KEY,
        )
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://saldo") as asking:
        yield asking


async def test_a_page_ends_with_the_cursor_of_the_next(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/invoices?limit=3", headers=HEADERS)).json()
    assert [row["id"] for row in first["data"]] == ["1", "2", "3"]
    second = (
        await client.get(f"/v1/invoices?limit=3&after={first['next']}", headers=HEADERS)
    ).json()
    assert ([row["id"] for row in second["data"]], second["next"]) == (["4", "5"], None)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_without_a_valid_key_nothing_is_read(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.get("/v1/customers", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x"])
async def test_a_wrong_limit_says_what_is_wrong(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/calls?{query}", headers=HEADERS)
    assert answer.status_code == 422
    assert "limit" in answer.json()["detail"]


async def test_a_cursor_of_nothing_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/calls?after=zzz", headers=HEADERS)
    assert (answer.status_code, "cursor" in answer.json()["title"]) == (400, True)


async def test_the_database_away_is_503_and_not_ready(
    client: httpx.AsyncClient, back_end: BackEnd
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    back_end.away = True
    ready = await client.get("/readyz")
    assert (ready.status_code, "database" in ready.json()["detail"]) == (503, True)
    assert (await client.get("/v1/payments", headers=HEADERS)).status_code == 503
    assert (await client.get("/healthz")).status_code == 200


async def test_metrics_are_in_prometheus_text(client: httpx.AsyncClient) -> None:
    assert "saldo_calls_total 1.0" in (await client.get("/metrics")).text
