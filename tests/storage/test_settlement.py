"""A month of payments of every kind, and its report as JSON and CSV: to the last coin."""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from ivr.billing.allocating import oldest_first
from ivr.billing.methods import Method
from ivr.billing.money import Money, total
from ivr.billing.payments import Allocation, Attempt, AttemptState, Captured
from ivr.billing.refunds import RefundKind, RefundWish
from ivr.storage.reports import PostgresReports
from ivr.web.keys import Key, Keys
from ivr.web.reports import COLUMNS, routes
from tests.storage.test_contract_ledger import REFUSAL, one_invoice
from tests.storage.world import CARD, PostgresWorld

FIRST, DAYS, PAYMENTS = date(2033, 3, 20), 10, 60
"""Madrid changes to summer time on the 27th: a day of 23 hours is among them"""
MADRID = ZoneInfo("Europe/Madrid")
CURRENCIES = ("EUR", "USD", "JPY", "KWD")
SUMS = ("charged", "fee", "to_invoices", "not_applied", "refunded")
HEADERS = {"Authorization": f"Bearer {'k' * 32}"}

Line = tuple[str, str, str]
"""day, method, currency"""


@dataclass
class Expected:
    """The same sums, kept by the test as it goes along."""

    sums: dict[Line, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    taken: Counter[str] = field(default_factory=Counter)
    back: Counter[str] = field(default_factory=Counter)

    def add(self, at: datetime, attempt: Attempt, **parts: Money) -> None:
        day = at.astimezone(MADRID).date()
        if FIRST <= day < FIRST + timedelta(days=DAYS):
            line = (day.isoformat(), attempt.method.value, attempt.amount.currency)
            self.sums[line].update({name: each.minor_units for name, each in parts.items()})
            self.taken[line[2]] += parts.get("charged", Money.zero(line[2])).minor_units
            self.back[line[2]] += parts.get("refunded", Money.zero(line[2])).minor_units


@dataclass
class Month:
    """Makes payments by chance, always the same ones."""

    world: PostgresWorld
    chance: random.Random = field(default_factory=lambda: random.Random(1123))
    expected: Expected = field(default_factory=Expected)

    def moment(self) -> datetime:
        """From a day before to a day after, any second."""
        begin = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) - timedelta(days=1)
        return begin + timedelta(seconds=self.chance.randrange((DAYS + 2) * 86_400))

    def some(self, most: Money) -> Money:
        return Money.of_minor_units(self.chance.randint(1, most.minor_units), most.currency)

    async def opened(self) -> Attempt:
        """Of two invoices, or a part of them, with a fee or none."""
        currency = self.chance.choice(CURRENCIES)
        invoices = []
        for _ in range(2):
            amount = Money.of_minor_units(self.chance.randint(2, 99_999), currency)
            invoice = await one_invoice(self.world)
            change = "UPDATE invoices SET currency = $2, amount = $3 WHERE id = $1"
            await self.world.ask(change, invoice.id, currency, amount.amount)
            invoices.append(await self.world.invoice_now(invoice))
        chosen = oldest_first(invoices, self.some(total((one.due for one in invoices), currency)))
        fee = Money.of_minor_units(self.chance.choice((0, 150, 7)), currency)
        number = uuid4()
        attempt = Attempt(
            number, f"saldo-{number}", invoices[0].customer_id, None, chosen.amount + fee,
            tuple(Allocation(each, amount) for each, amount in chosen.amounts.items()),
            AttemptState.CREATED, fee, self.chance.choice(list(Method)),
        )  # fmt: skip
        await self.world.ledger.open_attempt(attempt)
        await self.world.ledger.begin_charging(attempt.id, CARD)
        by = "UPDATE attempts SET method = $2 WHERE id = $1"
        await self.world.ask(by, attempt.id, attempt.method.value)
        return attempt

    async def charged(self) -> Attempt:
        """Taken; now and then one of its invoices was paid elsewhere meanwhile."""
        attempt, at = await self.opened(), self.moment()
        lost = Money.zero(attempt.amount.currency)
        if self.chance.random() < 0.2:
            part = attempt.allocations[-1]
            await self.world.ask("UPDATE invoices SET paid = amount WHERE id = $1", part.invoice_id)
            lost = part.amount
        await self.world.ledger.captured(attempt.id, Captured(f"tx{attempt.id.hex}", "1000", at))
        applied = attempt.amount - attempt.fee - lost
        self.expected.add(
            at, attempt,
            charged=attempt.amount, fee=attempt.fee, to_invoices=applied, not_applied=lost,
            count=Money.of_minor_units(1, attempt.amount.currency),
        )  # fmt: skip
        return attempt

    async def goes_back(self, attempt: Attempt) -> None:
        """Refunded in parts, voided, returned, given back at the gateway's desk, or kept."""
        what = self.chance.choice(["kept", "parts", "void", "returned", "both", "desk"])
        if what in {"parts", "both"}:
            await self.refunds(attempt, self.some(attempt.amount), RefundKind.REFUND)
        if what == "void":
            await self.refunds(attempt, attempt.amount, RefundKind.VOID)
        if what in {"returned", "both"}:
            await self.ends(attempt, AttemptState.RETURNED)
        if what == "desk":
            await self.ends(attempt, AttemptState.VOIDED)

    async def refunds(self, attempt: Attempt, amount: Money, kind: RefundKind) -> None:
        some = None if amount == attempt.amount else amount
        wish = RefundWish(attempt.id, some, "by mistake", "billing", uuid4().hex)
        refund, _ = await self.world.refunds.open(wish, kind)
        await self.world.refunds.done(refund.id, f"credit-{refund.id.hex}")
        at = self.moment()
        await self.world.ask("UPDATE refunds SET ended_at = $2 WHERE id = $1", refund.id, at)
        self.expected.add(at, attempt, refunded=amount)

    async def ends(self, attempt: Attempt, state: AttemptState) -> None:
        await self.world.ledger.became(attempt.id, state)
        at = self.moment()
        await self.world.ask("UPDATE attempts SET ended_at = $2 WHERE id = $1", attempt.id, at)
        self.expected.add(at, attempt, refunded=attempt.amount)

    async def goes_by(self) -> None:
        for _ in range(PAYMENTS):
            await self.goes_back(await self.charged())
        declined = await self.opened()
        await self.world.ledger.declined(declined.id, REFUSAL)
        await self.opened()  # and one that is under way


@pytest.fixture
async def client(real: PostgresWorld) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(routes(PostgresReports(real.database), Keys([Key("k", "k" * 32)])))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://saldo", headers=HEADERS
    ) as asking:
        yield asking


async def test_a_month_adds_up_in_every_currency_as_json_and_as_csv(
    real: PostgresWorld, client: httpx.AsyncClient
) -> None:
    month = Month(real)
    await month.goes_by()
    last = FIRST + timedelta(days=DAYS - 1)
    url = f"/v1/reports/settlement?since={FIRST}&until={last}&zone=Europe/Madrid"
    lines = (await client.get(url)).json()["data"]

    read = {
        (line["day"], line["method"], line["charged"]["currency"]): Counter(
            {name: minor(line[name]) for name in SUMS} | {"count": line["count"]}
        )
        for line in lines
    }
    assert read == month.expected.sums
    assert len(lines) == len(read) > 30
    for sums in read.values():
        assert sums["charged"] == sums["fee"] + sums["to_invoices"] + sums["not_applied"]
    for currency in CURRENCIES:
        of_it = [sums for line, sums in read.items() if line[2] == currency]
        assert sum(each["charged"] for each in of_it) == month.expected.taken[currency] > 0
        assert sum(each["refunded"] for each in of_it) == month.expected.back[currency] > 0

    answer = await client.get(url, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert list(rows[0]) == list(COLUMNS)
    assert rows == list(as_rows(lines))


def minor(money: dict[str, str]) -> int:
    """Its smallest coins; an amount has the decimals of its currency, no more and no fewer."""
    exact = Money.of(money["amount"], money["currency"])
    assert str(exact.amount) == money["amount"]
    return exact.minor_units


def as_rows(lines: list[dict[str, object]]) -> Iterator[dict[str, str]]:
    """The lines of the JSON as a spreadsheet has them."""
    for line in lines:
        amounts = {name: line[name] for name in SUMS}
        flat = {name: each["amount"] for name, each in amounts.items() if isinstance(each, dict)}
        first = line["charged"]
        assert isinstance(first, dict)
        whole = line | flat | {"currency": first["currency"]}
        yield {name: str(whole[name]) for name in COLUMNS}
