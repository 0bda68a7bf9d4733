"""`saldo payments list`: which payments it shows, and how."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from ivr.billing.customers import Customer
from ivr.billing.invoices import Invoice
from ivr.billing.payments import Attempt, confirmation_code
from ivr.storage.pool import Database
from tests.cli.terminal import Ran, Typed
from tests.storage.test_contract_ledger import CAPTURED, charging
from tests.storage.world import CARD, PostgresWorld, opened

TODAY = datetime.now(UTC)
DAY = timedelta(days=1)


class Office:
    """A customer with payments, and a clerk at a terminal."""

    def __init__(self, typed: Typed, world: PostgresWorld, customer: Customer) -> None:
        self.customer, self.world = customer, world
        self._typed = typed

    async def opens(self) -> Attempt:
        return await opened(self.world, await self._bill())

    async def pays(self) -> Attempt:
        attempt = await charging(self.world, await self._bill())
        await self.world.ledger.captured(attempt.id, CAPTURED)
        return attempt

    async def begun(self, attempt: Attempt, at: datetime) -> None:
        await self.world.ask("UPDATE attempts SET created_at = $2 WHERE id = $1", attempt.id, at)

    async def lists(self, *words: str) -> Ran:
        account = self.customer.account_number
        command = ("payments", "list", "--account", account, *words)
        return await asyncio.to_thread(self._typed, *command)

    async def ids(self, *words: str) -> list[str]:
        ran = await self.lists("--json", *words)
        assert (ran.status, ran.err) == (0, "")
        return [each["id"] for each in json.loads(ran.out)]

    async def _bill(self) -> Invoice:
        return await self.world.invoice(await self.world.service(self.customer))


@pytest.fixture
async def office(
    typed: Typed, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Office:
    monkeypatch.setenv("SALDO_DATABASE__URL", database_url)
    world = PostgresWorld(database)
    return Office(typed, world, await world.customer())


async def test_a_payment_is_shown_with_what_a_clerk_needs_to_find_it(office: Office) -> None:
    paid = await office.pays()
    ran = await office.lists()
    assert (ran.status, ran.err) == (0, "")
    (line,) = (line for line in ran.out.splitlines() if str(paid.id) in line)
    confirmation = confirmation_code(paid.id)
    for word in (office.customer.account_number, "42.50 EUR", "card", "captured", confirmation):
        assert word in line
    assert f"│ {CARD.last4} " in line
    assert f"{TODAY:%Y-%m-%d}" in line or f"{TODAY + DAY:%Y-%m-%d}" in line


async def test_the_newest_is_first_and_of_more_it_is_said_that_there_are(office: Office) -> None:
    first, second, third = [await office.opens() for _ in range(3)]
    assert await office.ids() == [str(each.id) for each in (third, second, first)]
    ran = await office.lists("--limit", "2")
    assert str(first.id) not in ran.out
    assert "only the newest 2" in ran.out
    assert "only the newest" not in (await office.lists("--limit", "3")).out


async def test_payments_of_others_are_not_shown(office: Office) -> None:
    mine = await office.opens()
    theirs = await office.world.service(await office.world.customer())
    await opened(office.world, await office.world.invoice(theirs))
    assert await office.ids() == [str(mine.id)]


async def test_an_account_is_known_by_the_billers_own_key_too(office: Office, typed: Typed) -> None:
    mine = await office.opens()
    key = await office.world.ask(
        "SELECT external_id FROM customers WHERE id = $1", office.customer.id
    )
    ran = await asyncio.to_thread(typed, "payments", "list", "--account", str(key), "--json")
    assert [each["id"] for each in json.loads(ran.out)] == [str(mine.id)]


async def test_states_are_chosen(office: Office) -> None:
    paid, left = await office.pays(), await office.opens()
    assert await office.ids("--state", "captured") == [str(paid.id)]
    assert await office.ids("--state", "created") == [str(left.id)]
    both = ("--state", "captured", "--state", "created")
    assert await office.ids(*both) == [str(left.id), str(paid.id)]


async def test_both_days_are_whole(office: Office) -> None:
    early, late, after = [await office.opens() for _ in range(3)]
    await office.begun(early, datetime(2026, 3, 1, tzinfo=UTC))
    await office.begun(late, datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC))
    await office.begun(after, datetime(2026, 3, 3, tzinfo=UTC))
    days = ("--since", "2026-03-01", "--until", "2026-03-02")
    assert await office.ids(*days) == [str(late.id), str(early.id)]
    assert await office.ids("--since", "2026-03-02") == [str(after.id), str(late.id)]
    assert await office.ids("--until", "2026-03-01") == [str(early.id)]
    assert len(await office.ids("--until", "9999-12-31")) == 3


async def test_where_there_is_none_it_says_so(office: Office) -> None:
    ran = await office.lists()
    assert (ran.status, ran.out) == (0, "no such payments\n")
    assert await office.ids() == []
