"""The stand-in's card fields for web pages: scripts, frames, client tokens, and who has a nonce."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from ivr.gateways.test_cards import Brand
from ivr.lab import gateway_tokens as tokens
from ivr.lab.gateway_answers import CARD_TYPES, CREATED, NOT_FOUND, OK, Answer
from ivr.lab.gateway_ledger import LedgerFile, Token
from ivr.lab.gateway_wire import document

FOLDER = Path(__file__).parent / "hosted_fields"
FILES = {
    "js/client.min.js": ("client.js", "text/javascript"),
    "js/hosted-fields.min.js": ("hosted-fields.js", "text/javascript"),
    "html/hosted-fields-frame.html": ("hosted-fields-frame.html", "text/html"),
    "html/hosted-fields-frame.js": ("hosted-fields-frame.js", "text/javascript"),
    "html/hosted-fields-frame.css": ("hosted-fields-frame.css", "text/css"),
}
"""where Braintree has it, below /web/VERSION/ → our file"""
BROWSERS = "/client/graphql"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Hosted:
    """What a page in a browser asks of one merchant's gateway."""

    def __init__(self, merchant_id: str, private_key: str, ledger: LedgerFile) -> None:
        self._merchant_id = merchant_id
        self._fingerprint = hmac.new(
            private_key.encode(), b"client token", hashlib.sha256
        ).hexdigest()
        self._ledger = ledger

    def routes(self) -> list[web.RouteDef]:
        """What browsers ask; programs with the merchant's keys ask `client_token` and `nonce`."""
        scripts = [
            web.get(f"/web/{{version}}/{place}", _serving(FOLDER / name, kind))
            for place, (name, kind) in FILES.items()
        ]
        return [*scripts, web.post(BROWSERS, self._tokenize)]

    def client_token(self, url: str) -> Answer:
        """POST /client_token, asked at `url`."""
        client = {
            "version": 2,
            "environment": "development",
            "merchantId": self._merchant_id,
            "authorizationFingerprint": self._fingerprint,
            "clientApiUrl": f"{url}/merchants/{self._merchant_id}/client_api",
            "assetsUrl": url,
            "graphQL": {"url": url + BROWSERS, "date": "2018-05-08"},
        }
        value = base64.b64encode(json.dumps(client).encode()).decode()
        return Answer(CREATED, document("client-token", {"value": value}))

    def nonce(self, nonce: str) -> Answer:
        """GET /payment_method_nonces/{nonce}."""
        token = self._ledger.book.tokens.get(nonce)
        if token is None or token.payer:
            return NOT_FOUND
        used = nonce in self._ledger.book.used
        return Answer(OK, document("payment-method-nonce", _nonce(token, used=used)))

    async def _tokenize(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._fingerprint}".encode()):
            return web.json_response(tokens.not_authenticated())
        try:
            variables = (await request.json())["variables"]
        except (ValueError, KeyError, TypeError):
            return web.json_response(tokens.unknown_field(""))
        token = tokens.tokenize(variables)
        if isinstance(token, list):
            return web.json_response(tokens.refused(token))
        self._ledger.token(token)
        return web.json_response(tokens.tokenized(token))


def _nonce(token: Token, *, used: bool) -> dict[str, object]:
    return {
        "type": "CreditCard",
        "nonce": token.id,
        "consumed": used,
        "description": f"ending in {token.last4[2:]}",
        "details": {
            "card-type": CARD_TYPES[Brand(token.brand)],
            "bin": token.bin,
            "last-two": token.last4[2:],
            "last-four": token.last4,
            "expiration-month": token.expires[:2],
            "expiration-year": token.expires[2:],
        },
        "three-d-secure-info": None,
    }


def _serving(file: Path, kind: str) -> Handler:
    body = file.read_bytes()

    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=kind, charset="utf-8")

    return serve
