"""Who may open the pay page: with which links, how often, and from where."""

from __future__ import annotations

import re
from uuid import uuid4

import httpx
import pytest

from ivr.billing.errors import LedgerUnavailable
from ivr.storage.links import PostgresLinks
from ivr.web.pay_security import LOOKS_A_MINUTE, MISSES_A_MINUTE
from tests.web.pay_house import PayHouse
from tests.web.pay_script import AMOUNT, Script


async def test_who_guesses_links_is_turned_away_with_the_same_page(
    http: httpx.AsyncClient, house: PayHouse
) -> None:
    link = await house.link(AMOUNT)
    pages = set()
    for guess in range(MISSES_A_MINUTE + 1):
        answer = await http.get(f"{link.url[:-2]}{guess:02d}")
        pages.add(answer.text)
    assert answer.status_code == 429
    assert len(pages) == 1
    assert (await http.get(link.url)).status_code == 200  # who has one may share an address


async def test_a_link_that_cannot_be_used_is_told_in_the_language_of_the_browser(
    http: httpx.AsyncClient, house: PayHouse
) -> None:
    late = await house.link(AMOUNT, minutes=-1)
    for spoken, told in (("es-ES,es;q=0.9,en;q=0.8", "no se puede usar"), ("fr,en", "cannot be")):
        answer = await http.get(late.url, headers={"Accept-Language": spoken})
        assert told in answer.text


async def test_a_database_that_is_away_is_not_the_end_of_a_link(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise LedgerUnavailable("away")

    monkeypatch.setattr(PostgresLinks, "bill", away)
    answer = await script.http.get(script.link.url)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert "Please try again in a minute" in answer.text
    assert "cannot be used" not in answer.text


async def test_a_link_that_is_asked_for_too_often_is_not_called_useless(script: Script) -> None:
    for _ in range(LOOKS_A_MINUTE):
        answer = await script.http.get(script.link.url + "?lang=es")
    assert answer.status_code == 429
    assert "Su enlace sigue siendo válido" in answer.text


async def test_a_link_that_expired_is_not_opened_by_a_press_that_never_was(
    script: Script, house: PayHouse
) -> None:
    late = "UPDATE links SET expires_at = now() - interval '1 minute' WHERE id = $1"
    await house.world.ask(late, script.link.id)
    for path in (f"/paypal/{uuid4()}", f"/paypal/{uuid4()}?paymentId=PAYID-1&PayerID=P1"):
        assert (await script.http.get(script.link.url + path)).status_code == 404
    assert (await script.get(f"/result/{uuid4()}")) == {"state": "closed"}


async def test_an_order_that_comes_again_after_the_link_expired_is_still_answered(
    script: Script, house: PayHouse
) -> None:
    order = {"key": str(uuid4()), "nonce": await script.nonce()}
    assert (await script.pay(**order))["state"] == "paid"
    late = "UPDATE links SET expires_at = now() - interval '1 minute' WHERE id = $1"
    await house.world.ask(late, script.link.id)
    assert (await script.pay(**order))["state"] == "paid"
    assert await house.taken(script.link) == [AMOUNT]


async def test_another_sites_page_cannot_pay(script: Script) -> None:
    nonce = await script.nonce()
    order = {"key": str(uuid4()), "amount": AMOUNT, "fee": "0.00", "nonce": nonce}
    address = script.link.url + "/card"
    own = {"X-Pay-Form": script.form}
    for headers in (
        {},
        {"X-Pay-Form": "x" * 12},
        own | {"Origin": "https://elsewhere.example"},
        own | {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = await script.http.post(address, json=order, headers=headers)
        assert answer.status_code >= 400
    assert await script.house.taken(script.link) == []


async def test_the_form_of_one_link_is_of_no_use_for_another(
    script: Script, house: PayHouse
) -> None:
    other = await house.link(AMOUNT)
    answer = await script.http.post(
        other.url + "/token", json={}, headers={"X-Pay-Form": script.form}
    )
    assert answer.status_code == 403


async def test_the_headers_keep_the_page_to_itself(script: Script) -> None:
    answer = await script.http.get(script.link.url)
    sent = answer.headers
    policy = sent["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert sent["referrer-policy"] == "no-referrer"
    assert sent["cache-control"] == "no-store"
    assert "set-cookie" not in sent
    assert not re.search(r"<script(?![^>]* src=)", answer.text)
    assert not re.search(r'\s(style|on[a-z]+)="', answer.text)


async def test_a_name_of_a_customer_is_on_no_page(script: Script) -> None:
    page = await script.load()
    assert "James Smith" not in page
    assert "28013" not in page
