"""Who may ask the pay page how often, and what a browser may load on it."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from ivr.web import pay_security
from ivr.web.errors import PayPageError
from ivr.web.pay_security import LOOKS_A_MINUTE, MINUTE, MISSES_A_MINUTE, Visitors, policy

ORIGIN = "https://pay.example.com"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def asking(address: str = "192.0.2.1", **headers: str) -> Request:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "client": (address, 1), "headers": sent})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def visitors(clock: Clock) -> Visitors:
    return Visitors(ORIGIN, clock)


def test_a_link_is_asked_for_so_often_a_minute_and_no_more(
    visitors: Visitors, clock: Clock
) -> None:
    assert all(visitors.may_look(asking(), 1) for _ in range(LOOKS_A_MINUTE))
    assert not visitors.may_look(asking("192.0.2.2"), 1)
    clock.now += MINUTE
    assert visitors.may_look(asking(), 1)


def test_a_thousand_telephones_behind_one_address_do_not_get_into_each_others_way(
    visitors: Visitors,
) -> None:
    for _ in range(2 * MISSES_A_MINUTE):  # one of them has copied half a link
        visitors.may_look(asking(), None)
    assert all(visitors.may_look(asking(), link) for _ in range(30) for link in range(1000))


def test_who_misses_too_often_waits_a_minute(visitors: Visitors, clock: Clock) -> None:
    assert all(visitors.may_look(asking(), None) for _ in range(MISSES_A_MINUTE))
    assert not visitors.may_look(asking(), None)
    assert visitors.may_look(asking("192.0.2.2"), None)
    clock.now += MINUTE
    assert visitors.may_look(asking(), None)


def test_a_flood_of_addresses_takes_no_more_room_than_is_given(
    visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pay_security, "REMEMBERED", 10)
    for number in range(100):
        visitors.may_look(asking(f"192.0.2.{number}"), None)
    assert len(visitors._visits) == 10


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({}, True),  # an old browser, which says nothing
        ({"origin": ORIGIN, "sec_fetch_site": "same-origin"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
    ],
)
def test_only_a_page_of_ours_may_ask(
    visitors: Visitors, headers: dict[str, str], *, same: bool
) -> None:
    assert visitors.same_site(asking(**headers)) is same


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Pay.Example.com:443", "https://pay.example.com"),
        ("https://pay.example.com:8443/", "https://pay.example.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://pagos.compañía.es", "https://pagos.xn--compaa-7va5a.es"),
    ],
)
def test_the_address_in_the_settings_is_ours_however_it_is_written(url: str, origin: str) -> None:
    assert Visitors(url).same_site(asking(origin=origin))
    assert not Visitors(url).same_site(asking(origin=origin + "1"))


@pytest.mark.parametrize("url", ["https://pay.example.com:99999", "https://pay..example.com"])
def test_an_address_that_is_none_is_said(url: str) -> None:
    with pytest.raises(PayPageError, match=r"is no address"):
        Visitors(url)


@pytest.mark.parametrize("environment", ["sandbox", "production", "stand-in"])
def test_a_browser_loads_from_us_and_the_gateway_and_nobody_else(environment: str) -> None:
    allowed = policy(environment, "http://127.0.0.1:4711/")
    assert "unsafe" not in allowed
    assert "*" not in allowed.replace("https://*.", "")
    hosts = {word for word in allowed.split() if word.startswith("http")}
    if environment == "stand-in":
        assert {host.rstrip(";") for host in hosts} == {"http://127.0.0.1:4711"}
    else:
        assert all(
            host.rstrip(";").endswith((".braintreegateway.com", ".braintree-api.com", "paypal.com"))
            for host in hosts
        )
        assert ("sandbox" in allowed) is (environment == "sandbox")
