"""Visits to the pay page: digits typed where no card belongs, then paid in the gateway's fields."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from ivr.lab.errors import LabError
from ivr.lab.leaktest.calls import Planned
from ivr.lab.leaktest.canaries import AnyCanary, Canary
from ivr.lab.leaktest.house import AMOUNT, House, account, invoice
from ivr.lab.leaktest.matching import Hit, Matcher
from ivr.lab.leaktest.packets import BROWSERS
from ivr.lab.leaktest.playing import Played, Told

LIMIT_SECONDS = 60.0
LOOK_SECONDS = 0.2
UNKNOWN = ("working", "confirming")
TOKENIZE = (
    "mutation TokenizeCreditCard($input: TokenizeCreditCardInput!) "
    "{ tokenizeCreditCard(input: $input) { paymentMethod { id } } }"
)
_FORM = re.compile(r'data-form="([^"]+)"')


@dataclass
class Answered:
    """What our server answered to browsers."""

    answers: list[bytes] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(map(len, self.answers))

    def search(self, matcher: Matcher) -> set[Hit]:
        """Canaries that a browser was told."""
        return {hit for one in self.answers for hit in matcher.looked_at(matcher.search(one), one)}


async def visit_all(
    house: House, visits: Sequence[Planned], answered: Answered, told: Told
) -> list[Played]:
    """Each visit, one after the other."""
    played = []
    for planned in visits:
        why = await visit(house, planned.place, planned.canary, answered)
        one = Played(planned, as_planned=not why, why=why)
        told(one)
        played.append(one)
    return played


async def visit(house: House, place: int, canary: AnyCanary, answered: Answered) -> str:
    """One visit; why it did not go as planned, empty when it did."""
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await _visit(house, place, canary, answered)
    except (LabError, TimeoutError, aiohttp.ClientError, ValueError, KeyError) as error:
        return str(error) or type(error).__name__
    return ""


async def _visit(house: House, place: int, canary: AnyCanary, answered: Answered) -> None:
    assert isinstance(canary, Canary)  # noqa: S101 - the page takes no bank accounts
    connector = aiohttp.TCPConnector(local_addr=(BROWSERS, 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        browser = _Browser(session, answered, await _link(house, place))
        found = _FORM.search(await browser.asks("GET", ""))
        if found is None:
            raise LabError("the pay page shows no bill")
        browser.form = found[1]
        await _misplace(browser, house.lab.api, canary.number)
        await _pay(browser, await _nonce(browser, canary))
        await browser.asks("GET", "")  # the receipt


@dataclass
class _Browser:
    """As much of one as the page needs."""

    session: aiohttp.ClientSession
    answered: Answered
    link: str
    form: str = ""
    """the token of the page that it shows"""

    async def asks(self, method: str, path: str, **more: Any) -> str:
        """What our server answers to a page of this link, which is kept."""
        return await self.fetches(method, self.link + path, **more)

    async def fetches(self, method: str, url: str, **more: Any) -> str:
        """The same of another address of our server's."""
        headers = {"X-Pay-Form": self.form} | more.pop("headers", {})
        async with self.session.request(method, url, headers=headers, **more) as answer:
            body = await answer.read()
        self.answered.answers.append(body)
        return body.decode()


async def _link(house: House, place: int) -> str:
    """A link to the bill of this customer, who is told of it by text and mail too."""
    headers = {"Authorization": f"Bearer {house.lab.api_key}", "Idempotency-Key": str(uuid4())}
    wanted = {"invoices": [invoice(account(place))], "tell": ["text", "mail"]}
    async with (
        aiohttp.ClientSession(house.lab.api, headers=headers) as session,
        session.post("/v1/links", json=wanted) as answer,
    ):
        answer.raise_for_status()
        return str((await answer.json())["url"])


async def _misplace(browser: _Browser, api: str, number: str) -> None:
    """The number in every place where it does not belong and a browser can put it."""
    paid = {"key": str(uuid4()), "amount": AMOUNT, "fee": "0.00"}
    for path, query in (
        ("", {"said": number, "lang": number, "paymentId": number}),
        ("/quote", {"amount": number}),
    ):
        await browser.asks("GET", path, params=query)
    for path, body in (
        ("/card", paid | {"nonce": number}),
        ("/card", paid | {"amount": number, "nonce": "none"}),
        ("/card", paid | {"nonce": "none", "note": number}),
        ("/paypal/approved", {"key": paid["key"], "payment_id": number, "payer_id": number}),
    ):
        await browser.asks("POST", path, json=body)
    await browser.asks("POST", "/token", headers={"X-Pay-Form": number})
    await browser.fetches("GET", f"{api}/pay/{number}")
    told = {"bt_payload": number, "bt_signature": number}
    await browser.fetches("POST", f"{api}/braintree/webhooks", data=told)


async def _nonce(browser: _Browser, canary: Canary) -> str:
    """What the gateway's own fields in the page give it for a card."""
    token = json.loads(await browser.asks("POST", "/token"))["token"]
    gateway: Mapping[str, Any] = json.loads(base64.b64decode(token))
    card = {
        "number": canary.number,
        "cvv": canary.code,
        "expirationMonth": canary.expiry[:2],
        "expirationYear": f"20{canary.expiry[2:]}",
    }
    given = {"input": {"creditCard": card, "options": {"validate": False}}}
    async with browser.session.post(
        gateway["graphQL"]["url"],
        json={"query": TOKENIZE, "variables": given},
        headers={"Authorization": f"Bearer {gateway['authorizationFingerprint']}"},
    ) as answer:
        told = await answer.json()
    return str(told["data"]["tokenizeCreditCard"]["paymentMethod"]["id"])


async def _pay(browser: _Browser, nonce: str) -> None:
    """Press the button, and wait until the page says how it went. Raises LabError."""
    order = {"key": str(uuid4()), "amount": AMOUNT, "fee": "0.00", "nonce": nonce}
    state = json.loads(await browser.asks("POST", "/card", json=order))["state"]
    while state in UNKNOWN:
        await asyncio.sleep(LOOK_SECONDS)
        state = json.loads(await browser.asks("GET", f"/result/{order['key']}"))["state"]
    if state != "paid":
        raise LabError(f"the pay page said: {state}")
