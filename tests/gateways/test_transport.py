"""What is certain about a request that failed, and which way it takes."""

from __future__ import annotations

import ssl

import pytest
from urllib3 import exceptions

from ivr.billing.errors import GatewayNotReached, OutcomeUnknown
from ivr.gateways.transport import Transport, is_loopback, proxy_for


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("no_proxy", "inside.test")


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://api.sandbox.braintreegateway.com:443", "http://proxy.test:3128"),
        ("https://gateway.inside.test:443", None),
        ("http://127.0.0.1:4000", None),
        ("http://127.8.9.1:4000", None),
        ("http://localhost:4000", None),
        ("http://[::1]:4000", None),
    ],
)
def test_the_proxy_of_the_environment_is_for_the_far_side_only(url: str, proxy: str | None) -> None:
    assert proxy_for(url) == proxy


@pytest.mark.parametrize("host", ["localhost.example.test", "10.0.0.1", "", None])
def test_another_host_is_not_loopback(host: str | None) -> None:
    assert not is_loopback(host)


class Settings:
    timeout = 1.0
    ssl_certificate = None
    base_url = "http://127.0.0.1:1"


@pytest.fixture
def transport() -> Transport:
    return Transport(Settings, Settings)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.NewConnectionError(None, "refused"),  # type: ignore[arg-type]  # no pool here
        exceptions.ConnectTimeoutError(),
        exceptions.ProxyError("no tunnel", OSError()),
        exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_request_that_never_left_is_known_to_have_charged_nothing(
    transport: Transport, error: Exception
) -> None:
    with pytest.raises(GatewayNotReached):
        transport.handle_exception(error)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ReadTimeoutError(None, None, "slow"),  # type: ignore[arg-type]  # no pool here
        exceptions.ProtocolError("reset"),
        exceptions.SSLError(ssl.SSLError("broken record")),
        exceptions.IncompleteRead(1, 2),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "not text"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_request_that_may_have_left_is_unknown(transport: Transport, error: Exception) -> None:
    with pytest.raises(OutcomeUnknown):
        transport.handle_exception(error)
