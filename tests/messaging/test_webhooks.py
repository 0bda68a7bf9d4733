"""Webhooks to a real server that takes, refuses, hangs and sends elsewhere."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr.billing.messages import Arrived, Failed
from ivr.messaging.networks import Networks
from ivr.messaging.webhooks import Webhooks, new_secret, signature
from ivr.settings import PROJECT
from tests.messaging.deliveries import SECRET, to

BOMB = gzip.compress(bytes(50_000_000))
HERE = Networks(["127.0.0.0/8"])
OTHER = "whsec_" + base64.b64encode(b"the one before").decode()


class Crm:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.ports: list[int] = []
        """that the posts came from"""
        app = web.Application()
        app.router.add_post("/{what}", self._take)
        self.server = TestServer(app)

    def url(self, what: str) -> str:
        return str(self.server.make_url(f"/{what}"))

    async def _take(self, request: web.Request) -> web.Response:
        assert request.transport
        self.ports.append(request.transport.get_extra_info("peername")[1])
        self.got.append((dict(request.headers), await request.read()))
        match request.match_info["what"]:
            case "hangs":
                await asyncio.sleep(3)
            case "elsewhere":
                raise web.HTTPTemporaryRedirect("/200")
            case "long":
                return web.Response(text="x" * 5_000_000)
            case "bomb":
                return web.Response(body=BOMB, headers={"Content-Encoding": "gzip"})
            case "cuts":
                request.transport.abort()
            case status:
                return web.Response(status=int(status), text="said")
        return web.Response()


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    crm = Crm()
    await crm.server.start_server()
    yield crm
    await crm.server.close()


@pytest.fixture
async def webhooks() -> AsyncIterator[Webhooks]:
    async with Webhooks(0.5, networks=HERE, now=lambda: 1700000000.7) as webhooks:
        yield webhooks


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As the receivers' libraries do it (standardwebhooks), written down once more."""
    key = base64.b64decode(secret[len("whsec_") :])
    signed = b".".join(
        (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body)
    )
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    versions = (one.split(",") for one in headers["webhook-signature"].split(" "))
    return any(
        version == "v1" and hmac.compare_digest(expected, value) for version, value in versions
    )


async def test_the_ten_lines_of_the_manual_verify_what_arrives(crm: Crm) -> None:
    page = (PROJECT / "docs/messages.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], names)  # noqa: S102 - our own page
    async with Webhooks(networks=HERE) as webhooks:
        await webhooks.send(to(crm.url("200"), previous=OTHER))
    async with Webhooks(networks=HERE, now=lambda: 1700000000) as webhooks:
        await webhooks.send(to(crm.url("200")))
    (headers, body), (old_headers, old_body) = crm.got
    assert names["verified"](SECRET, headers, body)
    assert names["verified"](OTHER, headers, body)
    assert not names["verified"](SECRET, headers, body + b" ")
    assert not names["verified"](SECRET, old_headers, old_body)


async def test_a_connection_serves_posts_in_a_row_and_none_that_comes_later(
    crm: Crm, webhooks: Webhooks
) -> None:
    """A receiver may be closing what has been idle; gunicorn does so after two seconds."""
    await webhooks.send(to(crm.url("200")))
    await webhooks.send(to(crm.url("200")))
    await asyncio.sleep(1.2)
    await webhooks.send(to(crm.url("200")))
    first, second, later = crm.ports
    assert first == second != later


def test_the_signature_is_that_of_the_specification() -> None:
    body = b'{"test": 2432232314}'
    signed = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_no_two_secrets_are_alike() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(len(base64.b64decode(one[len("whsec_") :])) == 32 for one in secrets)


async def test_what_arrives_is_signed_and_says_what_happened(crm: Crm, webhooks: Webhooks) -> None:
    assert await webhooks.send(to(crm.url("202"))) == Arrived("202 said")
    ((headers, body),) = crm.got
    assert headers["webhook-id"] == "msg_5"
    assert headers["webhook-timestamp"] == "1700000000"
    assert verified(SECRET, headers, body)
    assert not verified(SECRET, headers, body + b" ")
    assert not verified(OTHER, headers, body)
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("service.reactivated", "2026-11-23T05:30:00Z")
    assert told["data"]["service"] == {
        "id": 7,
        "external_id": "C1042-1",
        "status": "active",
        "suspended_for": None,
    }
    assert told["data"]["payment"]["amount"] == "42.50"
    assert told["data"]["payment"]["last4"] == "1111"


async def test_names_and_labels_stay_in_the_house(crm: Crm, webhooks: Webhooks) -> None:
    address = replace(to(crm.url("200")), address="+34600000001")
    await webhooks.send(address)
    ((_, body),) = crm.got
    for private in (b"James", b"mobile", b"+34600000001", b"whsec"):
        assert private not in body


async def test_while_a_secret_is_changed_both_sign(crm: Crm, webhooks: Webhooks) -> None:
    await webhooks.send(to(crm.url("200"), previous=OTHER))
    ((headers, body),) = crm.got
    assert verified(SECRET, headers, body)
    assert verified(OTHER, headers, body)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("500", "the endpoint answered 500"),
        ("404", "the endpoint answered 404"),
        ("304", "the endpoint answered 304"),
        ("elsewhere", "the endpoint answered 307"),
        ("hangs", "no answer within 0.5 s"),
        ("cuts", "not reached (ServerDisconnectedError)"),
    ],
)
async def test_only_2xx_is_success_and_a_redirect_is_not_followed(
    crm: Crm, webhooks: Webhooks, what: str, why: str
) -> None:
    outcome = await webhooks.send(to(crm.url(what)))
    assert isinstance(outcome, Failed)
    assert (outcome.why, outcome.for_good) == (why, False)
    assert len(crm.got) == 1


async def test_410_says_that_nothing_more_is_wanted(crm: Crm, webhooks: Webhooks) -> None:
    outcome = await webhooks.send(to(crm.url("410")))
    assert isinstance(outcome, Failed)
    assert outcome.for_good
    assert outcome.endpoint_gone


async def test_an_address_where_nobody_is_fails_and_is_tried_again(webhooks: Webhooks) -> None:
    for url in ("http://127.0.0.1:1/", "http://[::1", "http://nowhere.invalid/"):
        outcome = await webhooks.send(to(url))
        assert isinstance(outcome, Failed)
        assert not outcome.for_good


async def test_of_a_long_answer_only_the_beginning_is_read(crm: Crm, webhooks: Webhooks) -> None:
    outcome = await webhooks.send(to(crm.url("long")))
    assert isinstance(outcome, Arrived)
    assert len(outcome.answer) <= 1010


async def test_an_answer_that_would_grow_is_not_unpacked(crm: Crm, webhooks: Webhooks) -> None:
    tracemalloc.start()
    outcome = await webhooks.send(to(crm.url("bomb")))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(outcome, Arrived)
    assert most < len(BOMB) + 5_000_000


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_nothing_within_is_reached_by_its_address_or_by_any_name(crm: Crm, name: str) -> None:
    async with Webhooks(5) as webhooks:
        outcome = await webhooks.send(to(f"http://{name}:{crm.server.port}/200"))
    assert outcome == Failed("its address is not on the internet: see [webhooks] networks")
    assert crm.got == []
