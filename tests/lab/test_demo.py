"""What the demo's caller owes."""

from __future__ import annotations

from ivr.lab import company
from ivr.lab.demo import ACCOUNT, new_invoice, script
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
