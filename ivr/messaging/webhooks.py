"""Signed webhooks to the company's own programs, as Standard Webhooks has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from hashlib import sha256
from typing import Any, Self

import aiohttp

from ivr.billing.messages import Arrived, Delivery, Endpoint, Failed, Outcome
from ivr.messaging.networks import Networks

PREFIX = "whsec_"
SECRET_BYTES = 32
GONE = 410
KEEP_ALIVE_SECONDS = 1
"""Shorter than receivers have it (gunicorn: 2): a post on a connection that just closes is lost."""
ANSWER_BYTES = 1000
"""of the answer are kept"""
SHOWN: Mapping[str, tuple[str, ...]] = {
    "payment": (
        *("id", "order_id", "state", "method", "amount", "fee", "currency", "brand", "last4"),
        *("bucket", "processor_code", "confirmation", "transaction_id", "call_id", "captured_at"),
    ),
    "invoice": ("id", "number", "amount", "paid", "due", "currency", "due_date"),
    "service": ("id", "external_id", "status", "suspended_for"),
    "customer": ("id", "external_id"),
}
"""What leaves the house of each noun: ids, amounts and the last four digits; no name, no number."""


def new_secret() -> str:
    """A secret of 256 bits, as receivers' libraries take it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature, with its version. Raises ValueError when the secret is none."""
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()


def document(delivery: Delivery) -> bytes:
    """The body: type, timestamp and data as they are now."""
    data: dict[str, Any] = {}
    for name, value in delivery.facts.items():
        if name in SHOWN:
            data[name] = {key: value[key] for key in SHOWN[name] if key in value}
    data |= delivery.facts.get("message", {})
    happened = delivery.happened_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    body = {"type": delivery.kind, "timestamp": happened, "data": data}
    return json.dumps(body, separators=(",", ":"), default=str).encode()


class NotOutside(OSError):
    """An address that webhooks may not go to."""


class Webhooks:
    """Posts. Use as `async with Webhooks(...)`."""

    def __init__(
        self,
        timeout_seconds: float = 15,
        *,
        networks: Networks | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`networks`: where they may go; without, to the internet only."""
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._networks = networks or Networks()
        self._now = now
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            headers={"User-Agent": "Saldo", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a few bytes could become more than there is memory for
            connector=aiohttp.TCPConnector(
                socket_factory=self._socket, keepalive_timeout=KEEP_ALIVE_SECONDS
            ),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, delivery: Delivery) -> Outcome:
        """Post it once; only an answer of 2xx counts, and a redirect is not followed."""
        endpoint, session = delivery.endpoint, self._session
        if endpoint is None or session is None:
            return Failed("there is no endpoint for it", for_good=True)
        body = document(delivery)
        try:
            async with session.post(
                endpoint.url,
                data=body,
                headers=self._headers(endpoint, delivery.message_id, body),
                allow_redirects=False,
            ) as response:
                answer = (await response.content.read(ANSWER_BYTES)).decode("utf-8", "replace")
                return _outcome(response.status, answer)
        except TimeoutError:
            return Failed(f"no answer within {self._timeout.total:g} s")
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, NotOutside):
                return Failed(str(error.os_error))
            return Failed(f"not reached ({type(error).__name__})")
        except (aiohttp.ClientError, ValueError) as error:  # ValueError: an address that is none
            return Failed(f"not reached ({type(error).__name__})")

    def _socket(self, found: aiohttp.AddrInfoType) -> socket.socket:
        """For the address itself, however its name was resolved. Raises NotOutside."""
        family, kind, protocol, _, (host, *_) = found
        if not self._networks.allow(str(host)):
            raise NotOutside("its address is not on the internet: see [webhooks] networks")
        return socket.socket(family, kind, protocol)

    def _headers(self, endpoint: Endpoint, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._now())
        keys = filter(None, (endpoint.secret, endpoint.previous_secret))
        return {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(
                signature(key, message_id, timestamp, body) for key in keys
            ),
        }


def _outcome(status: int, answer: str) -> Outcome:
    said = f"{status} {answer}".strip()
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's successes
        return Arrived(said)
    if status == GONE:
        why = "the endpoint answered 410: it wants nothing more"
        return Failed(why, said, for_good=True, endpoint_gone=True)
    return Failed(f"the endpoint answered {status}", said)
