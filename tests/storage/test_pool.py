"""The pool: quick and clear when Postgres is away, well again by itself when it is back."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from ivr.billing.bank_accounts import AccountHolder, BankAccountKeyed
from ivr.billing.captures import ACCOUNT_FIELDS, CaptureOutcome, CaptureResult
from ivr.billing.errors import LedgerNotReached, LedgerUnavailable
from ivr.lab import database as lab_database
from ivr.lab.database import DatabaseInfo
from ivr.lab.packages import Tree
from ivr.storage import pool
from ivr.storage.captures import PostgresCaptures
from ivr.storage.errors import AlreadyThere, QueryRefused
from ivr.storage.pool import Database
from tests.storage.test_contract_ledger import one_invoice
from tests.storage.test_contract_reading import SUCCESS, request
from tests.storage.world import PostgresWorld


@pytest.fixture
def lonely(tree: Tree) -> Iterator[tuple[Path, DatabaseInfo]]:
    """A server that a test may stop, and its lab folder."""
    folder = Path(tempfile.mkdtemp(prefix="saldo-test-"))
    try:
        yield folder, lab_database.start(folder, tree)
    finally:
        lab_database.remove(folder)
        shutil.rmtree(folder)


async def test_a_stopped_server_is_told_quickly_and_used_again_when_it_is_back(
    lonely: tuple[Path, DatabaseInfo], tree: Tree
) -> None:
    folder, server = lonely
    database = await Database.open(server.url)
    await database.wait_until_ready(10)
    await asyncio.to_thread(lab_database.stop, folder)
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(LedgerUnavailable, match="check that PostgreSQL is up"):
            await database.row("answers")
    with pytest.raises(LedgerNotReached):  # certainly nothing was changed
        await database.change("answers")
    with pytest.raises(LedgerUnavailable):
        await database.wait_until_ready(0.5)
    assert time.monotonic() - began < 3
    waiting = asyncio.create_task(database.wait_until_ready(30))
    await asyncio.to_thread(lab_database.start, folder, tree)
    await waiting
    await database.row("answers")
    await database.close()


async def test_connections_that_broke_in_the_pool_are_not_the_next_callers_trouble(
    real: PostgresWorld,
) -> None:
    customer = await real.customer()
    async with real.database.apart(5) as killer:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"  # noqa: E501 - one statement
        for _ in range(3):
            await killer.raw.fetch(others)
            assert await real.directory.by_account_number(customer.account_number) == customer


async def test_a_value_that_is_refused_is_not_repeated(real: PostgresWorld) -> None:
    secret = "not-a-number-4111"
    with pytest.raises(QueryRefused) as refused:
        await real.database.row("unpaid_invoices", secret)
    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


async def test_a_key_that_exists_names_the_rule(real: PostgresWorld) -> None:
    invoice = await one_invoice(real)
    async with real.database.session() as session:
        with pytest.raises(AlreadyThere) as refused:
            await session.run("keep_schema_version", 1, "again", "")
    assert refused.value.constraint == "schema_versions_pkey"
    assert await real.invoice_now(invoice) == invoice


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://nobody@127.0.0.1:1/saldo", "check that PostgreSQL is up"),
        ("postgresql://127.0.0.1:notaport/saldo", "check [database] url"),
        ("mysql://127.0.0.1/saldo", "check [database] url"),
    ],
)
async def test_a_wrong_address_is_one_clear_sentence(url: str, sentence: str) -> None:
    database = await Database.open(url)
    with pytest.raises(LedgerUnavailable) as told:
        await database.row("answers")
    assert sentence in str(told.value)
    await database.close()


async def test_an_unknown_database_or_role_names_the_setting(database_url: str) -> None:
    for wrong in (database_url.replace("/test_", "/none_"), database_url.replace("saldo@", "no@")):
        database = await Database.open(wrong)
        with pytest.raises(LedgerUnavailable, match=r"check \[database\] url"):
            await database.row("answers")
        await database.close()


async def test_a_query_that_hangs_is_given_up(
    real: PostgresWorld, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setattr(pool, "COMMAND_SECONDS", 0.2)
    customer = await real.customer()
    hasty = PostgresWorld(await Database.open(database_url, size=1))
    async with real.database.transaction() as session:
        await session.raw.execute("LOCK TABLE customers")
        with pytest.raises(LedgerUnavailable, match="TimeoutError"):
            await hasty.directory.by_account_number(customer.account_number)
    assert await hasty.directory.by_account_number(customer.account_number) == customer
    await hasty.database.close()


async def test_a_full_pool_is_told_within_the_limit(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 0.2)
    database = await Database.open(database_url, size=1)
    async with database.session():
        with pytest.raises(LedgerUnavailable):
            await database.row("answers")
    await database.row("answers")
    await database.close()


async def test_work_that_fails_leaves_nothing(real: PostgresWorld) -> None:
    invoice = await one_invoice(real)

    async def half_done() -> None:
        async with real.database.transaction() as session:
            await session.raw.execute("UPDATE invoices SET paid = 1 WHERE id = $1", invoice.id)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        await half_done()
    assert await real.invoice_now(invoice) == invoice


async def test_the_secure_process_can_close_captures_and_nothing_else(
    real: PostgresWorld, database_url: str
) -> None:
    asked = request()
    await real.captures.open(asked)
    capture = await Database.open(database_url.replace("saldo@", "saldo_capture@"), size=1)
    captures = PostgresCaptures(capture)
    assert await captures.request(asked.id) == asked
    await captures.close(asked.id, SUCCESS)
    assert await real.captures.outcome(asked.id) == SUCCESS
    account = replace(
        request(), id=uuid4(), fields=ACCOUNT_FIELDS, holder=AccountHolder("James Smith", "yes")
    )
    await real.captures.open(account)
    assert await captures.request(account.id) == account
    keyed = BankAccountKeyed("0000", "checking", "tokenusbankacct_1")
    await captures.close(account.id, CaptureOutcome(CaptureResult.SUCCESS, account=keyed))
    assert await real.captures.outcome(account.id) == CaptureOutcome(
        CaptureResult.SUCCESS, account=keyed
    )
    with pytest.raises(QueryRefused, match="InsufficientPrivilege"):
        await captures.open(request())
    for table in ("customers", "attempts", "calls", "events", "schema_versions"):
        async with capture.session() as session:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await session.raw.fetch(f"SELECT * FROM {table}")
    await capture.close()
