"""Whatever is wrong with a request: a problem that says what, and no secret."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter
from prometheus_client import CollectorRegistry

from ivr.billing.errors import LedgerUnavailable
from ivr.web.api import Page, Sources, build
from ivr.web.bodies import LONGEST_BYTES
from ivr.web.errors import PROBLEM
from ivr.web.keys import Key, Keys
from tests.billing.assistance import Assistance

KEY = "k" * 32
CAPTURES = "/v1/captures"


def broken() -> APIRouter:
    """A part of ours with a mistake in it."""
    router = APIRouter()

    @router.get("/broken")
    async def read() -> None:
        raise KeyError("4711, which nobody may see")

    return router


async def nothing(_before: int | None, _limit: int) -> Page:
    raise LedgerUnavailable("gone")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    sources = Sources(
        readers={"calls": nothing},
        checks={},
        metrics=CollectorRegistry(),
        keys=Keys([Key("all", KEY)]),
        assisting=Assistance().assisting,
        routers=[broken()],
    )
    transport = httpx.ASGITransport(app=build(sources), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://saldo",
        headers={"Authorization": f"Bearer {KEY}", "Idempotency-Key": "one-wish"},
    ) as asking:
        yield asking


def problem(answer: httpx.Response) -> int:
    """Its status, if it is a problem as it should be."""
    assert answer.headers["content-type"] == PROBLEM
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["title"]
    return int(answer.status_code)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing/at/all", 404),
        ("GET", "/v1/captures/not-an-id", 422),
        ("DELETE", CAPTURES, 405),
        ("GET", "/broken", 500),
        ("GET", "/v1/calls?before=99999999999999999999", 422),
    ],
)
async def test_every_refusal_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    assert problem(answer) == status
    assert "4711" not in answer.text


async def test_another_method_hears_which_are_allowed(client: httpx.AsyncClient) -> None:
    assert (await client.delete(CAPTURES)).headers["allow"] == "POST"


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b'{"channel": NaN', b"[" * 100_000, b"", b"[]", b'"text"']
)
async def test_a_body_that_is_no_document_is_a_problem(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await client.post(CAPTURES, content=body, headers={"Content-Type": "application/json"})
    assert problem(answer) in (400, 422)


async def test_a_body_is_read_up_to_a_limit_and_no_further(client: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 100 * LONGEST_BYTES:
            read += 65536
            yield b" " * 65536

    assert problem(await client.post(CAPTURES, content=endless())) == 413
    assert read < 2 * LONGEST_BYTES
    announced = {"Content-Length": str(LONGEST_BYTES + 1)}
    assert problem(await client.post(CAPTURES, content=b"", headers=announced)) == 413


@pytest.mark.parametrize("length", ["x", "-1", "9" * 5000])
async def test_a_length_that_is_none_is_no_way_around_the_limit(
    client: httpx.AsyncClient, length: str
) -> None:
    long = b" " * (LONGEST_BYTES + 1)
    answer = await client.post(CAPTURES, content=long, headers={"Content-Length": length})
    assert problem(answer) == 413


async def test_nobody_is_sent_to_a_host_that_the_request_itself_named(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/healthz/", headers={"Host": "evil.example"})
    assert problem(answer) == 404
    assert "location" not in answer.headers
