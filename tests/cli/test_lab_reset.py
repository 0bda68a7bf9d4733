"""`saldo lab reset`: the demo company as it was in the beginning."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.lab import company, database
from ivr.lab.packages import Tree
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.pool import Database
from tests.cli.terminal import Typed


@pytest.fixture
def folder(tree: Tree) -> Iterator[Path]:
    """A lab of which only the database runs; near the root, for its socket's name is limited."""
    made = Path(tempfile.mkdtemp(prefix="saldo-reset-"))
    try:
        database.start(made, tree)
        yield made
    finally:
        database.remove(made)
        shutil.rmtree(made)


@pytest.fixture
def reset(typed: Typed, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("SALDO_LAB_DIR", str(folder))
    return typed


def owed(url: str, pay: str = "") -> int:
    """How many invoices are not paid, after `pay` was run."""

    async def look() -> int:
        opened = await Database.open(url, size=1)
        try:
            if pay:
                async with opened.session() as session:
                    await session.script("pay", pay)
            page = await PostgresInvoices(opened).recent(limit=500)
            return sum(invoice.due.amount > 0 for invoice in page.items)
        finally:
            await opened.close()

    return asyncio.run(look())


def test_what_was_paid_is_owed_again(reset: Typed, folder: Path, tree: Tree) -> None:
    url = database.start(folder, tree).url
    asyncio.run(company.load(url))
    at_first = owed(url)
    assert owed(url, "UPDATE invoices SET paid = amount") == 0 < at_first
    assert reset("lab", "reset").status == 0
    assert database.running(folder) is None
    url = database.start(folder, tree).url
    asyncio.run(company.load(url))
    assert owed(url) == at_first


def test_the_gateway_and_the_phone_forget_too(reset: Typed, folder: Path) -> None:
    (folder / "recordings").mkdir()
    gone = [folder / name for name in ("gateway.json", "gateway.jsonl", "recordings/call.wav")]
    kept = [folder / name for name in ("serve.log", "saldo.toml")]
    for file in [*gone, *kept]:
        file.touch()
    assert reset("lab", "reset").out.startswith("forgotten: ")
    assert [file for file in gone if file.exists()] == []
    assert [file for file in kept if not file.exists()] == []
