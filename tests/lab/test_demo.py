"""What the demo's caller owes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from ivr.lab import company
from ivr.lab.demo import ACCOUNT, new_invoice, receipts_of, script
from ivr.lab.lab import Lab
from ivr.lab.post import Box
from ivr.lab.scenario_file import Says
from ivr.storage.customers import PostgresDirectory
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.pool import Database


async def test_a_demo_after_one_that_was_broken_off_owes_one_invoice(
    database: Database, database_url: str
) -> None:
    await company.load(database_url)
    await new_invoice(database)
    second = await new_invoice(database)
    customer = await PostgresDirectory(database).by_account_number(ACCOUNT)
    assert customer
    assert [one.number for one in await PostgresInvoices(database).unpaid(customer.id)] == [second]


def test_the_demos_caller_speaks() -> None:
    assert any(isinstance(step, Says) for step in script("DEMO-1").steps)


async def test_the_receipts_of_the_demo_are_those_with_its_confirmation_number(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path / "messages.jsonl")
    nothing = ("",) * 8
    lab = Lab(*nothing, "", {}, "", "", messages=str(box.file))
    box.put("text", to="+34600000001", body="we received 1 €. Confirmation 11111111.")
    looking = asyncio.create_task(receipts_of(lab, "12345678"))
    await asyncio.sleep(0.2)
    assert not looking.done()
    box.put("text", to="+34600000001", body="we received 42.50 €. Confirmation 12345678.")
    box.put("mail", to=["ana@example.com"], subject="Your payment", text="Confirmation: 12345678")
    assert await looking == (
        "text to +34600000001: we received 42.50 €. Confirmation 12345678.",
        "mail to ana@example.com: Your payment",
    )
    assert await receipts_of(replace(lab, messages=""), "12345678") == ()
