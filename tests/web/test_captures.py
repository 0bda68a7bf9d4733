"""`/v1/captures` over ASGI, with a fake PBX and database behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prometheus_client import CollectorRegistry

from ivr.billing.assisted_captures import FieldProgress, FieldState
from ivr.billing.captures import CaptureField, CaptureResult, ErrorType
from ivr.billing.errors import CaptureError
from ivr.billing.fees import Fee, Fees
from ivr.billing.methods import Method
from ivr.billing.terms import SmallestPart, Terms
from ivr.web import captures as module
from ivr.web.api import Sources, build
from ivr.web.errors import REFUSALS
from ivr.web.keys import Key, Keys
from tests.billing.assistance import Assistance
from tests.fakes.talks import TALK

KEY = "k" * 32
MOMENT_SECONDS = 0.2
"""for one who asks to see each change before the next comes"""
CHANNEL = TALK.caller.channel_id


@pytest.fixture
async def assistance() -> AsyncIterator[Assistance]:
    made = Assistance()
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


@pytest.fixture
async def client(assistance: Assistance) -> AsyncIterator[httpx.AsyncClient]:
    sources = Sources({}, {}, CollectorRegistry(), Keys([Key("k", KEY)]), assistance.assisting)
    transport = httpx.ASGITransport(app=build(sources))
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://saldo", headers=headers
    ) as asking:
        yield asking


async def begun(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(
        "/v1/captures",
        json={"channel": CHANNEL, **body},
        headers={"Idempotency-Key": f"key-{uuid4()}"},
    )
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_the_talks_of_two_are_listed_with_both_ends(client: httpx.AsyncClient) -> None:
    (call,) = (await client.get("/v1/captures/calls")).json()["data"]
    assert call["caller"] == {
        "channel": "1.1",
        "device": "PJSIP/trunk-1",
        "number": "+447700900199",
        "name": "A Caller",
    }
    assert call["agent"]["number"] == "201"


async def test_a_capture_begins_with_every_field_waiting(
    client: httpx.AsyncClient, assistance: Assistance
) -> None:
    document = await begun(client, invoices=[assistance.invoice.number])
    waiting = {"state": "waiting", "masked": "", "attempt": 0, "error_type": None}
    names = ["payment-card-number", "expiration-date", "security-code"]
    assert document["status"] == "opening"
    assert document["fields"] == dict.fromkeys(names, waiting)
    assert document["required"] == names
    assert (document["result"], document["card"]) == (None, None)
    amount = {"amount": "42.50", "currency": "EUR"}
    nothing = {"amount": "0.00", "currency": "EUR"}
    payment = {
        "status": "waiting", "amount": amount, "fee": nothing, "confirmation": None, "bucket": None,
    }  # fmt: skip
    assert document["payment"] == payment
    assert assistance.talks.lent == [UUID(document["id"])]
    assert (await client.get(f"/v1/captures/{document['id']}")).json() == document


async def test_a_part_is_paid_with_its_fee_and_another_part_is_another_request(
    client: httpx.AsyncClient, assistance: Assistance
) -> None:
    terms = Terms(SmallestPart(Decimal(10)), Fees({Method.CARD: Fee(percent=Decimal(2))}))
    assistance.assisting.terms = terms
    body: dict[str, Any] = {
        "channel": CHANNEL,
        "invoices": [assistance.invoice.number],
        "amount": {"amount": "25", "currency": "EUR"},
    }
    headers = {"Idempotency-Key": "an-agents-click"}
    begun = (await client.post("/v1/captures", json=body, headers=headers)).json()
    assert begun["payment"]["amount"] == {"amount": "25.50", "currency": "EUR"}
    assert begun["payment"]["fee"] == {"amount": "0.50", "currency": "EUR"}
    assert (await client.post("/v1/captures", json=body, headers=headers)).json() == begun
    other = {**body, "amount": {"amount": "24", "currency": "EUR"}}
    assert (await client.post("/v1/captures", json=other, headers=headers)).status_code == 409


@pytest.mark.parametrize(
    ("amount", "currency", "says"),
    [
        ("42.51", "EUR", "more than is due: 42.50 EUR"),
        ("4.24", "EUR", "less than may be paid: 4.25 EUR"),
        ("25.00", "USD", "due in EUR: give the amount in it"),
    ],
)
async def test_a_part_that_cannot_be_paid_takes_nobody_out_of_their_talk(
    client: httpx.AsyncClient, assistance: Assistance, amount: str, currency: str, says: str
) -> None:
    assistance.assisting.terms = Terms(SmallestPart(Decimal(10)))
    body = {
        "channel": CHANNEL,
        "invoices": [assistance.invoice.number],
        "amount": {"amount": amount, "currency": currency},
    }
    answer = await client.post("/v1/captures", json=body, headers={"Idempotency-Key": "one-click"})
    assert (answer.status_code, assistance.talks.lent) == (422, [])
    assert says in answer.json()["detail"]


async def test_the_same_key_and_body_are_the_same_capture_another_body_is_refused(
    client: httpx.AsyncClient, assistance: Assistance
) -> None:
    headers = {"Idempotency-Key": "an-agents-click"}
    body = {"channel": CHANNEL}
    first = await client.post("/v1/captures", json=body, headers=headers)
    again = await client.post("/v1/captures", json=body, headers=headers)
    other = await client.post("/v1/captures", json={**body, "language": "es"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == f"/v1/captures/{first.json()['id']}"
    assert len(assistance.talks.lent) == 1
    assert other.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", [None, "short", "41111111111111111", "with space in it"])
async def test_without_a_proper_key_nothing_begins(
    client: httpx.AsyncClient, assistance: Assistance, key: str | None
) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await client.post("/v1/captures", json={"channel": CHANNEL}, headers=headers)
    assert (answer.status_code, assistance.talks.lent) == (422, [])
    assert "Idempotency-Key" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"channel": "9.9"}, 404, "no such channel"),
        ({"channel": CHANNEL, "invoices": ["F-none"]}, 422, "F-none"),
        ({"channel": CHANNEL, "account": "9999"}, 422, "no customer"),
        (
            {"channel": CHANNEL, "amount": {"amount": "5.00", "currency": "EUR"}},
            422,
            "name the inv",
        ),
        ({"channel": CHANNEL, "amount": {"amount": "5.001", "currency": "EUR"}}, 422, "decimals"),
        ({"channel": CHANNEL, "amount": {"amount": "0.00", "currency": "EUR"}}, 422, "more than"),
        ({"channel": CHANNEL, "amount": {"amount": "1e3", "currency": "EUR"}}, 422, "amount"),
        ({"channel": CHANNEL, "fields": ["payment-card-number"]}, 422, "expiration-date"),
        ({"channel": CHANNEL, "fields": ["pin"]}, 422, "fields"),
        ({"channel": CHANNEL, "card": "x"}, 422, "card"),
        ({}, 422, "channel"),
    ],
)
async def test_what_cannot_be_begun_says_why_and_takes_nobody_out_of_their_talk(
    client: httpx.AsyncClient, assistance: Assistance, body: dict[str, Any], status: int, says: str
) -> None:
    headers = {"Idempotency-Key": f"key-{uuid4()}"}
    answer = await client.post("/v1/captures", json=body, headers=headers)
    assert (answer.status_code, assistance.talks.lent) == (status, [])
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


async def test_fields_are_asked_for_in_any_order_and_again(
    client: httpx.AsyncClient, assistance: Assistance
) -> None:
    document = await begun(client)
    path = f"/v1/captures/{document['id']}"
    early = await client.patch(path, json={"capture": "security-code"})
    assert (early.status_code, "opening" in early.json()["detail"]) == (409, True)
    assistance.assisting.heard(UUID(document["id"]))
    for name in ("security-code", "payment-card-number", "security-code"):
        answer = await client.patch(path, json={"capture": name})
        assert (answer.status_code, answer.json()["status"]) == (200, "open")
    assert assistance.talks.told == [
        "ask security-code",
        "ask payment-card-number",
        "ask security-code",
    ]
    other = await client.patch(path, json={"capture": "postal-code"})
    assert other.status_code == 409


@pytest.mark.parametrize(
    "body", [{}, {"capture": "security-code", "status": "cancel"}, {"status": "paid"}]
)
async def test_a_change_is_one_thing(client: httpx.AsyncClient, body: dict[str, str]) -> None:
    document = await begun(client)
    answer = await client.patch(f"/v1/captures/{document['id']}", json=body)
    assert answer.status_code == 422


async def test_it_is_completed_only_when_every_field_is_good(
    client: httpx.AsyncClient, assistance: Assistance
) -> None:
    document = await begun(client)
    capture_id, path = UUID(document["id"]), f"/v1/captures/{document['id']}"
    assistance.assisting.heard(capture_id)
    early = await client.patch(path, json={"status": "complete"})
    assert (early.status_code, "security-code" in early.json()["detail"]) == (409, True)
    assistance.enters(capture_id)
    assert (await client.patch(path, json={"status": "complete"})).status_code == 200
    assert assistance.talks.told == ["complete"]
    await assistance.ends(capture_id, CaptureResult.SUCCESS)
    await assistance.over(capture_id)
    again = (await client.patch(path, json={"status": "complete"})).json()
    assert (again["status"], again["result"], again["required"]) == ("complete", "success", [])
    assert again["card"] == {"brand": "visa", "last4": "1111", "expires": "1230"}
    assert "token" not in json.dumps(again)


async def test_no_length_of_a_security_code_is_ever_shown(
    client: httpx.AsyncClient, assistance: Assistance
) -> None:
    document = await begun(client)
    capture_id = UUID(document["id"])
    for keyed in ("•", "••••"):
        told = FieldProgress(FieldState.ENTERING, keyed, 1)
        assistance.assisting.heard(capture_id, CaptureField.SECURITY_CODE, told)
        shown = (await client.get(f"/v1/captures/{capture_id}")).json()
        assert shown["fields"]["security-code"]["masked"] == "•••"


async def test_every_change_is_an_event_until_the_capture_is_over(
    client: httpx.AsyncClient, assistance: Assistance
) -> None:
    document = await begun(client)
    capture_id = UUID(document["id"])

    async def caller_keys() -> None:
        wrong = FieldProgress(FieldState.WRONG, "", 1, ErrorType.INVALID_CARD_NUMBER)
        for progress in (FieldProgress(FieldState.ASKED, "", 1), wrong):
            await asyncio.sleep(MOMENT_SECONDS)
            assistance.assisting.heard(capture_id, CaptureField.CARD_NUMBER, progress)
        await asyncio.sleep(MOMENT_SECONDS)
        await assistance.ends(capture_id, CaptureResult.CANCELED)

    keying = asyncio.create_task(caller_keys())
    answer = await client.get(f"/v1/captures/{capture_id}/events")
    await keying
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [text.split("\n") for text in answer.text.strip().split("\n\n")]
    assert {lines[0] for lines in events} == {"event: capture"}
    documents = [json.loads(lines[1].removeprefix("data: ")) for lines in events]
    states = [one["fields"]["payment-card-number"]["state"] for one in documents]
    assert list(dict.fromkeys(states)) == ["waiting", "asked", "wrong"]
    assert documents[-1]["status"] == "canceled"


async def test_a_capture_that_is_not_there_is_a_problem(client: httpx.AsyncClient) -> None:
    path = f"/v1/captures/{uuid4()}"
    answers = [
        await client.get(path),
        await client.get(f"{path}/events"),
        await client.patch(path, json={"status": "cancel"}),
        await client.patch(path, json={"status": "complete"}),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4


async def test_a_pbx_that_is_away_is_503(client: httpx.AsyncClient, assistance: Assistance) -> None:
    assistance.talks.is_away = True
    assert (await client.get("/v1/captures/calls")).status_code == 503


async def test_without_a_valid_key_no_capture_is_seen_or_begun(
    client: httpx.AsyncClient, assistance: Assistance
) -> None:
    document = await begun(client)
    path = f"/v1/captures/{document['id']}"
    client.headers.pop("Authorization")
    answers = [
        await client.get("/v1/captures/calls"),
        await client.get(path),
        await client.get(f"{path}/events"),
        await client.patch(path, json={"status": "cancel"}),
        await client.post("/v1/captures", json={"channel": CHANNEL}),
    ]
    assert [answer.status_code for answer in answers] == [401] * 5


def test_every_refusal_has_a_status() -> None:
    assert set(REFUSALS) == set(CaptureError.__subclasses__())


def test_the_documents_words_are_those_of_the_contract() -> None:
    assert set(module.Change.model_fields) == {"capture", "status"}
    states = ["waiting", "asked", "entering", "good", "wrong"]
    assert [state.value for state in FieldState] == states
