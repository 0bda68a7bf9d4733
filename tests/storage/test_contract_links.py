"""What whoever makes links may rely on: the same cases in memory and in Postgres."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ivr.billing.invoices import Invoice
from ivr.billing.links import LinkKey, LinkPurpose
from ivr.billing.money import Money
from ivr.billing.ports import Links
from ivr.storage.links import PostgresLinks
from tests.fakes.links import FakeLinks
from tests.storage.world import PostgresWorld, World

KEY = LinkKey("k" * 32, "https://pay.example.com")


@pytest.fixture
def links(world: World) -> Links:
    if isinstance(world, PostgresWorld):
        return PostgresLinks(world.database, KEY)
    return FakeLinks()


@pytest.fixture
async def invoice(world: World) -> Invoice:
    return await world.invoice(await world.service(await world.customer()))


async def test_a_link_is_bound_to_its_customer_invoices_purpose_and_call(
    links: Links, invoice: Invoice
) -> None:
    part = {invoice.id: Money.of("10.00", "EUR")}
    made = await links.make(
        invoice.customer_id,
        [invoice.id],
        60,
        purpose=LinkPurpose.PAYPAL,
        amounts=part,
        call_id="call-1",
    )
    assert (made.customer_id, made.invoice_ids) == (invoice.customer_id, (invoice.id,))
    assert (made.purpose, made.amounts, made.call_id) == (LinkPurpose.PAYPAL, part, "call-1")
    assert made.url == KEY.url(made.id)


async def test_a_link_expires_after_so_many_minutes(links: Links, invoice: Invoice) -> None:
    hour = await links.make(invoice.customer_id, [invoice.id], 60)
    day = await links.make(invoice.customer_id, [invoice.id], 1440)
    lasts = day.expires_at - hour.expires_at
    assert abs(lasts - timedelta(minutes=1380)) < timedelta(seconds=5)
    assert hour.id != day.id


async def test_there_is_no_news_of_a_link_that_nobody_used(links: Links, invoice: Invoice) -> None:
    made = await links.make(invoice.customer_id, [invoice.id], 60)
    assert await links.news(made.id) is None
