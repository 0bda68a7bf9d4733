"""The settlement report over ASGI: JSON, CSV for who asks for it, and what is wrong said."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from ivr.billing.errors import LedgerUnavailable
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.reports import SettlementLine
from ivr.web.errors import add_handlers
from ivr.web.keys import Key, Keys
from ivr.web.reports import prefers_csv, routes

HEADERS = {"Authorization": f"Bearer {'k' * 32}"}
MARCH = "/v1/reports/settlement?since=2026-03-01&until=2026-03-31"


def euros(text: str) -> Money:
    return Money.of(text, "EUR")


LINES = [
    SettlementLine(
        date(2026, 3, 2), Method.CARD,
        euros("44.00"), euros("1.50"), euros("42.50"), euros("0"), euros("0"), 1,
    ),
    SettlementLine(
        date(2026, 3, 3), Method.PAYPAL,
        Money.of(900, "JPY"), Money.of(0, "JPY"), Money.of(800, "JPY"), Money.of(100, "JPY"),
        Money.of(900, "JPY"), 2,
    ),
]  # fmt: skip


class Books:
    """A ledger of two lines, that can be taken away."""

    def __init__(self) -> None:
        self.asked: list[tuple[date, date, str]] = []
        self.away = False

    async def settlement(self, since: date, until: date, zone: str) -> list[SettlementLine]:
        if self.away:
            raise LedgerUnavailable("gone")
        self.asked.append((since, until, zone))
        return LINES


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
async def client(books: Books) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    add_handlers(app)
    app.include_router(routes(books, Keys([Key("k", "k" * 32)])))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://saldo") as asking:
        yield asking


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati"])
async def test_a_report_without_days_is_of_this_month_until_today(
    client: httpx.AsyncClient, books: Books, zone: str
) -> None:
    today = datetime.now(ZoneInfo(zone)).date()
    await client.get(f"/v1/reports/settlement?zone={zone}", headers=HEADERS)
    await client.get("/v1/reports/settlement?until=2026-02-28", headers=HEADERS)
    this_month, february = books.asked
    assert this_month in {
        (day.replace(day=1), day, zone) for day in (today, today + timedelta(days=1))
    }
    assert february == (date(2026, 2, 1), date(2026, 2, 28), "UTC")


async def test_a_line_has_the_split_of_what_was_charged(
    client: httpx.AsyncClient, books: Books
) -> None:
    first, second = (await client.get(f"{MARCH}&zone=Europe/Madrid", headers=HEADERS)).json()[
        "data"
    ]
    assert books.asked == [(date(2026, 3, 1), date(2026, 3, 31), "Europe/Madrid")]
    assert first == {
        "day": "2026-03-02",
        "method": "card",
        "charged": {"amount": "44.00", "currency": "EUR"},
        "fee": {"amount": "1.50", "currency": "EUR"},
        "to_invoices": {"amount": "42.50", "currency": "EUR"},
        "not_applied": {"amount": "0.00", "currency": "EUR"},
        "refunded": {"amount": "0.00", "currency": "EUR"},
        "count": 1,
    }
    assert second["charged"] == {"amount": "900", "currency": "JPY"}


async def test_a_spreadsheet_gets_the_same_as_csv(client: httpx.AsyncClient) -> None:
    answer = await client.get(MARCH, headers=HEADERS | {"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "settlement-2026-03-01-2026-03-31.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [row["charged"] for row in rows] == ["44.00", "900"]
    assert rows[0] == {
        "day": "2026-03-02", "method": "card", "currency": "EUR", "charged": "44.00",
        "fee": "1.50", "to_invoices": "42.50", "not_applied": "0.00", "refunded": "0.00",
        "count": "1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        ("text/csv", True),
        ("text/csv;q=0.9, application/json;q=0.5", True),
        ("text/csv;q=0.5, application/json", False),
        ("application/json", False),
        ("*/*", False),
        ("text/csv;q=0", False),
        ("text/csv;q=much", False),
        ("", False),
    ],
)
def test_csv_is_for_who_prefers_it(accept: str, is_csv: bool) -> None:  # noqa: FBT001 - a case
    assert prefers_csv(accept) is is_csv


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("since=2026-03-02&until=2026-03-01", "until is from 2026-03-02 on"),
        ("since=2026-03-02&until=2028-03-02", "366 days later at most"),
        ("since=2024-03-02", "366 days later at most"),
        ("since=yesterday&until=2026-03-02", "since"),
        ("since=2026-03-02&until=2026-03-02&zone=Europe/Nowhere", "zone is a time zone"),
        ("since=2026-03-02&until=2026-03-02&zone=../etc/passwd", "zone is a time zone"),
        ("since=9999-12-31&until=9999-12-31", "until is from"),
    ],
)
async def test_what_is_wrong_with_the_days_is_said(
    client: httpx.AsyncClient, books: Books, query: str, says: str
) -> None:
    answer = await client.get(f"/v1/reports/settlement?{query}", headers=HEADERS)
    assert (answer.status_code, books.asked) == (422, [])
    problem = answer.json()
    assert says in problem.get("detail", "") + problem["title"]


async def test_nobody_reads_it_without_a_key_or_while_the_database_is_away(
    client: httpx.AsyncClient, books: Books
) -> None:
    assert (await client.get(MARCH)).status_code == 401
    books.away = True
    assert (await client.get(MARCH, headers=HEADERS)).status_code == 503
