"""Every simulated call of tests/scenarios by keys, on real telephones, many at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ivr.lab.lab import Lab
from ivr.lab.post import arrived
from ivr.lab.scenario_report import Report
from ivr.messaging.webhooks import signature
from ivr.settings import PROJECT
from tests.e2e.all_at_once import goes_as_written, no_card_number_is_left, play_all

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("lines_to_itself"),
]

SCENARIOS = PROJECT / "tests/scenarios"
FILES = sorted([*SCENARIOS.glob("*.yaml"), *SCENARIOS.glob("with_a_fee/*.yaml")])
AT_ONCE = 10
"""telephones of one test process; with more, it is the telephones that come too late"""


@pytest.fixture(scope="module")
def reports(lab: Lab) -> dict[str, Report]:
    return asyncio.run(play_all(lab, FILES, AT_ONCE))


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_the_call_goes_as_written(reports: dict[str, Report], name: str) -> None:
    goes_as_written(reports[name])


def test_no_card_number_is_left_anywhere(reports: dict[str, Report], lab: Lab) -> None:
    """Every file of the lab, and a dump of its database, after cards were keyed in many calls."""
    assert any(report.passed for report in reports.values())
    no_card_number_is_left(lab)


def test_what_is_told_of_a_payment_arrives(reports: dict[str, Report], lab: Lab) -> None:
    """The text as SIP MESSAGE, the mail, the CRM by SOAP, the webhook with its signature."""
    assert reports["pays_one_invoice"].passed
    messages = arrived(Path(lab.messages))
    (confirmation,) = {
        told["body"]["data"]["payment"]["confirmation"]
        for told in messages
        if told["topic"] == "webhook" and line_of(told) == "C1042-1"
    }
    by_topic = {
        topic: [
            str(told) for told in messages if told["topic"] == topic and confirmation in str(told)
        ]
        for topic in ("text", "mail")
    }
    (text,), (mail,) = by_topic["text"], by_topic["mail"]
    assert "'to': '+447700900001'" in text
    assert "james.smith@example.com" in mail
    assert "C1042-1" in {told["body"]["Id"] for told in messages if told["topic"] == "soap"}
    secrets = asyncio.run(secrets_of(lab))
    assert all(
        any(
            signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), told)
            == headers["webhook-signature"]
            for secret in secrets
        )
        for headers, told in (
            (each["headers"], each["raw"].encode())
            for each in messages
            if each["topic"] == "webhook"
        )
    )


def line_of(told: dict[str, Any]) -> str | None:
    """The line that a webhook says is back."""
    service = told["body"]["data"].get("service", {})
    return service.get("external_id") if told["body"]["type"] == "service.reactivated" else None


async def secrets_of(lab: Lab) -> list[str]:
    connection = await asyncpg.connect(lab.postgres, timeout=5)
    try:
        return [
            row["secret"] for row in await connection.fetch("SELECT secret FROM webhook_endpoints")
        ]
    finally:
        await connection.close(timeout=5)
