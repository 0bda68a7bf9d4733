"""A call that pays from a bank account; days later its bank settles it, and then returns it."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import asyncpg
import pytest

from ivr.gateways.test_accounts import ANSWERS, ROUTING_NUMBER
from ivr.lab.gateway_ledger import transactions
from ivr.lab.lab import Lab
from ivr.lab.post import arrived
from ivr.lab.scenario_report import Report
from ivr.settings import PROJECT
from tests.e2e.all_at_once import goes_as_written, play_all
from tests.e2e.conftest import a_lab

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("lines_to_itself"),
]

TAKES_ACCOUNTS = {"SALDO_PAYMENTS__METHODS": '["bank-account"]'}
CALL = PROJECT / "tests/scenarios/bank_account/pays_from_a_bank_account.yaml"
LINE = "C1061-1"
SUSPEND = """
UPDATE services SET status = 'suspended', suspended_for = 'non-payment' WHERE external_id = $1"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with mock.patch.dict(os.environ, TAKES_ACCOUNTS), a_lab() as (_, running):
        ask(running, SUSPEND, LINE)
        yield running


@pytest.fixture(scope="module")
def report(lab: Lab) -> Report:
    (found,) = asyncio.run(play_all(lab, [CALL], 1)).values()
    return found


def ask(lab: Lab, question: str, *values: object) -> object:
    """The first value of an answer of the lab's database."""

    async def asked() -> object:
        connection = await asyncpg.connect(lab.postgres)
        try:
            return await connection.fetchval(question, *values)
        finally:
            await connection.close()

    return asyncio.run(asked())


def later(lab: Lab, what: str) -> int:
    """The bank settles or returns it; what saldo answered to the webhook."""
    (sale,) = transactions(Path(lab.gateway_ledger))
    url = {"url": f"{lab.api}/braintree/webhooks"}
    send("PUT", f"{lab.gateway}/bank/webhooks", url)
    answer = send("POST", f"{lab.gateway}/bank/{sale.id}/{what}", {})
    told: int = json.loads(answer)["webhook"]
    return told


def send(method: str, url: str, body: dict[str, str]) -> bytes:
    request = urllib.request.Request(url, json.dumps(body).encode(), method=method)  # noqa: S310 - of the lab
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - of the lab
        read: bytes = answer.read()
        return read


def state(lab: Lab) -> tuple[object, object, object]:
    """Of the payment, of what is due, of the line."""
    return (
        ask(lab, "SELECT state FROM attempts WHERE state <> 'canceled'"),
        ask(lab, "SELECT (amount - paid)::text FROM invoices WHERE number = 'F-2026-0124'"),
        ask(lab, "SELECT status FROM services WHERE external_id = $1", LINE),
    )


def test_the_call_goes_as_written(report: Report) -> None:
    goes_as_written(report)


def test_it_is_settled_and_then_returned(report: Report, lab: Lab) -> None:
    assert report.passed
    assert state(lab) == ("captured", "0.000", "active")
    assert later(lab, "settle") == 204
    assert state(lab) == ("settled", "0.000", "active")
    assert later(lab, "return") == 204
    assert state(lab) == ("returned", "310.250", "suspended")
    kinds = ask(lab, "SELECT array_agg(kind ORDER BY id) FROM events")
    assert isinstance(kinds, list)
    assert kinds[-6:] == [
        "payment.settled", "payment.returned", "invoice.unpaid",
        "service.reactivation-reversed", "bank-return", "bank-return",
    ]  # fmt: skip


def test_the_mandate_is_kept_word_for_word(report: Report, lab: Lab) -> None:
    assert report.passed
    kept = ask(lab, "SELECT wording FROM mandates WHERE how = 'notice'")
    assert isinstance(kept, str)
    for part in ("310.25 USD", "Harbor Freight Services", "ending in 0000", "555-0100"):
        assert part in kept


def test_the_notice_of_it_arrives_by_text_and_by_mail(report: Report, lab: Lab) -> None:
    """At the customer's own number, as SIP MESSAGE, and at their address."""
    assert report.passed
    kept = ask(lab, "SELECT wording FROM mandates")
    assert isinstance(kept, str)
    to = {
        told["topic"]: str(told["to"])
        for told in arrived(Path(lab.messages))
        if kept in " ".join(str(told.get("text") or told.get("body")).split())
    }
    assert "+447700900021" in to["text"]
    assert "harbor.freight.services@example.com" in to["mail"]


def test_no_number_of_the_account_is_left_anywhere(report: Report, lab: Lab) -> None:
    assert report.passed
    folder = Path(lab.config).parent
    left = [
        file
        for file in folder.rglob("*")
        if file.is_file()
        and any(
            number.encode() in file.read_bytes() for number in (ROUTING_NUMBER, next(iter(ANSWERS)))
        )
    ]
    assert left == []
