"""Promises to pay, kept the same in memory and in Postgres."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from ivr.billing.customers import Customer
from ivr.billing.errors import PromiseRefused
from ivr.billing.invoices import Invoice
from ivr.billing.money import Money
from ivr.billing.payments import Captured, CardOnHand
from ivr.billing.promises import Promise, PromiseRules, PromiseState, amount_of, parts_of
from ivr.billing.promising import Promises, Promising, today
from ivr.storage.promises import PostgresPromises
from ivr.web.rows import to_json
from tests.fakes.promises import FakePromises
from tests.storage.world import FakeWorld, PostgresWorld, World, opened

TODAY = today()
WAITING = """SELECT EXISTS (SELECT FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock')"""


def promises_of(world: World) -> Promises:
    if isinstance(world, PostgresWorld):
        return PostgresPromises(world.database)
    assert isinstance(world, FakeWorld)
    return FakePromises(world.company)


def promised(customer: Customer, *invoices: Invoice, day: date = TODAY) -> Promise:
    parts = parts_of({each.id: each.due for each in invoices})
    amount = amount_of(parts, "EUR")
    return Promise(uuid4(), customer.id, "call-1", amount, day, parts, datetime.now(UTC))


async def an_invoice(world: World, paid: str = "0") -> tuple[Customer, Invoice]:
    customer = await world.customer()
    return customer, await world.invoice(await world.service(customer), "42.50", paid=paid)


async def pay(world: World, invoice: Invoice) -> None:
    attempt = await opened(world, invoice)
    card = CardOnHand("visa", "1111", "1230", f"token-{attempt.id}")
    await world.ledger.begin_charging(attempt.id, card)
    captured = Captured(f"tx{attempt.id.hex}", "1000", datetime.now(UTC))
    await world.ledger.captured(attempt.id, captured)


async def test_a_promise_is_open_until_it_is_paid(world: World) -> None:
    customer, invoice = await an_invoice(world, paid="2.50")
    promises = promises_of(world)
    promise = promised(customer, invoice)
    await promises.make(promise)
    (kept,) = await promises.of_customer(customer.id)
    assert (kept.id, kept.amount, kept.day) == (promise.id, Money.of("40.00", "EUR"), TODAY)
    assert kept.state(TODAY) is PromiseState.OPEN
    await pay(world, invoice)
    (kept,) = await promises.of_customer(customer.id)
    assert kept.state(TODAY) is PromiseState.KEPT


async def test_a_promise_that_is_made_again_changes_nothing(world: World) -> None:
    customer, invoice = await an_invoice(world)
    promises = promises_of(world)
    promise = promised(customer, invoice)
    await promises.make(promise)
    await promises.make(promise)
    assert len(await promises.of_customer(customer.id)) == 1


async def test_an_invoice_is_promised_once_at_a_time(world: World) -> None:
    customer, invoice = await an_invoice(world)
    promises = promises_of(world)
    await promises.make(promised(customer, invoice))
    with pytest.raises(PromiseRefused):
        await promises.make(promised(customer, invoice, day=TODAY + timedelta(days=1)))


async def test_of_calls_that_promise_one_invoice_at_once_one_is_kept_and_the_others_are_told(
    real: PostgresWorld,
) -> None:
    """Each of them also promises another, in another order: nobody locks anybody out."""
    customer, invoice = await an_invoice(real)
    others = [await an_invoice(real) for _ in range(6)]
    promises = PostgresPromises(real.database)
    await asyncio.gather(*(real.ask("SELECT pg_sleep(0.1)") for _ in others))  # all are connected
    made = await asyncio.gather(
        *(
            promises.make(promised(customer, *([invoice, other][:: (-1) ** number])))
            for number, (_, other) in enumerate(others)
        ),
        return_exceptions=True,
    )
    assert [type(each) for each in made if each is not None] == [PromiseRefused] * 5
    (kept,) = await promises.of_customer(customer.id)
    assert kept.parts[0].invoice_id == invoice.id


async def test_a_promise_waits_for_one_that_is_being_written_and_is_then_refused(
    real: PostgresWorld,
) -> None:
    customer, invoice = await an_invoice(real)
    first, second = promised(customer, invoice), promised(customer, invoice)
    async with real.database.transaction() as session:
        await session.run("lock_promised_invoices", [invoice.id])
        making = asyncio.create_task(PostgresPromises(real.database).make(second))
        async with asyncio.timeout(4):
            while not await real.ask(WAITING):  # noqa: ASYNC110 - Postgres has to be asked again
                await asyncio.sleep(0.01)
        written = (first.id, first.customer_id, first.call_id, invoice.due.amount, "EUR")
        amounts = ([invoice.id], [invoice.due.amount], first.day, "42.50")
        assert await session.row("make_promise", *written, *amounts)
    with pytest.raises(PromiseRefused):
        await making
    assert [each.id for each in await PostgresPromises(real.database).of_customer(customer.id)] == [
        first.id
    ]


async def test_more_than_is_due_is_not_promised(world: World) -> None:
    customer, invoice = await an_invoice(world)
    promise = promised(customer, invoice)
    await pay(world, invoice)
    with pytest.raises(PromiseRefused):
        await promises_of(world).make(promise)
    assert await promises_of(world).of_customer(customer.id) == []


async def test_after_a_broken_promise_another_may_be_made(real: PostgresWorld) -> None:
    customer, invoice = await an_invoice(real)
    promises = PostgresPromises(real.database)
    await promises.make(promised(customer, invoice, day=TODAY - timedelta(days=1)))
    await promises.make(promised(customer, invoice))
    states = [each.state(TODAY) for each in await promises.of_customer(customer.id)]
    assert states == [PromiseState.OPEN, PromiseState.BROKEN]


async def test_a_payment_after_the_day_does_not_keep_it(real: PostgresWorld) -> None:
    customer, invoice = await an_invoice(real)
    promises = PostgresPromises(real.database)
    await promises.make(promised(customer, invoice, day=TODAY - timedelta(days=1)))
    await pay(real, invoice)
    (late,) = await promises.of_customer(customer.id)
    assert late.state(TODAY) is PromiseState.BROKEN
    assert late.parts[0].paid_late == invoice.due


async def test_a_payment_made_elsewhere_keeps_it(real: PostgresWorld) -> None:
    customer, invoice = await an_invoice(real)
    promises = PostgresPromises(real.database)
    await promises.make(promised(customer, invoice, day=TODAY - timedelta(days=1)))
    await real.ask("UPDATE invoices SET paid = amount WHERE id = $1", invoice.id)
    (kept,) = await promises.of_customer(customer.id)
    assert kept.state(TODAY) is PromiseState.KEPT


async def test_a_promise_is_told_in_the_same_commit(real: PostgresWorld) -> None:
    customer, invoice = await an_invoice(real)
    promise = promised(customer, invoice, day=date(2030, 3, 5))
    await PostgresPromises(real.database).make(promise)
    told = await real.ask(
        """SELECT array_agg(topic || ' ' || kind || ' ' || (payload ->> 'day') ORDER BY id)
           FROM events WHERE payload ->> 'promise' = $1""",
        str(promise.id),
    )
    assert told == ["webhook promise.made 2030-03-05", "text promise 2030-03-05"]


async def test_promises_are_listed_newest_first_with_their_state(real: PostgresWorld) -> None:
    promises = PostgresPromises(real.database)
    made = []
    for _ in range(3):
        customer, invoice = await an_invoice(real)
        made.append(promised(customer, invoice))
        await promises.make(made[-1])
    first = await promises.recent(limit=2)
    assert [each.id for each in first.items] == [made[2].id, made[1].id]
    shown = to_json(first.items[0])
    assert (shown["state"], shown["amount"]) == ("open", {"amount": "42.50", "currency": "EUR"})
    assert shown["day"] == TODAY.isoformat()
    rest = await promises.recent(before=first.before, limit=1)
    assert [(each.id, each.state) for each in rest.items] == [(made[0].id, PromiseState.OPEN)]


async def test_who_broke_two_may_promise_no_more_for_half_a_year(world: World) -> None:
    customer, invoice = await an_invoice(world)
    promises = promises_of(world)
    for days in (30, 20):
        broken = promised(customer, invoice, day=TODAY - timedelta(days=days))
        await promises.make(broken)
    promising = Promising(promises, PromiseRules(broken_allowed=2))
    assert not await promising.may_promise(customer, [invoice])
    later = replace(promising, today=lambda: TODAY + timedelta(days=181))
    assert await later.may_promise(customer, [invoice])


async def test_a_day_too_far_away_is_refused(world: World) -> None:
    customer, invoice = await an_invoice(world)
    promising = Promising(promises_of(world), PromiseRules(days_ahead=7))
    due = {invoice.id: invoice.due}
    with pytest.raises(PromiseRefused):
        await promising.promise(customer, due, TODAY + timedelta(days=8), "call-1")
    made = await promising.promise(customer, due, TODAY + timedelta(days=7), "call-1")
    assert (made.amount, made.customer_id) == (invoice.due, customer.id)
