"""What is expected of a call, compared with what the database says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
import pytest

from ivr.lab import expecting
from ivr.lab.errors import LabError
from ivr.lab.expecting import Left, Payment, Told, compare
from ivr.lab.scenario_file import (
    Expected,
    ExpectedPayment,
)

# --- expectations

LEFT = Left(
    found=True,
    settled=True,
    ending="paid",
    payments=(Payment(Decimal("42.500"), "EUR", "1111", "captured"),),
    invoices={"A": "paid", "B": "unpaid"},
    told={
        "webhooks": (Told("payment.captured"), Told("invoice.paid"), Told("invoice.paid")),
        "texts": (Told("receipt"), Told("promise", arrived=False)),
        "mails": (),
    },
)


def whys(expected: Expected, left: Left = LEFT) -> list[str]:
    return [finding.why for finding in compare(expected, left)]


def test_what_is_as_expected_has_no_reason_to_fail() -> None:
    payment = ExpectedPayment(Decimal("42.5"), "EUR", "1111", "captured")
    expected = Expected("paid", (payment,), (("A", "paid"), ("B", "unpaid")), ("invoice.paid",) * 2)
    assert whys(expected) == ["", "", "", "", ""]


def test_what_was_not_named_is_not_looked_at() -> None:
    assert whys(Expected()) == []
    assert whys(Expected(payments=(ExpectedPayment(last4="1111"),))) == [""]


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        (Expected(ending="agent"), "it is paid"),
        (Expected(payments=()), "there are: 42.5 EUR …1111 captured"),
        (Expected(payments=(ExpectedPayment(), ExpectedPayment())), "there are: 42.5"),
        (Expected(payments=(ExpectedPayment(last4="4444"),)), "there are: 42.5"),
        (Expected(invoices=(("A", "unpaid"),)), "it is paid"),
        (Expected(invoices=(("C", "paid"),)), "there is no such invoice"),
        (Expected(webhooks=("invoice.paid",)), "there are: payment.captured, invoice.paid"),
        (Expected(webhooks=("service.reactivated",)), "there are: payment.captured"),
        (Expected(texts=()), "there are: receipt"),
        (Expected(texts=("receipt", "receipt")), "there are: receipt"),
        (Expected(texts=("promise",)), "there are: receipt, promise (not arrived)"),
        (Expected(mails=("receipt",)), "there are: none"),
    ],
)
def test_what_is_not_as_expected_says_what_there_is(expected: Expected, why: str) -> None:
    (said,) = whys(expected)
    assert said.startswith(why)


def test_a_call_without_a_record_is_said_once() -> None:
    unknown = Left(False, False, None, (), {}, {})
    assert len(whys(Expected(ending="paid", texts=()), unknown)) == 1


@pytest.fixture
async def rows(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


ROWS = """
INSERT INTO customers (external_id, account_number, kind, name, language, postal_code)
    VALUES ('C1', '1042', 'person', 'James Smith', 'en', '28013');
INSERT INTO services (external_id, customer_id, label, status)
    SELECT 'S1', id, 'mobile', 'active' FROM customers;
INSERT INTO invoices (number, service_id, amount, currency, paid, due_date)
    SELECT 'F-1', id, 42.5, 'EUR', 42.5, '2026-01-01' FROM services;
INSERT INTO invoices (number, service_id, amount, currency, paid, due_date)
    SELECT 'F-2', id, 42.5, 'EUR', 1, '2026-01-01' FROM services;
INSERT INTO calls (id, channel_id, sip_call_id, dialled, node, arrived_at)
    VALUES ('call-1', 'channel-1', 'sip-1', 'pay', 'node', now());
INSERT INTO attempts (id, order_id, customer_id, call_id, amount, currency, state, last4,
                      transaction_id, confirmation, captured_at)
    SELECT ('00000000-0000-4000-8000-00000000000' || turn)::uuid, 'order-' || turn, customers.id,
           'call-1', 42.5, 'EUR', state, '1111', 'transaction', '12345678',
           now()
    FROM customers, (VALUES (1, 'canceled'), (2, 'declined'), (3, 'captured')) AS one (turn, state);
INSERT INTO allocations (attempt_id, invoice_id, amount)
    SELECT attempts.id, invoices.id, 42.5 FROM attempts, invoices WHERE number = 'F-1';
INSERT INTO events (topic, kind, attempt_id, payload)
    VALUES ('webhook', 'invoice.paid', '00000000-0000-4000-8000-000000000003', '{}');
INSERT INTO events (topic, kind, call_id, payload) VALUES ('text', 'receipt', 'call-1', '{}');
"""


DELIVERED = """
INSERT INTO webhook_endpoints (id, url, secret)
    VALUES ('00000000-0000-4000-8000-000000000009', 'http://127.0.0.1/', 'whsec_');
INSERT INTO deliveries (event_id, channel, endpoint_id, state, ended_at)
    SELECT id, topic,
           CASE topic WHEN 'webhook' THEN '00000000-0000-4000-8000-000000000009'::uuid END,
           'delivered', now()
    FROM events
"""


async def test_the_database_is_looked_at_until_the_record_is_closed_and_all_has_arrived(
    database_url: str, rows: asyncpg.Connection[asyncpg.Record]
) -> None:
    await rows.execute(ROWS)
    declined = ExpectedPayment(Decimal("42.50"), "EUR", "1111", "declined")
    captured = ExpectedPayment(Decimal("42.50"), "EUR", "1111", "captured")
    invoices = (("F-1", "paid"), ("F-2", "unpaid"))
    expected = Expected("paid", (declined, captured), invoices, ("invoice.paid",), ("receipt",))
    looking = asyncio.create_task(expecting.look(database_url, "sip-1", expected))
    await asyncio.sleep(0.5)
    assert not looking.done()
    await rows.execute("UPDATE calls SET outcome = 'paid', ended_at = now()")
    await asyncio.sleep(0.5)
    assert not looking.done()  # told, and not arrived
    await rows.execute(DELIVERED)
    findings = await asyncio.wait_for(looking, 5)
    assert [finding.why for finding in findings] == [""] * 6


async def test_a_database_that_is_away_is_a_clear_error() -> None:
    with pytest.raises(LabError, match="saldo lab status"):
        await expecting.look("postgresql://127.0.0.1:1/none", "sip-1", Expected(ending="paid"))
