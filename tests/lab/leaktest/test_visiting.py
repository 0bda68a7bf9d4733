"""A visit to the pay page: digits in every wrong place, and every answer is kept and searched."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr.lab.leaktest import visiting
from ivr.lab.leaktest.canaries import Canary
from ivr.lab.leaktest.house import House
from ivr.lab.leaktest.matching import Matcher
from ivr.lab.leaktest.packets import BROWSERS
from ivr.lab.leaktest.visiting import Answered

CARD = Canary("4217651111111119", "visa", "1129", "583")
Answers = Callable[[web.Request, str], web.Response]


class Site:
    """Our server and the gateway's fields in one; `answers` may change what a page says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.from_: set[str | None] = set()
        self.card: dict[str, Any] = {}
        self.outcome = ["working", "paid"]
        self.answers: Answers = lambda _, text: web.Response(text=text)
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.text()
        if request.path == "/v1/links":
            return web.json_response({"url": f"{self.url}/pay/code"})
        self.from_.add(request.remote)
        if request.path == "/client/graphql":
            self.card = json.loads(body)["variables"]["input"]["creditCard"]
            told = {"tokenizeCreditCard": {"paymentMethod": {"id": "nonce"}}}
            return web.json_response({"data": told})
        self.asked.append((request.method, request.path_qs, body))
        return self.answers(request, self._page(request.path, body))

    def _page(self, path: str, body: str) -> str:
        if path.endswith("/token"):
            fields = {"graphQL": {"url": f"{self.url}/client/graphql"}}
            coded = json.dumps(fields | {"authorizationFingerprint": "f"}).encode()
            return json.dumps({"token": base64.b64encode(coded).decode()})
        if "/result/" in path or '"nonce": "nonce"' in body:
            return json.dumps({"state": self.outcome.pop(0)})
        return '<main data-form="f0rm">'


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    found, app = Site(), web.Application()
    app.router.add_route("*", "/{path:.*}", found.take)
    async with TestServer(app) as server:
        found.url = str(server.make_url("")).rstrip("/")
        yield found


async def visit(site: Site, answered: Answered | None = None) -> str:
    lab = SimpleNamespace(api=site.url, api_key="key")
    house = cast("House", SimpleNamespace(lab=lab))
    return await visiting.visit(house, 3, CARD, answered or Answered())


async def test_the_number_is_put_wherever_a_browser_can_and_the_card_into_the_fields(
    site: Site,
) -> None:
    assert await visit(site) == ""
    places = {path.split("?")[0] for _, path, body in site.asked if CARD.number in path + body}
    assert places == {
        *("/pay/code", "/pay/code/quote", "/pay/code/card", "/pay/code/paypal/approved"),
        *(f"/pay/{CARD.number}", "/braintree/webhooks"),
    }
    assert (site.card["number"], site.card["cvv"]) == (CARD.number, CARD.code)
    paid = json.loads(next(body for _, _, body in site.asked if '"nonce": "nonce"' in body))
    assert CARD.number not in json.dumps(paid)
    assert site.from_ == {BROWSERS}


async def test_a_visit_that_does_not_end_paid_says_why(site: Site) -> None:
    site.outcome = ["working", "declined"]
    assert await visit(site) == "the pay page said: declined"


async def test_a_link_without_a_bill_says_so(site: Site) -> None:
    site.answers = lambda *_: web.Response(text="<main>")
    assert await visit(site) == "the pay page shows no bill"


async def test_an_answer_with_a_card_in_it_is_a_find(site: Site) -> None:
    def echoes(request: web.Request, text: str) -> web.Response:
        return web.Response(text=text + request.query.get("amount", ""))

    clean, echoed = Answered(), Answered()
    await visit(site, clean)
    assert clean.search(Matcher([CARD])) == set()
    assert len(clean.answers) == len(site.asked)
    site.answers, site.outcome = echoes, ["paid"]
    await visit(site, echoed)
    assert {hit.canary for hit in echoed.search(Matcher([CARD]))} == {CARD.label}
