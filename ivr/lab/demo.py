"""`make demo`: one call that pays a new invoice, seen in both ledgers."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ivr import parts, settings
from ivr.billing.payment_records import PaymentRecord
from ivr.billing.payments import AttemptState, Captured
from ivr.gateways.books import BraintreeBooks
from ivr.lab import company, post
from ivr.lab.errors import LabError
from ivr.lab.lab import Lab
from ivr.lab.scenario import Watch, play
from ivr.lab.scenario_file import Scenario, parse
from ivr.lab.scenario_report import Report
from ivr.storage.calls import PostgresCalls
from ivr.storage.customers import PostgresDirectory
from ivr.storage.imports import import_files
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.pool import Database

SCRIPT = Path(__file__).parent / "demo.yaml"
ACCOUNT = "1087"
SERVICE = "C1087-1"
AMOUNT = "42.50"
RECEIPT_SECONDS = 5.0
"""how long we wait for the receipts; they come within a second"""
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Shown:
    """How the demo went."""

    invoice: str
    report: Report
    payment: PaymentRecord | None
    """in our ledger"""
    at_gateway: Captured | None
    """in the gateway's ledger, by our order id"""
    receipts: tuple[str, ...] = ()
    """what arrived at the customer: the text, the subject of the mail"""

    @property
    def passed(self) -> bool:
        """Captured in both ledgers, and the call went as written."""
        if self.payment is None or self.at_gateway is None:
            return False
        same = self.payment.transaction_id == self.at_gateway.transaction_id
        return same and self.report.passed


async def show(lab: Lab, watch: Watch | None = None) -> Shown:
    """Write a new invoice, place the call that pays it, and look into both ledgers.

    Raises LabError, LedgerUnavailable.
    """
    database = await Database.open(lab.postgres, size=2, application="saldo-demo")
    try:
        number = await new_invoice(database)
        report = await play(script(number), lab, watch=watch, in_words=True)
        payment = await last_payment(database, report.sip_call_id)
    finally:
        await database.close()
    at_gateway = await found_at_gateway(lab, payment.order_id) if payment else None
    receipts = await receipts_of(lab, payment.confirmation or "") if payment else ()
    return Shown(number, report, payment, at_gateway, receipts)


def script(number: str) -> Scenario:
    """The demo's call, paying that invoice."""
    text = SCRIPT.read_text(encoding="utf-8").replace("INVOICE", number)
    return parse(text, SCRIPT.name)


async def new_invoice(database: Database) -> str:
    """An unpaid invoice of a line that is suspended for it, taken in as a biller's files are.

    Those of demos that were broken off are taken in as paid: the caller owes this one and no other.
    """
    now = datetime.now(UTC)
    number = f"DEMO-{now:%Y%m%d-%H%M%S-%f}"
    due = (now - timedelta(days=20)).date()
    header, line = of_service((company.FOLDER / "services.csv").read_text(encoding="utf-8"))
    rows = [f"{number},{SERVICE},{AMOUNT},EUR,0.00,{due}"]
    customer = await PostgresDirectory(database).by_account_number(ACCOUNT)
    for left in await PostgresInvoices(database).unpaid(customer.id) if customer else ():
        paid = left.amount.amount
        rows.append(f"{left.number},{SERVICE},{paid},EUR,{paid},{left.due_date}")
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{kind}.csv") for kind in ("services", "invoices")]
        files[0].write_text(f"{header}\n{line}\n", encoding="utf-8")
        files[1].write_text(
            "\n".join(("number,service,amount,currency,paid,due_date", *rows, "")),
            encoding="utf-8",
        )
        report = await import_files(database, files)
    if not report.ok:
        raise LabError("the demo's invoice was refused:\n" + "\n".join(report.lines()))
    return number


def of_service(services: str) -> tuple[str, str]:
    """The header and the row of the demo's line."""
    header, *rows = services.splitlines()
    return header, next(row for row in rows if row.startswith(f"{SERVICE},"))


async def last_payment(database: Database, sip_call_id: str | None) -> PaymentRecord | None:
    """The captured payment of a call."""
    if not sip_call_id:
        return None
    calls = (await PostgresCalls(database).recent(sip_call_id=sip_call_id)).items
    for call in calls:
        for payment in (await PostgresPayments(database).recent(call_id=call.arrived.id)).items:
            if payment.state is AttemptState.CAPTURED:
                return payment
    return None


async def receipts_of(lab: Lab, confirmation: str) -> tuple[str, ...]:
    """The text and the mail with this confirmation number, as soon as both are there."""
    if not lab.messages:
        return ()
    until = asyncio.get_running_loop().time() + RECEIPT_SECONDS
    while True:
        there = tuple(_receipts(post.arrived(Path(lab.messages)), confirmation))
        if len(there) > 1 or asyncio.get_running_loop().time() > until:
            return there
        await asyncio.sleep(LOOK_SECONDS)


def _receipts(messages: list[dict[str, Any]], confirmation: str) -> Iterator[str]:
    for message in messages:
        if message["topic"] == "text" and confirmation in message["body"]:
            yield f"text to {message['to']}: {message['body']}"
        elif message["topic"] == "mail" and confirmation in message["text"]:
            yield f"mail to {', '.join(message['to'])}: {message['subject']}"


async def found_at_gateway(lab: Lab, order_id: str) -> Captured | None:
    """The gateway's word on an order, asked as any merchant would."""
    gateway = parts.gateway(settings.load(Path(lab.config)))
    try:
        sales = await BraintreeBooks(gateway).of_order(order_id)
    finally:
        await gateway.aclose()
    taken = (sale.outcome for sale in sales if sale.is_taken)
    return next((outcome for outcome in taken if isinstance(outcome, Captured)), None)
