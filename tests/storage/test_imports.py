"""Files into the database: whole or not at all, and never against a payment."""

from pathlib import Path

import pytest

from ivr.billing.customers import ServiceStatus
from ivr.billing.money import Money
from ivr.lab import company
from ivr.storage.imports import ImportReport, import_files
from ivr.storage.pool import Database
from ivr.storage.services import PostgresServices
from tests.storage.test_contract_ledger import CAPTURED, charging
from tests.storage.world import PostgresWorld

CUSTOMERS = "external_id,account_number,kind,name,language,postal_code\n"
SERVICES = "external_id,customer,label,status\n"
INVOICES = "number,service,amount,currency,paid,due_date\n"


@pytest.fixture
async def files(database: Database, tmp_path: Path) -> "Files":
    async with database.session() as session:
        await session.script("empty", "TRUNCATE customers CASCADE")
    return Files(database, tmp_path)


class Files:
    """Writes files and imports them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.csv"
        path.write_text(text, encoding="utf-8")
        return path

    def small(self) -> list[Path]:
        """One customer with a line and an invoice, in the wrong order."""
        return [
            self.write("i", INVOICES + "F-1,S1,42.50,EUR,0,2026-03-31\n"),
            self.write("s", SERVICES + "S1,C1,mobile,active\n"),
            self.write("c", CUSTOMERS + "C1,1042,person,James Smith,en,28013\n"),
        ]

    async def take(self, *paths: Path, dry_run: bool = False) -> ImportReport:
        return await import_files(self.database, paths, dry_run=dry_run)

    async def count(self, table: str) -> object:
        async with self.database.session() as session:
            return await session.raw.fetchval(f"SELECT count(*) FROM {table}")


async def test_files_are_taken_in_the_order_they_need_each_other(files: Files) -> None:
    report = await files.take(*files.small())
    assert report.ok
    assert [str(file.kind) for file in report.files] == ["customers", "services", "invoices"]
    assert [file.added for file in report.files] == [1, 1, 1]


async def test_taking_them_again_changes_nothing(files: Files) -> None:
    await files.take(*files.small())
    report = await files.take(*files.small())
    assert [(file.added, file.changed) for file in report.files] == [(0, 0)] * 3


async def test_a_dry_run_checks_files_together_and_keeps_nothing(files: Files) -> None:
    report = await files.take(*files.small(), dry_run=True)
    assert report.ok
    assert [file.added for file in report.files] == [1, 1, 1]
    assert list(report.lines())[-1] == "dry run: nothing was kept"
    assert await files.count("customers") == 0


async def test_a_bad_row_refuses_its_file_and_only_that(files: Files) -> None:
    _, services, customers = files.small()
    invoices = files.write(
        "bad", INVOICES + "F-1,S1,42.50,EUR,0,2026-03-31\nF-2,S9,1.00,EUR,0,2026-03-31\n"
    )
    report = await files.take(invoices, services, customers)
    assert not report.ok
    assert [len(file.problems) for file in report.files] == [0, 0, 1]
    assert 'row 3, column service: "S9" is no service\'s external_id' in "\n".join(report.lines())
    assert await files.count("invoices") == 0
    assert await files.count("services") == 1


async def test_an_account_number_of_another_customer_is_refused(files: Files) -> None:
    await files.take(*files.small())
    taken = files.write("t", CUSTOMERS + "C2,1042,person,Ann,en,28001\n")
    (file,) = (await files.take(taken)).files
    assert str(file.problems[0]).endswith('account_number: "1042" belongs to customer C1')


async def test_a_payment_of_ours_is_never_taken_back(files: Files) -> None:
    await files.take(*files.small())
    world = PostgresWorld(files.database)
    customer = await world.directory.by_account_number("1042")
    assert customer
    (invoice,) = await world.invoices.unpaid(customer.id)
    await world.ledger.captured((await charging(world, invoice)).id, CAPTURED)
    older = files.write("old", INVOICES + "F-1,S1,50.00,EUR,0,2026-04-30\n")
    assert (await files.take(older)).ok
    now = await world.invoice_now(invoice)
    assert (now.paid, now.due) == (Money.of("42.50", "EUR"), Money.of("7.50", "EUR"))
    less = files.write("less", INVOICES + "F-1,S1,40.00,EUR,0,2026-04-30\n")
    (refused,) = (await files.take(less)).files
    assert "is less than the 42.5 already paid" in str(refused.problems[0])
    dollars = files.write("usd", INVOICES + "F-1,S1,50.00,USD,0,2026-04-30\n")
    (refused,) = (await files.take(dollars)).files
    assert refused.problems[0].column == "currency"


async def test_what_the_biller_says_of_a_line_is_taken(files: Files) -> None:
    await files.take(*files.small())
    text = "external_id,customer,label,status,suspended_for\nS1,C1,mobile,suspended,fraud\n"
    (file,) = (await files.take(files.write("s2", text))).files
    assert (file.added, file.changed) == (0, 1)
    (line,) = (await PostgresServices(files.database).recent()).items
    assert line.status is ServiceStatus.SUSPENDED


async def test_a_file_that_cannot_be_read_is_told_and_the_others_are_taken(files: Files) -> None:
    report = await files.take(files.folder / "nowhere.csv", *files.small())
    assert not report.ok
    assert "nowhere.csv: refused" in next(report.lines())
    assert await files.count("invoices") == 1


async def test_the_demo_company_is_as_its_readme_says(files: Files, database_url: str) -> None:
    await company.load(database_url)
    world = PostgresWorld(files.database)
    owed = {
        ("1042", "28013"): ["42.50 EUR"],
        ("1043", "28004"): ["12.00 EUR", "31.75 EUR", "35.20 EUR"],
        ("1044", "46001"): ["118.00 EUR", "64.90 EUR"],
        ("1045", "10115"): [],
        ("1046", "28020"): ["2001.00 EUR"],
    }
    for (account, postal_code), due in owed.items():
        customer = await world.directory.by_account_number(account)
        assert customer
        assert customer.postal_code == postal_code
        assert sorted(str(one.due) for one in await world.invoices.unpaid(customer.id)) == due
    for number in range(1047, 1061):
        customer = await world.directory.by_account_number(str(number))
        assert customer
        assert customer.postal_code == str(number + 26954)
        assert customer.language == ("en" if number % 2 else "es")
        assert len(await world.invoices.unpaid(customer.id)) == 1
    count = await files.count("customers")
    assert isinstance(count, int)
    assert count >= 40


async def test_loading_the_company_again_leaves_what_happened(
    files: Files, database_url: str
) -> None:
    await company.load(database_url)
    world = PostgresWorld(files.database)
    (invoice,) = await world.invoices.by_number(["F-2026-0007"])
    await world.ledger.captured((await charging(world, invoice)).id, CAPTURED)
    await company.load(database_url)
    (line,) = await PostgresServices(files.database).of_customer(invoice.customer_id)
    assert line.status is ServiceStatus.ACTIVE


async def test_a_large_file_is_surveyed_at_once(files: Files) -> None:
    lines = (f"C{n},{10000 + n},person,Ann,en,28001\n" for n in range(1000))
    assert (await files.take(files.write("many", CUSTOMERS + "".join(lines)))).ok
    async with files.database.session() as session:
        known = "SELECT reltuples::int FROM pg_class WHERE oid = 'customers'::regclass"
        assert await session.raw.fetchval(known) == 1000
