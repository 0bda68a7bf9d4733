"""What protects the pay page: its headers, who may ask how often, and from where."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from ivr.web.errors import PayPageError

LOOKS_A_MINUTE = 120
"""requests about one link: a page that waits for a payment asks every two seconds"""
MISSES_A_MINUTE = 10
"""links of one address that were none"""
REMEMBERED = 10_000
"""links and addresses; the longest quiet one is forgotten first"""
MINUTE = 60.0
PORTS = {"https": 443, "http": 80}

# Braintree's own hosts for hosted fields:
# https://developer.paypal.com/braintree/docs/guides/hosted-fields/setup-and-integration/
ASSETS = "https://assets.braintreegateway.com"
SCRIPTS = "https://js.braintreegateway.com"
HOSTS = {
    "sandbox": "https://*.sandbox.braintreegateway.com https://payments.sandbox.braintree-api.com",
    "production": "https://*.braintreegateway.com https://payments.braintree-api.com",
}
TELLS = "https://www.paypal.com"
"""where Braintree's scripts report that they work; nothing breaks without it"""


def policy(environment: str, stand_in: str = "") -> str:
    """The Content-Security-Policy: our own files, the gateway's, and nothing else of anybody."""
    if environment == "stand-in":
        parts = urlsplit(stand_in)
        here = f"{parts.scheme}://{parts.netloc}"
        scripts, frames, connect = here, here, here
    else:
        scripts, frames = f"{SCRIPTS} {ASSETS}", ASSETS
        connect = f"{HOSTS[environment]} {ASSETS} {TELLS}"
    return (
        f"default-src 'none'; script-src 'self' {scripts}; frame-src {frames}; "
        f"connect-src 'self' {connect}; img-src 'self' data: {frames}; style-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def headers(content_policy: str) -> dict[str, str]:
    """For every answer: the address is a secret, and nobody may keep, frame or search the page."""
    return {
        "Content-Security-Policy": content_policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex, nofollow",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Strict-Transport-Security": "max-age=31536000",
    }


def as_browsers_send(url: str) -> str:
    """The origin of an address: small letters, ASCII, and no port that goes without saying.

    Raises PayPageError.
    """
    parts = urlsplit(url)
    try:
        host = (parts.hostname or "").encode("idna").decode()
        port = "" if parts.port in (None, PORTS.get(parts.scheme)) else f":{parts.port}"
    except ValueError:
        raise PayPageError(f"[pay_page] url: {url} is no address of a page") from None
    return f"{parts.scheme}://{host}{port}"


@dataclass(slots=True)
class _Visits:
    began: float
    count: int = 0


class Visitors:
    """How often each link was asked for in its present minute, and each address that had none.

    Who has a link is not counted by address: a telephone company puts thousands behind one.
    """

    def __init__(self, origin: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`origin` is where customers find the page: https://pay.example.com."""
        self._origin = as_browsers_send(origin)
        self._clock = clock
        self._visits: OrderedDict[int | str, _Visits] = OrderedDict()

    def may_look(self, request: Request, link_id: int | None) -> bool:
        """Count a request for a link, or for none; False when there were too many."""
        address = request.client.host if request.client else ""
        visits = self._of(address if link_id is None else link_id)
        visits.count += 1
        return visits.count <= (MISSES_A_MINUTE if link_id is None else LOOKS_A_MINUTE)

    def same_site(self, request: Request) -> bool:
        """Whether a page of ours asks, as far as the browser says who asks."""
        sent: Mapping[str, str] = request.headers
        origin = sent.get("origin")
        return sent.get("sec-fetch-site", "same-origin") == "same-origin" and (
            origin is None or origin == self._origin
        )

    def _of(self, who: int | str) -> _Visits:
        now = self._clock()
        visits = self._visits.pop(who, None)
        if visits is None or now - visits.began >= MINUTE:
            visits = _Visits(now)
        self._visits[who] = visits
        while len(self._visits) > REMEMBERED:
            self._visits.popitem(last=False)
        return visits
