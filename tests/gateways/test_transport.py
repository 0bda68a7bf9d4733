"""What is certain about a request that failed, and which way it takes."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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
        exceptions.ProxyError("no tunnel", OSError("Tunnel connection failed: 403 Forbidden")),
        exceptions.ProxyError("no proxy", exceptions.NewConnectionError(None, "refused")),  # type: ignore[arg-type]  # no pool here
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
        exceptions.ProxyError("took it and broke off", ConnectionResetError()),
        exceptions.SSLError(ssl.SSLError("broken record")),
        exceptions.IncompleteRead(1, 2),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "not text"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_request_that_may_have_left_is_unknown(transport: Transport, error: Exception) -> None:
    with pytest.raises(OutcomeUnknown):
        transport.handle_exception(error)


class Proxy:
    """Takes one request up to these bytes, answers, breaks the connection off, and is gone."""

    def __init__(self, until: bytes, answer: bytes = b"") -> None:
        self.seen = b""
        self._until, self._answer = until, answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection:
            while self._until not in self.seen:
                self.seen += connection.recv(65536)
            connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join(timeout=10)
        self._server.close()


def test_a_request_that_a_proxy_took_may_have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(until=b"</body>")
    monkeypatch.setenv("http_proxy", proxy.url)
    far = type("Far", (Settings,), {"base_url": "http://gateway.test:80"})
    transport = Transport(far, far)
    try:
        transport.http_do("POST", "http://gateway.test/sale", {}, "<body>1</body>")
    except Exception as error:  # noqa: BLE001 - as the SDK hands it over
        broken = error
    proxy.close()
    transport.close()
    assert b"<body>1</body>" in proxy.seen
    with pytest.raises(OutcomeUnknown):
        transport.handle_exception(broken)


def test_a_proxy_that_is_away_took_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    far = type("Far", (Settings,), {"base_url": "http://gateway.test:80"})
    transport = Transport(far, far)
    with pytest.raises(exceptions.ProxyError) as away:
        transport.http_do("POST", "http://gateway.test/sale", {}, "<body>1</body>")
    with pytest.raises(GatewayNotReached):
        transport.handle_exception(away.value)


def test_a_proxy_that_does_not_let_us_through_took_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(until=b"\r\n\r\n", answer=b"HTTP/1.1 403 Forbidden\r\n\r\n")
    monkeypatch.setenv("https_proxy", proxy.url)
    far = type("Far", (Settings,), {"base_url": "https://gateway.test:443"})
    transport = Transport(far, far)
    with pytest.raises(exceptions.ProxyError) as refused:
        transport.http_do("POST", "https://gateway.test/sale", {}, "<body>1</body>")
    proxy.close()
    assert proxy.seen.startswith(b"CONNECT gateway.test:443")
    with pytest.raises(GatewayNotReached):
        transport.handle_exception(refused.value)


class Far(ThreadingHTTPServer):
    """Answers everything, and notes how long each connection rested before each request."""

    def __init__(self) -> None:
        self.rests: list[float] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Answering)


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Far

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1
        self.last = time.monotonic()

    def do_GET(self) -> None:
        self.server.rests.append(time.monotonic() - self.last)
        time.sleep(0.02)  # long enough for another request to need another connection
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.last = time.monotonic()

    def log_message(self, *_: object) -> None:
        """Nowhere."""


def test_a_connection_that_rested_is_not_used_again_though_others_were_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ivr.gateways.transport.IDLE_SECONDS", 0.5)
    transport = Transport(Settings, Settings)
    with Far() as far, ThreadPoolExecutor(4) as threads:
        serving = threads.submit(far.serve_forever)
        url = f"http://127.0.0.1:{far.server_port}/"

        def ask(at_once: int) -> None:
            list(threads.map(lambda _: transport.http_do("GET", url, {}, ""), range(at_once)))

        ask(2)
        for _ in range(20):
            ask(1)
            time.sleep(0.05)
        ask(2)
        transport.close()
        far.shutdown()
        serving.result()
    assert max(far.rests) < 1
    assert len(far.rests) == 24
    assert far.connections < 24
