"""Messages on their way: planned, claimed by one node, in order, and only what still holds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ivr.billing.captures import CaptureRequest
from ivr.billing.customers import SuspensionReason
from ivr.billing.messages import Channel, Delivery, DeliveryState, Endpoint, Message
from ivr.billing.payments import Attempt
from ivr.storage.bell import Bell
from ivr.storage.captures import PostgresCaptures
from ivr.storage.deliveries import PostgresDeliveries
from ivr.storage.events import PostgresEvents
from ivr.storage.pool import Database
from ivr.storage.webhook_endpoints import PostgresEndpoints
from tests.storage.test_assisted_captures import SUCCESS, kept
from tests.storage.test_contract_ledger import CAPTURED, REFUSAL, charging, one_invoice
from tests.storage.world import PostgresWorld

ALL = tuple(Channel)
SECRET = "whsec_c2VjcmV0"
PHONE, EMAIL = "+34600000001", "ana@example.com"


class Office:
    """Two nodes that deliver, an endpoint, and a look at how messages fared."""

    def __init__(self, real: PostgresWorld) -> None:
        self.real = real
        self.events = PostgresEvents(real.database)
        self.endpoints = PostgresEndpoints(real.database)
        self.nodes = [PostgresDeliveries(real.database) for _ in range(2)]

    async def paid(self, phone: str = PHONE, email: str = EMAIL) -> Attempt:
        """A payment that brings a line back, captured."""
        invoice = await one_invoice(self.real, SuspensionReason.NON_PAYMENT)
        attempt = await charging(self.real, invoice)
        await self.real.ask(
            "UPDATE customers SET phone = $2, email = $3 WHERE id = $1",
            attempt.customer_id, phone, email,
        )  # fmt: skip
        await self.real.ledger.captured(attempt.id, CAPTURED)
        return attempt

    async def claim(self, node: int = 0, *, channels: tuple[Channel, ...] = ALL) -> list[Delivery]:
        while await self.nodes[node].plan(channels, ["invoice.paid"]):
            pass
        return await self.nodes[node].claim(channels, {}, 100, 60)

    async def drain(self) -> list[Delivery]:
        """Deliver all there is, and give it in the order in which it was claimed."""
        told: list[Delivery] = []
        while claimed := await self.claim():
            for delivery in claimed:
                await self.nodes[0].ended(delivery, DeliveryState.DELIVERED, None, "ok")
            told += claimed
        return told

    async def due_now(self) -> None:
        await self.real.ask("UPDATE deliveries SET next_at = now() WHERE state = 'waiting'")


@pytest.fixture
async def office(real: PostgresWorld) -> Office:
    for table in ("deliveries", "webhook_endpoints", "events"):
        await real.ask(f"DELETE FROM {table}")
    return Office(real)


def of(channel: Channel, told: list[Delivery]) -> list[str]:
    return [delivery.kind for delivery in told if delivery.channel is channel]


def at(endpoint: Endpoint, told: list[Delivery]) -> list[str]:
    return [delivery.kind for delivery in told if delivery.target == str(endpoint.id)]


async def test_a_payment_is_told_to_every_endpoint_by_soap_by_text_and_by_mail(
    office: Office,
) -> None:
    everything = await office.endpoints.add("https://crm.example/", (), SECRET)
    only = await office.endpoints.add("https://lines.example/", ("service.reactivated",), SECRET)
    await office.paid()
    told = await office.drain()
    captured = ["payment.captured", "invoice.paid", "service.reactivated"]
    assert at(everything, told) == captured
    assert at(only, told) == ["service.reactivated"]
    assert of(Channel.SOAP, told) == ["invoice.paid"]
    assert of(Channel.TEXT, told) == ["receipt"]
    assert of(Channel.MAIL, told) == ["receipt"]


async def test_programs_are_told_why_a_payment_was_declined(office: Office) -> None:
    await office.endpoints.add("https://crm.example/", (), SECRET)
    attempt = await charging(office.real, await one_invoice(office.real))
    await office.real.ledger.declined(attempt.id, REFUSAL)
    (told,) = await office.drain()
    assert (told.kind, told.channel) == ("payment.declined", Channel.WEBHOOK)
    payment = told.facts["payment"]
    assert (payment["bucket"], payment["processor_code"]) == (REFUSAL.bucket, REFUSAL.code)
    assert (payment["state"], payment["last4"]) == ("declined", "1111")


async def test_what_is_told_is_read_when_it_is_claimed(office: Office) -> None:
    attempt = await office.paid()
    (receipt,) = await office.claim(channels=(Channel.TEXT,))
    assert receipt.address == PHONE
    assert receipt.facts["payment"]["amount"] == attempt.amount.amount
    assert receipt.facts["payment"]["last4"] == "1111"
    assert [bill["applied"] for bill in receipt.facts["invoices"]] == [attempt.amount.amount]
    assert [line["label"] for line in receipt.facts["reactivated"]] == ["James's mobile"]
    assert "whsec" not in repr(receipt)
    assert PHONE not in repr(receipt)


async def test_of_one_payment_the_next_goes_when_the_one_before_has_arrived(
    office: Office,
) -> None:
    await office.endpoints.add("https://crm.example/", (), SECRET)
    await office.paid()
    await office.paid()
    node, web = office.nodes[0], (Channel.WEBHOOK,)
    first, other = await office.claim(channels=web)
    assert [first.kind, other.kind] == ["payment.captured"] * 2
    assert await office.claim(1, channels=web) == []
    await node.failed(first, "500", "", 3600)
    waiting = [one for one in (await node.recent(state="waiting")).items if one.next_at]
    paid = first.facts["payment"]["id"]
    behind = [one for one in waiting if one.attempt_id == paid and one.endpoint_id]
    assert len({one.next_at for one in behind}) == 1  # what waits behind it waits as long
    await node.ended(other, DeliveryState.DELIVERED, None, "")
    (second,) = await office.claim(1, channels=web)
    assert second.kind == "invoice.paid"
    assert second.event_id > other.event_id


async def test_a_node_that_plans_while_another_does_never_takes_the_later_half_of_a_payment(
    office: Office,
) -> None:
    everything = await office.endpoints.add("https://crm.example/", (), SECRET)
    await office.paid()
    async with office.real.database.transaction() as other:  # a node that has one, and wants more
        await other.raw.fetch("SELECT id FROM events ORDER BY id LIMIT 1 FOR UPDATE")
        planning = asyncio.create_task(office.claim(1, channels=(Channel.WEBHOOK,)))
        await asyncio.wait({planning}, timeout=0.5)
        if planning.done():
            assert planning.result() == []
    first = await planning or await office.claim(channels=(Channel.WEBHOOK,))
    assert at(everything, first) == ["payment.captured"]


async def test_ten_looks_at_once_take_each_message_once(office: Office) -> None:
    for _ in range(5):
        await office.paid()
    claimed = await asyncio.gather(*(office.claim(turn % 2) for turn in range(10)))
    ids = [delivery.id for some in claimed for delivery in some]
    assert len(ids) == len(set(ids)) == 15  # soap, text and mail of each


async def test_what_a_dead_node_had_is_tried_again_as_the_same_message(office: Office) -> None:
    await office.paid()
    (lost,) = await office.claim(channels=(Channel.TEXT,))
    await office.due_now()  # its lease is over
    (again,) = await office.claim(1, channels=(Channel.TEXT,))
    assert (again.message_id, again.attempts) == (lost.message_id, 2)
    await office.nodes[0].ended(lost, DeliveryState.DEAD, "late", "")  # the dead one wakes up
    await office.nodes[1].ended(again, DeliveryState.DELIVERED, None, "taken")
    (record,) = (await office.nodes[0].recent(state="delivered")).items
    assert (record.error, record.answer) == (None, "taken")


async def test_what_was_broken_off_is_at_once_free_and_counts_for_nothing(office: Office) -> None:
    await office.paid()
    claimed = await office.claim(channels=(Channel.TEXT,))
    await office.nodes[0].release(claimed)
    (again,) = await office.claim(1, channels=(Channel.TEXT,))
    assert again.attempts == 1


async def test_a_target_that_is_busy_gets_no_more(office: Office) -> None:
    for _ in range(3):
        await office.paid()
    await office.nodes[0].plan(ALL, ())
    taken = await office.nodes[0].claim((Channel.TEXT, Channel.MAIL), {"text": 2}, 2, 60)
    assert [one.channel for one in taken] == [Channel.MAIL, Channel.MAIL]


@pytest.mark.parametrize(
    ("status", "reason", "why"),
    [
        ("active", None, ""),
        ("suspended", "fraud", "the line is suspended for fraud now"),
        ("closed", None, "the line is closed now"),
    ],
)
async def test_a_line_is_announced_only_if_it_works_when_the_crm_is_told(
    office: Office, status: str, reason: str | None, why: str
) -> None:
    await office.endpoints.add("https://crm.example/", ("service.reactivated",), SECRET)
    await office.paid()
    await office.nodes[0].plan(ALL, ())
    await office.real.ask(
        "UPDATE services SET status = $1, suspended_for = $2 WHERE id = "
        "(SELECT (payload ->> 'service')::bigint FROM events WHERE kind = 'service.reactivated')",
        status, reason,
    )  # fmt: skip
    (told,) = await office.claim(channels=(Channel.WEBHOOK,))
    assert (told.moot, told.facts["service"]["status"]) == (why, status)


@pytest.mark.parametrize(
    ("phone", "wanted", "address", "why"),
    [
        (PHONE, None, PHONE, ""),
        ("", None, "", "no address on file"),
        (PHONE, PHONE, PHONE, ""),
        (PHONE, "+34910000000", "+34910000000", ""),  # the customer's own line
        (PHONE, "+447700900999", PHONE, ""),
        ("", "+447700900999", "", "no address on file"),
    ],
)
async def test_a_text_goes_to_a_number_on_file_and_to_no_other(
    office: Office, phone: str, wanted: str | None, address: str, why: str
) -> None:
    attempt = await office.paid(phone)
    await office.drain()
    ids = {"customer": attempt.customer_id, "url": "https://pay.example/x"}
    await office.events.tell(Message("text", "pay-link", ids, to=wanted))
    (link,) = await office.claim()
    assert (link.address, link.moot) == (address, why)
    assert link.facts["message"] == {"url": "https://pay.example/x"}


async def test_who_did_not_pay_after_all_hears_it_by_text_and_by_mail(office: Office) -> None:
    attempt = await charging(office.real, await one_invoice(office.real))
    await office.real.ledger.unknown(attempt.id, "no answer")
    await office.real.ledger.failed(attempt.id, "not in the books")
    told = await office.drain()
    assert [one.kind for one in told] == ["payment-failed", "payment-failed"]
    assert {one.channel for one in told} == {Channel.TEXT, Channel.MAIL}


async def test_what_came_too_late_is_not_told(office: Office) -> None:
    attempt = await office.paid()
    await office.drain()
    late = datetime.now(UTC) - timedelta(seconds=1)
    ids = {"customer": attempt.customer_id}
    await office.events.tell(Message("mail", "pay-link", ids, until=late))
    (link,) = await office.claim()
    assert link.moot.startswith("too late")


async def test_a_message_that_cannot_be_read_is_dead_and_holds_up_no_other(
    office: Office,
) -> None:
    await office.endpoints.add("https://crm.example/", (), SECRET)
    broken = await office.paid()
    await office.paid()
    strange = {"payment": "x", "invoice": "-1", "customer": "9" * 30}
    await office.events.tell(Message("webhook", "promise.made", strange))
    await office.real.ask(
        "UPDATE invoices SET amount = 42.505, paid = 42.505 FROM allocations "
        "WHERE allocations.invoice_id = invoices.id AND allocations.attempt_id = $1", broken.id
    )  # fmt: skip
    told = await office.drain()
    assert at((await office.endpoints.all())[0], told).count("invoice.paid") == 1
    assert "promise.made" in [one.kind for one in told]
    dead = (await office.nodes[0].recent(state="dead")).items
    assert {(one.kind, one.error) for one in dead} == {
        ("invoice.paid", "it cannot be read (MoneyNotUnderstood)")
    }


async def test_a_channel_that_is_not_set_up_is_said_in_the_state(office: Office) -> None:
    attempt = await office.paid()
    assert await office.claim(channels=(Channel.WEBHOOK,)) == []
    records = (await office.nodes[0].recent()).items
    assert {(one.channel, one.state, one.error) for one in records} >= {
        (Channel.TEXT, DeliveryState.SKIPPED, "nothing is set up to send it with"),
        (Channel.MAIL, DeliveryState.SKIPPED, "nothing is set up to send it with"),
    }
    assert {one.attempt_id for one in records} == {attempt.id}


async def test_a_dead_letter_is_sent_again_by_who_asks_for_it(office: Office) -> None:
    await office.paid()
    (receipt,) = await office.claim(channels=(Channel.TEXT,))
    node = office.nodes[0]
    await node.ended(receipt, DeliveryState.DEAD, "refused card 4111111111111111", "no")
    (dead,) = (await node.recent(state="dead")).items
    assert dead.error == "refused card (digits)"
    assert await node.redeliver(dead.id, "once-more") is True
    (again,) = await office.claim(1, channels=(Channel.TEXT,))
    assert (again.message_id, again.attempts) == (receipt.message_id, 1)
    await office.nodes[1].ended(again, DeliveryState.DELIVERED, None, "")
    assert await node.redeliver(dead.id, "once-more") is True  # its answer was lost
    assert await office.claim(1, channels=(Channel.TEXT,)) == []
    assert await node.redeliver(dead.id, "and again") is True
    assert len(await office.claim(1, channels=(Channel.TEXT,))) == 1
    assert await node.redeliver(10**9, "once-more") is None


async def test_nothing_goes_to_an_endpoint_that_is_disabled_or_deleted(office: Office) -> None:
    gone = await office.endpoints.add("https://gone.example/", (), SECRET)
    shut = await office.endpoints.add("https://shut.example/", (), SECRET)
    await office.paid()
    await office.nodes[0].plan((), ())
    await office.endpoints.disable(gone.id, "it answered 410")
    assert await office.endpoints.delete(shut.id)
    assert await office.claim(channels=(Channel.WEBHOOK,)) == []
    dead = (await office.nodes[0].recent(state="dead", endpoint_id=gone.id)).items
    assert {one.error for one in dead} == {"it answered 410"}
    assert await office.nodes[0].redeliver(dead[0].id, "once-more") is False
    assert [(one.id, one.state, one.why) for one in await office.endpoints.all()] == [
        (gone.id, "disabled", "it answered 410")
    ]
    enabled = await office.endpoints.enable(gone.id, "please")
    assert enabled
    assert enabled.state == "enabled"
    assert not await office.endpoints.delete(shut.id)


async def test_after_a_new_secret_both_sign_for_a_day(office: Office) -> None:
    endpoint = await office.endpoints.add("https://crm.example/", (), SECRET)
    await office.endpoints.rotate(endpoint.id, "whsec_bmV3", "a wish")
    await office.paid()
    (told,) = await office.claim(channels=(Channel.WEBHOOK,))
    assert isinstance(told.endpoint, Endpoint)
    assert (told.endpoint.secret, told.endpoint.previous_secret) == ("whsec_bmV3", SECRET)
    await office.real.ask("UPDATE webhook_endpoints SET previous_until = now()")
    await office.due_now()
    (later,) = await office.claim(channels=(Channel.WEBHOOK,))
    assert later.endpoint
    assert later.endpoint.previous_secret is None


async def test_who_tells_something_wakes_who_delivers(office: Office, database: Database) -> None:
    bell = Bell(database, "saldo_messages")
    listening = asyncio.create_task(bell.run())
    await asyncio.wait_for(bell.wait(10), 5)  # rung by being connected
    started = asyncio.get_running_loop().time()
    await office.events.tell(Message("webhook", "promise.made"))
    await bell.wait(10)
    assert asyncio.get_running_loop().time() - started < 2
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_a_bell_whose_connection_was_cut_listens_again(
    office: Office, database: Database
) -> None:
    bell = Bell(database, "saldo_messages")
    listening = asyncio.create_task(bell.run())
    await bell.wait(10)
    await office.real.ask(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = 'saldo-batch' AND datname = current_database()"
    )
    started = asyncio.get_running_loop().time()
    await bell.wait(20)
    assert asyncio.get_running_loop().time() - started < 10
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_a_card_taken_with_an_agent_is_told_though_who_closes_it_may_tell_nothing(
    office: Office, database_url: str
) -> None:
    await office.endpoints.add("https://crm.example/", (), SECRET)
    capture = await kept(office.real)
    alone = CaptureRequest(uuid4(), uuid4().hex, "en")
    await office.real.captures.open(alone)
    secure = await Database.open(database_url.replace("saldo@", "saldo_capture@"), size=1)
    for request in (capture.request, alone):
        await PostgresCaptures(secure).close(request.id, SUCCESS)
        await PostgresCaptures(secure).close(request.id, SUCCESS)
    await secure.close()
    (told,) = await office.claim()
    assert told.kind == "capture.ended"
    assert told.facts["message"] == {
        "capture": str(capture.request.id),
        "result": "success",
        "call_id": capture.request.call_id,
    }
