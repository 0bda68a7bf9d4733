"""Lists in pages, newest first, and the outbox as who delivers it sees it."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from ivr.billing.calls import CallArrived, CallEnded, CallOutcome
from ivr.storage.calls import PostgresCalls
from ivr.storage.customers import PostgresDirectory
from ivr.storage.events import PostgresEvents
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.services import PostgresServices
from tests.storage.test_contract_ledger import CAPTURED, charging
from tests.storage.world import CARD, PostgresWorld, opened

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def arrived(**changes: str) -> CallArrived:
    facts = {"id": uuid4().hex, "channel_id": "17.1", "sip_call_id": "abc@host"} | changes
    return CallArrived(**facts, caller="+34600111222", dialled="pay", node="node1", at=NOON)


@pytest.fixture
async def busy(real: PostgresWorld) -> PostgresWorld:
    """Five of everything."""
    calls = PostgresCalls(real.database)
    for _ in range(5):
        invoice = await real.invoice(await real.service(await real.customer()))
        await calls.arrived(arrived())
        await real.ledger.captured((await charging(real, invoice)).id, CAPTURED)
    return real


@pytest.mark.parametrize(
    "noun",
    [
        PostgresDirectory,
        PostgresServices,
        PostgresInvoices,
        PostgresPayments,
        PostgresCalls,
        PostgresEvents,
    ],
    ids=lambda noun: noun.__name__,
)
async def test_pages_hold_everything_once_newest_first(
    busy: PostgresWorld, noun: type[PostgresDirectory]
) -> None:
    recent = noun(busy.database).recent
    whole = (await recent(None, 1000)).items
    assert len(whole) >= 5
    found: list[object] = []
    cursor: int | None = None
    while True:
        page = await recent(cursor, 2)
        found += page.items
        cursor = page.before
        if cursor is None:
            break
    assert tuple(found) == whole


async def test_a_call_is_found_by_its_sip_call_id(real: PostgresWorld) -> None:
    calls = PostgresCalls(real.database)
    call = arrived(sip_call_id=uuid4().hex)
    await calls.arrived(call)
    ended = CallEnded(CallOutcome.PAID, "en", None, NOON, ["0.1 say welcome", "3.2 press 4 digits"])
    await calls.ended(call.id, ended)
    (record,) = (await calls.recent(sip_call_id=call.sip_call_id)).items
    assert (record.arrived, record.ended) == (call, ended)


async def test_the_end_of_a_call_whose_arrival_was_lost_is_kept(real: PostgresWorld) -> None:
    calls = PostgresCalls(real.database)
    ended = CallEnded(CallOutcome.FAILED, "es", None, NOON)
    await calls.ended(call_id := uuid4().hex, ended)
    records = (await calls.recent()).items
    assert [record.ended for record in records if record.arrived.id == call_id] == [ended]


async def test_what_a_trunk_sends_cannot_stop_a_call(real: PostgresWorld) -> None:
    calls = PostgresCalls(real.database)
    strange = arrived(sip_call_id="nul\0 half\udc80 " + "x" * 9000)
    await calls.arrived(strange)
    trail = ["1.0 nul\0", "2.0 half\udc80", "3.0 card 4111111111111111"]
    await calls.ended(strange.id, CallEnded(CallOutcome.HUNG_UP, "en", None, NOON, trail))
    (record,) = (await calls.recent(limit=1)).items
    assert record.arrived.sip_call_id.startswith("nul half? x")
    assert record.ended
    assert record.ended.trail == ["1.0 nul", "2.0 half?", "3.0 card (digits)"]


async def test_a_capture_is_in_the_outbox_with_ids_alone(real: PostgresWorld) -> None:
    events = PostgresEvents(real.database)
    invoice = await real.invoice(await real.service(await real.customer()))
    attempt = await opened(real, invoice, call_id=(call_id := uuid4().hex))
    await real.ledger.begin_charging(attempt.id, CARD)
    await real.ledger.captured(attempt.id, CAPTURED)
    mine = (await events.recent(call_id=call_id)).items
    kinds = [(event.topic, event.kind) for event in reversed(mine)]
    webhooks = [("webhook", "payment.captured"), ("webhook", "invoice.paid")]
    assert kinds == [*webhooks, ("mail", "receipt"), ("text", "receipt")]
    assert mine[2].payload == {"payment": str(attempt.id), "invoice": invoice.id}
    assert {event.planned_at for event in mine} == {None}
