"""Links in Postgres: what each shows, until when, and one attempt for one press of the button."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from ivr.billing.invoices import Invoice
from ivr.billing.links import Link, LinkKey
from ivr.billing.money import Money
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    Captured,
    CardOnHand,
    DeclineBucket,
    Refusal,
)
from ivr.storage.links import RECEIPT_SECONDS, PostgresLinks
from tests.storage.world import PostgresWorld, opened

CARD = CardOnHand("visa", "1111", "1231", "tokencc_two", by_telephone=False)


@dataclass
class Shop:
    """A customer with a link to two invoices."""

    world: PostgresWorld
    links: PostgresLinks
    invoices: tuple[Invoice, Invoice]
    link: Link

    async def attempt(self, *invoices: Invoice, taken: bool = True) -> Attempt:
        attempt = await opened(self.world, *(invoices or self.invoices))
        assert await self.links.claim(self.link.id, uuid4(), attempt.id, taken=taken)
        return attempt

    async def pays(self, *invoices: Invoice) -> None:
        attempt = await self.attempt(*invoices)
        await self.world.ledger.begin_charging(attempt.id, CARD)
        at = datetime.now(UTC)
        await self.world.ledger.captured(attempt.id, Captured(uuid4().hex[:8], "1000", at))


@pytest.fixture
async def shop(real: PostgresWorld) -> Shop:
    links = PostgresLinks(real.database, LinkKey("k" * 32, "https://pay.example.com"))
    service = await real.service(await real.customer())
    invoices = await real.invoice(service), await real.invoice(service, "36.00")
    link = await links.make(service.customer_id, [each.id for each in invoices], 60)
    return Shop(real, links, invoices, link)


async def test_a_link_shows_what_is_due_on_its_invoices(shop: Shop) -> None:
    bill = await shop.links.bill(shop.link.id)
    assert bill
    assert bill.link == shop.link
    assert [each.id for each in bill.invoices] == [each.id for each in shop.invoices]
    assert bill.amount == Money.of("78.50", "EUR")
    assert (bill.language, bill.declines, bill.paid, bill.confirming) == ("en", 0, None, False)


async def test_a_link_remembers_the_part_that_was_chosen_and_the_call(shop: Shop) -> None:
    first = shop.invoices[0]
    amounts = {first.id: Money.of("10.00", "EUR")}
    made = await shop.links.make(
        first.customer_id, [first.id], 60, amounts=amounts, call_id="call-9"
    )
    bill = await shop.links.bill(made.id)
    assert bill
    assert (bill.amounts, bill.link.call_id) == (amounts, "call-9")


async def test_an_expired_a_revoked_and_an_unknown_link_show_nothing(shop: Shop) -> None:
    late = await shop.links.make(shop.link.customer_id, shop.link.invoice_ids, -1)
    await shop.links.revoke(shop.link.id)
    for link_id in (late.id, shop.link.id, 12345):
        assert await shop.links.bill(link_id) is None
    assert await shop.links.bill(late.id, late_seconds=120)
    assert await shop.links.bill(shop.link.id, late_seconds=120) is None


async def test_a_link_is_used_up_when_all_is_paid_and_shows_the_receipt_for_a_while(
    shop: Shop,
) -> None:
    await shop.pays(shop.invoices[0])
    half = await shop.links.bill(shop.link.id)
    assert half
    assert [each.id for each in half.invoices] == [shop.invoices[1].id]
    await shop.pays(shop.invoices[1])
    done = await shop.links.bill(shop.link.id)
    assert done
    assert done.invoices == ()
    assert done.paid
    assert done.paid.amount == Money.of("36.00", "EUR")
    await shop.world.ask(
        "UPDATE attempts SET ended_at = now() - make_interval(secs => $2) WHERE customer_id = $1",
        shop.link.customer_id,
        RECEIPT_SECONDS + 1,
    )
    assert await shop.links.bill(shop.link.id) is None


async def test_a_link_for_a_part_is_used_up_when_the_part_is_paid(shop: Shop) -> None:
    first = shop.invoices[0]
    amounts = {first.id: first.due}
    shop.link = await shop.links.make(first.customer_id, [first.id], 60, amounts=amounts)
    await shop.pays(first)
    done = await shop.links.bill(shop.link.id)
    assert done
    assert done.invoices == ()


async def test_one_press_is_one_attempt_however_many_ask(shop: Shop) -> None:
    key = uuid4()
    attempts = [await opened(shop.world, *shop.invoices) for _ in range(4)]
    claims = await asyncio.gather(
        *(shop.links.claim(shop.link.id, key, each.id, taken=True) for each in attempts)
    )
    assert sorted(claims) == [False, False, False, True]
    found = await shop.links.attempt(shop.link.id, key)
    assert found
    assert (found.state, found.taken) == (AttemptState.CREATED, True)


async def test_an_approved_paypal_payment_is_taken_once(shop: Shop) -> None:
    key, attempt = uuid4(), await opened(shop.world, *shop.invoices)
    await shop.links.claim(shop.link.id, key, attempt.id, taken=False)
    await shop.links.begun_at_paypal(shop.link.id, key, "PAYID-1")
    assert await shop.links.take(shop.link.id, key, "PAYID-2") is None
    taken = await asyncio.gather(*(shop.links.take(shop.link.id, key, "PAYID-1") for _ in range(4)))
    assert [each for each in taken if each] == [attempt]


async def test_declines_are_counted_and_an_unknown_outcome_is_seen(shop: Shop) -> None:
    declined = await shop.attempt()
    await shop.world.ledger.begin_charging(declined.id, CARD)
    refusal = Refusal("2000", "Do Not Honor", DeclineBucket.SOFT)
    await shop.world.ledger.declined(declined.id, refusal)
    unknown = await shop.attempt(shop.invoices[0])
    await shop.world.ledger.begin_charging(unknown.id, CARD)
    await shop.world.ledger.unknown(unknown.id, "no answer")
    bill = await shop.links.bill(shop.link.id)
    assert bill
    assert (bill.declines, bill.confirming) == (1, True)


async def test_a_call_hears_the_newest_payment_by_its_link(shop: Shop) -> None:
    assert await shop.links.news(shop.link.id) is None
    await shop.attempt(taken=False)  # a PayPal payment that nobody approved yet
    assert await shop.links.news(shop.link.id) is None
    await shop.pays()
    news = await shop.links.news(shop.link.id)
    assert news
    assert (news.state, news.amount) == (AttemptState.CAPTURED, Money.of("78.50", "EUR"))
    assert len(news.confirmation) == 8


async def test_what_was_sent_for_a_card_of_the_page_can_be_sent_again_as_it_was(
    shop: Shop,
) -> None:
    attempt = await shop.attempt()
    await shop.world.ledger.begin_charging(attempt.id, CARD)
    assert await shop.world.ledger.sent(attempt.id) == (CARD, None)
