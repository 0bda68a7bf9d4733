"""How the braintree SDK reaches the network, and whether a request certainly never left.

The SDK's own one cannot be used as it is: it applies HTTP_PROXY even where NO_PROXY (or loopback)
says otherwise, follows redirects, and its exceptions hold the request, card included.
"""

from __future__ import annotations

import ipaddress
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import urllib3

from ivr.billing.errors import GatewayNotReached, OutcomeUnknown

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 30.0
"""A connection that rested longer is not used again: the far end may have forgotten it, and a
request lost in it would be an unknown outcome."""

NEVER_SENT = (
    urllib3.exceptions.NewConnectionError,  # refused, no route, no such name
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.LocationValueError,
)
NO_TUNNEL = "Tunnel connection failed"
"""how http.client begins what it says when a proxy does not let a request through"""


def is_loopback(host: str | None) -> bool:
    """Whether a host name can only be this machine."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for this URL; never one for loopback or NO_PROXY."""
    parts = urlsplit(url)
    if is_loopback(parts.hostname) or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)


class Transport:
    """One pool of connections, shared by the threads that use one SDK gateway."""

    def __init__(self, config: Any, environment: Any) -> None:
        """Called by the SDK with its `Configuration` and `Environment`."""
        self._timeout = urllib3.Timeout(
            connect=min(CONNECT_SECONDS, config.timeout), read=config.timeout
        )
        tls = {"ca_certs": environment.ssl_certificate} if environment.ssl_certificate else {}
        proxy = proxy_for(environment.base_url)
        self._new: Callable[[], urllib3.PoolManager] = lambda: _manager(proxy, tls)
        self._connections = self._new()
        self._lock = threading.Lock()
        self._since = time.monotonic()

    def http_do(
        self, http_verb: str, path: str, headers: Mapping[str, str | bytes], request_body: str
    ) -> tuple[int, str]:
        """Send one request once; the status and the text of the answer.

        Raises:
            urllib3.exceptions.HTTPError: what `handle_exception` is for.
        """
        response = self._young().request(
            http_verb,
            path,
            body=request_body.encode() if request_body else None,
            headers={name: _text(value) for name, value in headers.items()},
            timeout=self._timeout,
            retries=False,
            redirect=False,
        )
        return response.status, response.data.decode("utf-8")

    def handle_exception(self, exception: Exception) -> NoReturn:
        """Called by the SDK with whatever `http_do` raised.

        Raises:
            GatewayNotReached: no byte of the request left this machine.
            OutcomeUnknown: anything else.
        """
        kind = type(exception).__name__
        if _is_unsent(exception):
            raise GatewayNotReached(
                f"the gateway could not be reached ({kind}): check the network and braintree.url"
            )
        raise OutcomeUnknown(f"no complete answer from the gateway ({kind})")

    def close(self) -> None:
        """Close the connections that rest."""
        self._connections.clear()

    def _young(self) -> urllib3.PoolManager:
        """Connections none of which can have rested too long, however busy the others are.

        The old ones are left to who is using them, and close when nobody does.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._since > IDLE_SECONDS:
                self._connections, self._since = self._new(), now
            return self._connections


def _manager(proxy: str | None, tls: dict[str, str]) -> urllib3.PoolManager:
    if proxy is None:
        return urllib3.PoolManager(maxsize=64, **tls)  # type: ignore[arg-type]  # str is right
    parts = urlsplit(proxy)
    headers = None
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers = urllib3.util.make_headers(proxy_basic_auth=login)
    return urllib3.ProxyManager(proxy, maxsize=64, proxy_headers=headers, **tls)  # type: ignore[arg-type]  # the same


def _text(value: str | bytes) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value


def _is_unsent(exception: BaseException) -> bool:
    """Whether the request certainly never left.

    urllib3 says ProxyError also when a proxy took the request and then broke off.
    """
    if isinstance(exception, urllib3.exceptions.ProxyError):
        why = exception.original_error
        return _is_unsent(why) or (isinstance(why, OSError) and str(why).startswith(NO_TUNNEL))
    return isinstance(exception, NEVER_SENT) or _bad_certificate(exception)


def _bad_certificate(exception: BaseException) -> bool:
    return isinstance(exception, urllib3.exceptions.SSLError) and any(
        isinstance(cause, ssl.SSLCertVerificationError)
        for cause in (*exception.args, exception.__cause__, exception.__context__)
    )
