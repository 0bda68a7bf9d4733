"""Days after the calls the bank settles what was debited, and returns some of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr.lab.errors import LabError
from ivr.lab.gateway_bank import account_token
from ivr.lab.gateway_ledger import LedgerFile, Transaction
from ivr.lab.leaktest.bank_days import days_later
from ivr.lab.leaktest.house import House

NOW = datetime(2026, 11, 23, tzinfo=UTC).isoformat()
DEBIT = Transaction(
    id="", type="sale", status="settlement_pending", amount="12.34", currency="USD",
    order_id="", merchant_account_id="", source="", token=account_token("6075", "checking", ""),
    created_at=NOW, updated_at=NOW, processor_code="", processor_text="", processor_type="",
)  # fmt: skip


class Bank:
    """As the stand-in's; Saldo answers `webhook` to what it says."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.webhook = 204

    async def take(self, request: web.Request) -> web.Response:
        self.said.append(request.path)
        return web.json_response({"webhook": self.webhook})


@pytest.fixture
async def bank() -> AsyncIterator[tuple[Bank, str]]:
    found, app = Bank(), web.Application()
    app.router.add_route("*", "/{path:.*}", found.take)
    async with TestServer(app) as server:
        yield found, str(server.make_url("")).rstrip("/")


def house(url: str, tmp_path: Path) -> House:
    ledger = LedgerFile(tmp_path / "gateway.jsonl")
    for place in range(3):
        ledger.transaction(replace(DEBIT, id=f"debit{place}"))
    card = replace(DEBIT.token, account_type="", last4="1111")
    ledger.transaction(replace(DEBIT, id="sale", token=card))
    ledger.transaction(replace(DEBIT, id="settled", status="settled"))
    ledger.close()
    lab = SimpleNamespace(
        gateway=url, api="http://saldo", gateway_ledger=str(tmp_path / "gateway.jsonl")
    )
    return cast("House", SimpleNamespace(lab=lab))


async def test_every_debit_is_settled_and_every_second_one_returned(
    bank: tuple[Bank, str], tmp_path: Path
) -> None:
    found, url = bank
    assert await days_later(house(url, tmp_path)) == 3
    assert found.said == [
        "/bank/webhooks", "/bank/debit0/settle", "/bank/debit1/settle", "/bank/debit1/return",
        "/bank/debit2/settle",
    ]  # fmt: skip


async def test_what_saldo_does_not_take_is_a_failure(
    bank: tuple[Bank, str], tmp_path: Path
) -> None:
    found, url = bank
    found.webhook = 503
    with pytest.raises(LabError, match="wants to settle was answered 503"):
        await days_later(house(url, tmp_path))
