"""Texts by SIP and by a provider; what a carrier does not take is tried again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr.billing.messages import Arrived, Channel, Failed, Skipped
from ivr.messaging.templates import Templates
from ivr.messaging.texts import NotTaken, ProviderCarrier, SipCarrier, Texts
from tests.messaging.deliveries import delivery

NUMBER = "+34600000001"
RECEIPT = delivery(Channel.TEXT, address=NUMBER)
TEMPLATES = Templates("Saldo", "GB")
apprise_imports_old_modules = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Pbx:
    """Keeps what it is asked to send."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.trouble: BaseException | None = None
        self.seconds = 0.0

    async def message(self, to: str, sender: str, body: str) -> None:
        await asyncio.sleep(self.seconds)
        if self.trouble:
            raise self.trouble
        self.sent.append((to, sender, body))


@pytest.fixture
def pbx() -> Pbx:
    return Pbx()


@pytest.fixture
def texts(pbx: Pbx) -> Texts:
    carrier = SipCarrier("pjsip:trunk/sip:{number}@sms.example", "sip:saldo@example", pbx.message)
    return Texts(carrier, TEMPLATES, timeout_seconds=0.2)


async def test_a_text_goes_through_the_pbx_to_the_customers_number(pbx: Pbx, texts: Texts) -> None:
    assert await texts.send(RECEIPT) == Arrived()
    ((to, sender, body),) = pbx.sent
    assert (to, sender) == ("pjsip:trunk/sip:+34600000001@sms.example", "sip:saldo@example")
    assert "Confirmation 12345678" in body


async def test_without_a_number_nothing_is_sent(pbx: Pbx, texts: Texts) -> None:
    assert isinstance(await texts.send(replace(RECEIPT, address="")), Skipped)
    assert pbx.sent == []


async def test_a_pbx_that_is_away_or_hangs_is_tried_again(pbx: Pbx, texts: Texts) -> None:
    pbx.trouble = NotTaken("the PBX did not take the text (PbxUnreachable)")
    assert await texts.send(RECEIPT) == Failed("the PBX did not take the text (PbxUnreachable)")
    pbx.trouble, pbx.seconds = None, 5
    outcome = await texts.send(RECEIPT)
    assert isinstance(outcome, Failed)
    assert not outcome.for_good


@pytest.fixture
async def provider() -> AsyncIterator[tuple[list[dict[str, object]], TestServer]]:
    got: list[dict[str, object]] = []

    async def take(request: web.Request) -> web.Response:
        got.append({"path": request.path, **json.loads(await request.text())})
        return web.Response(status=503 if "busy" in request.path else 200)

    app = web.Application()
    app.router.add_post("/{way:.*}", take)
    server = TestServer(app)
    await server.start_server()
    yield got, server
    await server.close()


@apprise_imports_old_modules
async def test_any_provider_that_apprise_knows_takes_texts(
    provider: tuple[list[dict[str, object]], TestServer],
) -> None:
    got, server = provider
    carrier = ProviderCarrier(f"json://127.0.0.1:{server.port}/to/{{number}}")
    assert await Texts(carrier, TEMPLATES).send(RECEIPT) == Arrived()
    assert got[0]["path"] == "/to/34600000001"
    assert "12345678" in str(got[0]["message"])
    busy = ProviderCarrier(f"json://127.0.0.1:{server.port}/busy/{{number}}")
    assert await Texts(busy, TEMPLATES).send(RECEIPT) == Failed(
        "the provider did not take the text"
    )


@apprise_imports_old_modules
async def test_a_provider_that_nobody_knows_is_said() -> None:
    outcome = await Texts(ProviderCarrier("nosuch://{number}"), TEMPLATES).send(RECEIPT)
    assert outcome == Failed("the provider of texts is unknown: check [texts] url")
