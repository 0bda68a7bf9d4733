"""Old rows are deleted once a day by one node; payments and what proves them never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest

from ivr.billing.calls import CallArrived, CallEnded, CallOutcome
from ivr.billing.customers import ServiceStatus, SuspensionReason
from ivr.billing.invoices import Invoice
from ivr.billing.limits import Subjects
from ivr.billing.links import LinkKey
from ivr.billing.payments import Attempt, AttemptState
from ivr.billing.promises import Promise, parts_of
from ivr.billing.settling import Became
from ivr.storage import sql
from ivr.storage.deliveries import PostgresDeliveries
from ivr.storage.limits import PostgresTries
from ivr.storage.links import PostgresLinks
from ivr.storage.pool import Database
from ivr.storage.promises import PostgresPromises
from ivr.storage.tidying import KINDS, PostgresTidying, Tidied
from tests.storage.test_assisted_captures import SUCCESS, kept
from tests.storage.test_contract_bank_accounts import debited, told
from tests.storage.test_contract_ledger import CAPTURED, one_invoice
from tests.storage.test_deliveries import Office
from tests.storage.world import CARD, PostgresWorld, opened

DAYS = dict.fromkeys(KINDS, 90)
NEVER = (
    "customers", "services", "invoices", "attempts", "allocations", "refunds", "refund_steps",
    "mandates", "card_consents", "cards_on_file", "promises", "promise_parts", "doubts", "strays",
    "comparisons", "link_attempts",
)  # fmt: skip
AGES = {
    "deliveries": "ended_at",
    "events": "created_at",
    "links": "expires_at",
    "captures": "opened_at",
    "gateway_notifications": "received_at",
    "calls": "arrived_at",
    "identification_tries": "hour",
    "daemons": "beat_at",
}
KEY = LinkKey("k" * 32, "https://pay.example.com")
DAY = (date(2026, 1, 1) + timedelta(days=number) for number in count())


class House:
    """A database with something of every kind in it."""

    def __init__(self, real: PostgresWorld) -> None:
        self.real = real
        self.links = PostgresLinks(real.database, KEY)
        self.tidying = PostgresTidying(real.database, at_once=3)

    async def ages(self, days: int) -> None:
        """Everything that is here is so many days older."""
        for table, at in AGES.items():
            await self.real.ask(f"UPDATE {table} SET {at} = {at} - make_interval(days => $1)", days)

    async def rows(self, *tables: str) -> dict[str, object]:
        return {table: await self.real.ask(f"SELECT count(*) FROM {table}") for table in tables}

    async def tidy(self, **days: int) -> Tidied:
        tidied = await self.tidying.tidy(next(DAY), DAYS | days)
        assert tidied is not None
        return tidied

    async def call(self, *, ended: bool = True) -> str:
        call_id = uuid4().hex
        at = datetime.now(UTC)
        arrived = CallArrived(call_id, "17.1", call_id, "+34600111222", "pay", "node1", at)
        await self.real.calls.arrived(arrived)
        if ended:
            await self.real.calls.ended(call_id, CallEnded(CallOutcome.NOT_PAID, "en", None, at))
        return call_id

    async def paid(self) -> Attempt:
        """In a call, by a link, after the card was keyed; the line comes back; all is told."""
        invoice = await one_invoice(self.real, SuspensionReason.NON_PAYMENT)
        attempt = await opened(self.real, invoice, call_id=await self.call())
        link = await self.links.make(invoice.customer_id, [invoice.id], 60)
        assert await self.links.claim(link.id, uuid4(), attempt.id, taken=True)
        await self.real.ledger.begin_charging(attempt.id, CARD)
        await self.real.ledger.captured(attempt.id, CAPTURED)
        return attempt

    async def promised(self, invoice: Invoice) -> None:
        parts = parts_of({invoice.id: invoice.due})
        day = datetime.now(UTC).date()
        promise = Promise(
            uuid4(),
            invoice.customer_id,
            await self.call(),
            invoice.due,
            day,
            parts,
            datetime.now(UTC),
        )
        await PostgresPromises(self.real.database).make(promise)


@pytest.fixture
async def house(real: PostgresWorld) -> AsyncIterator[House]:
    tables = [
        "deliveries",
        "webhook_endpoints",
        "link_attempts",
        "link_invoices",
        "assisted_captures",
    ]
    for table in [*tables, *AGES, "tidyings"]:
        await real.ask(f"DELETE FROM {table}")
    yield House(real)
    await real.ask("DROP TABLE IF EXISTS holds")


async def everything(house: House) -> None:
    """One of each kind, and payments and promises with all that belongs to them."""
    office = Office(house.real)
    await office.endpoints.add("https://crm.example/", (), "whsec_c2VjcmV0")
    await house.paid()
    await office.paid()
    await house.promised(await one_invoice(house.real))
    invoice = await one_invoice(house.real)
    await house.links.make(invoice.customer_id, [invoice.id], 60)
    await house.call()
    capture = await kept(house.real)
    await house.real.captures.close(capture.id, SUCCESS)
    await house.real.ask("UPDATE captures SET token = NULL")
    await PostgresTries(house.real.database).count_identification(Subjects.of("+34600000782", "1"))
    _, sale = await debited(house.real, await one_invoice(house.real))
    ignored = told(sale, AttemptState.SETTLED)
    await house.real.notifications.keep(ignored, None, Became.IGNORED)
    await (await house.real.node()).die()
    await office.drain()


async def test_what_is_old_goes_and_what_belongs_to_a_payment_or_promise_stays(
    house: House,
) -> None:
    await everything(house)
    before = await house.rows(*NEVER)
    assert all(before[each] for each in ("attempts", "mandates", "promises", "link_attempts"))
    await house.ages(91)
    tidied = await house.tidy()
    assert tidied.refused == {}
    assert set(tidied.deleted) == set(KINDS) - {"dead_letters"}
    assert await house.rows(*NEVER) == before
    left = await house.rows(*AGES, "assisted_captures", "link_invoices")
    assert left == dict.fromkeys(left, 0) | {
        "calls": 2, "events": 2, "links": 1, "link_invoices": 1,
    }  # fmt: skip


async def test_what_is_young_stays(house: House) -> None:
    await everything(house)
    await house.ages(89)
    before = await house.rows(*NEVER, *AGES)
    tidied = await house.tidy(tries=90, daemons=90)
    assert tidied == Tidied()
    assert await house.rows(*NEVER, *AGES) == before


async def test_what_is_to_be_kept_for_ever_is_kept(house: House) -> None:
    await everything(house)
    await house.ages(10_000)
    before = await house.rows(*AGES)
    assert await house.tidying.tidy(next(DAY), {}) == Tidied()
    assert await house.rows(*AGES) == before


async def test_a_batch_follows_the_other_until_nothing_old_is_left(house: House) -> None:
    for _ in range(10):
        await house.call()
    await house.paid()
    await house.ages(91)
    assert (await house.tidy()).deleted["calls"] == 10


async def test_rows_of_the_same_moment_are_not_left_out(house: House) -> None:
    for _ in range(10):
        await house.call()
    await house.real.ask("UPDATE calls SET arrived_at = now() - interval '91 days'")
    assert (await house.tidy()).deleted == {"calls": 10}


async def test_a_message_that_still_waits_is_never_deleted(house: House) -> None:
    office = Office(house.real)
    await office.paid()
    assert await office.claim()
    await house.ages(10_000)
    waiting = "SELECT count(*) FROM deliveries WHERE state = 'waiting'"
    before = await house.real.ask(waiting)
    assert before
    await house.tidy()
    assert await house.real.ask(waiting) == before
    assert await house.rows("deliveries") == {"deliveries": before}


async def test_a_dead_letter_waits_longer_for_somebody_to_send_it_again(house: House) -> None:
    office = Office(house.real)
    await office.endpoints.add("https://crm.example/", (), "whsec_c2VjcmV0")
    await office.paid()
    await office.claim()
    await house.real.ask("UPDATE deliveries SET state = 'dead', ended_at = now(), claim = NULL")
    dead = await house.real.ask("SELECT count(*) FROM deliveries")
    await house.ages(91)
    assert "deliveries" not in (await house.tidy(dead_letters=365)).deleted
    page = await PostgresDeliveries(house.real.database).recent(state="dead")
    assert len(page.items) == dead
    await house.ages(365)
    assert (await house.tidy(dead_letters=365)).deleted["dead_letters"] == dead


async def test_a_debit_that_is_returned_years_later_suspends_the_lines_it_brought_back(
    house: House,
) -> None:
    line = await house.real.service(await house.real.customer(), SuspensionReason.NON_PAYMENT)
    attempt, _ = await debited(house.real, await house.real.invoice(line))
    await Office(house.real).drain()
    await house.ages(1000)
    assert (await house.tidy()).deleted["events"]
    await house.real.ledger.became(attempt.id, AttemptState.RETURNED)
    assert (await house.real.service_now(line)).status is ServiceStatus.SUSPENDED


async def test_a_field_whose_token_must_be_taken_back_stays(house: House) -> None:
    capture = await kept(house.real)
    await house.real.captures.close(capture.id, SUCCESS)
    await house.ages(91)
    assert (await house.tidy()).deleted == {}
    assert await house.real.assisted.find(capture.id)


@pytest.mark.parametrize("column", ["asked_by", "revoked_by"])
async def test_who_of_staff_asked_for_a_link_or_revoked_it_stays_known(
    house: House, column: str
) -> None:
    invoice = await one_invoice(house.real)
    for _ in range(2):
        link = await house.links.make(invoice.customer_id, [invoice.id], 60)
    await house.real.ask(f"UPDATE links SET {column} = 'billing' WHERE id = $1", link.id)
    await house.ages(10_000)
    assert (await house.tidy()).deleted == {"links": 1}
    assert await house.real.ask("SELECT id FROM links") == link.id


async def test_a_call_that_has_not_ended_stays(house: House) -> None:
    await house.call(ended=False)
    await house.ages(91)
    assert (await house.tidy(calls=90)).deleted == {}


async def test_of_nodes_that_tidy_at_once_one_does_and_the_day_is_done(
    house: House, database_url: str
) -> None:
    for _ in range(10):
        await house.call()
    await house.ages(91)
    other = await Database.open(database_url)
    try:
        nodes = [PostgresTidying(each, at_once=1) for each in (house.real.database, other)]
        day = next(DAY)
        came_to = await asyncio.gather(*(node.tidy(day, DAYS) for node in nodes))
        assert [each for each in came_to if each] == [Tidied({"calls": 10})]
        assert [await node.tidy(day, DAYS) for node in nodes] == [None, None]
        assert await nodes[1].tidy(next(DAY), DAYS) == Tidied()
    finally:
        await other.close()


async def test_what_one_kind_is_refused_holds_up_no_other_and_is_tried_again(house: House) -> None:
    office = Office(house.real)
    await office.paid()
    await office.drain()
    await house.call()
    await house.real.ask("CREATE TABLE holds (event_id bigint REFERENCES events)")
    await house.real.ask("INSERT INTO holds SELECT min(id) FROM events")
    await house.ages(91)
    day = next(DAY)
    tidied = await house.tidying.tidy(day, DAYS)
    assert tidied is not None
    assert list(tidied.refused) == ["events"]
    assert tidied.deleted["calls"] == 1
    await house.real.ask("DROP TABLE holds")
    again = await house.tidying.tidy(day, DAYS)
    assert again is not None
    assert list(again.deleted) == ["events"]


async def test_days_of_long_ago_are_forgotten(house: House) -> None:
    for day in (date(2030, 1, 1), date(2030, 12, 31), date(2031, 1, 2)):
        await house.tidying.tidy(day, {})
    assert await house.real.ask("SELECT min(day) FROM tidyings WHERE day >= '2030-01-01'") == date(
        2030, 12, 31
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "daemons"])
async def test_what_is_old_is_found_by_an_index(real: PostgresWorld, kind: str) -> None:
    """A table of millions is neither read from end to end nor sorted."""
    query = sql.QUERIES[f"tidy_{kind}"].text
    for number, value in (("$1", "90"), ("$2", "NULL"), ("$3", "500")):
        query = query.replace(number, value)
    async with real.database.transaction() as session:
        await session.raw.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        rows = await session.raw.fetch(f"EXPLAIN {query}")
    plan = "\n".join(row[0] for row in rows)
    finding = plan.partition("CTE old")[2].partition("CTE")[0]
    assert "Index" in finding
    assert "Seq Scan" not in finding
    assert "Sort" not in finding
