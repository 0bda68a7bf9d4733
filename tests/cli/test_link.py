"""`saldo payments link`: a link by staff in a terminal, and what it prints."""

from __future__ import annotations

import asyncio
import getpass

import pytest

from ivr.billing.customers import Customer
from ivr.billing.links import LinkKey
from ivr.storage.links import PostgresLinks
from ivr.storage.pool import Database
from tests.cli.terminal import Typed
from tests.storage.world import PostgresWorld

KEY = "k" * 32
URL = "https://pay.example.com"


@pytest.fixture
def _page(
    typed: Typed,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {"DATABASE__URL": database_url, "PAY_PAGE__URL": URL, "PAY_PAGE__KEY": KEY}
    for name, value in values.items():
        monkeypatch.setenv(f"SALDO_{name}", value)


@pytest.fixture
async def customer(database: Database) -> Customer:
    """With one invoice of 42.50 EUR, and no address on file."""
    world = PostgresWorld(database)
    found = await world.customer()
    await world.invoice(await world.service(found))
    return found


@pytest.mark.usefixtures("_page")
async def test_a_link_is_printed_and_shows_the_bill(
    typed: Typed, customer: Customer, database: Database
) -> None:
    words = ("payments", "link", customer.account_number, "--minutes", "30")
    ran = await asyncio.to_thread(typed, *words)
    assert (ran.status, ran.err) == (0, "")
    url, rest = ran.out.splitlines()
    key = LinkKey(KEY, URL)
    link_id = key.read(url.removeprefix(f"{URL}/pay/"))
    assert link_id is not None
    assert rest.endswith(f"link {link_id}")
    bill = await PostgresLinks(database, key).bill(link_id)
    assert bill
    assert str(bill.amount) == "42.50 EUR"
    asked_by = await PostgresWorld(database).ask(
        "SELECT asked_by FROM links WHERE id = $1", link_id
    )
    assert asked_by == f"cli:{getpass.getuser()}"


@pytest.mark.usefixtures("_page")
async def test_where_a_link_was_sent_is_printed_and_not_all_of_it(
    typed: Typed, customer: Customer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_file = "UPDATE customers SET phone = $2, email = $3 WHERE id = $1"
    await PostgresWorld(database).ask(on_file, customer.id, "+447700900021", "ana@example.com")
    monkeypatch.setenv("SALDO_TEXTS__URL", "json://127.0.0.1:9/{number}")
    monkeypatch.setenv("SALDO_MAIL__HOST", "127.0.0.1")
    monkeypatch.setenv("SALDO_MAIL__SENDER", "bills@example.com")
    words = ("payments", "link", customer.account_number, "--tell", "text", "--tell", "mail")
    ran = await asyncio.to_thread(typed, *words)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[2] == "sent by text to …0021 and by mail to a…@example.com"


@pytest.mark.usefixtures("_page")
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--tell", "mail"], "no mail can be sent: set [mail] up"),
        (["--amount", "42.51"], "is more than is due"),
        (["--amount", "ten"], "ten"),
        (["--amount", "10", "--currency", "USD"], "due in EUR: give the amount in it"),
        (["--invoice", "none"], "no invoice has the number none"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_cannot_be_is_said_in_one_line(
    typed: Typed, customer: Customer, options: list[str], complaint: str
) -> None:
    ran = await asyncio.to_thread(typed, "payments", "link", customer.account_number, *options)
    assert ran.status == 1
    assert complaint in ran.complaint


@pytest.mark.usefixtures("_page", "customer")
async def test_who_names_no_account_is_told_which_name_is_wanted(typed: Typed) -> None:
    ran = await asyncio.to_thread(typed, "payments", "link", "nobody")
    assert ran.status == 1
    assert "give the external_id from your billing system" in ran.complaint


async def test_without_a_pay_page_it_says_what_to_set(
    typed: Typed, customer: Customer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_DATABASE__URL", database_url)
    ran = await asyncio.to_thread(typed, "payments", "link", customer.account_number)
    assert ran.status == 2
    assert ran.complaint == "saldo: there is no pay page: set [pay_page] url and key"
