"""The stand-in plays PayPal: payments by GraphQL, and the page where a payer approves them."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from ivr.lab import gateway_tokens as tokens
from ivr.lab.gateway_ledger import LedgerFile, Token

PAGE = Path(__file__).parent / "paypal" / "approve.html"
HERE = "/paypal/checkoutnow"
NO_PAYMENT = "There is no such payment, or it is over."
NOT_APPROVED = ("92914", "The PayPal payment was not approved.", "paypalOneTimePayment.paymentId")
Resolve = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment that waits for its payer, or was approved by them."""

    id: str
    token: str
    """PayPal's own, in the address of the approval page"""
    amount: str
    currency: str
    merchant: str
    return_url: str
    cancel_url: str
    payer_id: str = ""
    """once approved"""
    email: str = ""


class PayPal:
    """PayPal's side of one merchant; approved payments become single-use tokens."""

    def __init__(self, ledger: LedgerFile) -> None:
        self._ledger = ledger
        self._payments: dict[str, Payment] = {}
        self._url = ""

    @property
    def operations(self) -> Mapping[str, Resolve]:
        """GraphQL mutations by name."""
        return {
            "createPayPalOneTimePayment": self._create,
            "tokenizePayPalOneTimePayment": self._tokenize,
        }

    def routes(self) -> list[web.RouteDef]:
        """What a payer's browser asks."""
        return [web.get(HERE, self._show), web.post(HERE, self._decide)]

    def reached_at(self, url: str) -> None:
        """Where payers are sent."""
        self._url = url

    def _create(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        wanted = variables["input"]
        token = f"EC-{secrets.token_hex(8).upper()}"
        payment = Payment(
            id=f"PAYID-{secrets.token_hex(10).upper()}",
            token=token,
            amount=wanted["amount"]["value"],
            currency=wanted["amount"]["currencyCode"],
            merchant=(wanted.get("paypalExperienceProfile") or {}).get("brandName", "Merchant"),
            return_url=wanted["returnUrl"],
            cancel_url=wanted["cancelUrl"],
        )
        self._payments[token] = payment
        address = f"{self._url}{HERE}?{urlencode({'token': token})}"
        answer = {"paymentId": payment.id, "approvalUrl": address}
        return tokens.answered("createPayPalOneTimePayment", answer)

    def _tokenize(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        approved = variables["input"]["paypalOneTimePayment"]
        named = (approved["paymentId"], approved["payerId"])
        payment = next(
            (each for each in self._payments.values() if (each.id, each.payer_id) == named), None
        )
        if payment is None or not payment.payer_id:
            return tokens.refused([NOT_APPROVED], "tokenizePayPalOneTimePayment")
        token = paypal_token(payment.email)
        self._ledger.token(token)
        details = {"email": payment.email, "payerId": payment.payer_id}
        method = {"id": token.id, "usage": "SINGLE_USE", "details": details}
        return tokens.answered("tokenizePayPalOneTimePayment", {"paymentMethod": method})

    async def _show(self, request: web.Request) -> web.StreamResponse:
        payment = self._payments.get(request.query.get("token", ""))
        if payment is None or payment.payer_id:
            return web.Response(status=404, text=NO_PAYMENT)
        shown = {
            "merchant": payment.merchant,
            "amount": f"{payment.amount} {payment.currency}",
            "token": payment.token,
        }
        text = PAGE.read_text(encoding="utf-8")
        for name, value in shown.items():
            text = text.replace(f"{{{{{name}}}}}", html.escape(value))
        return web.Response(text=text, content_type="text/html")

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        payment = self._payments.get(str(form.get("token", "")))
        if payment is None or payment.payer_id:
            return web.Response(status=404, text=NO_PAYMENT)
        if form.get("decision") != "approve":
            raise web.HTTPSeeOther(_with(payment.cancel_url, token=payment.token))
        payer_id = secrets.token_hex(7).upper()[:13]
        email = str(form.get("email", ""))
        self._payments[payment.token] = replace(payment, payer_id=payer_id, email=email)
        back = _with(
            payment.return_url, paymentId=payment.id, token=payment.token, PayerID=payer_id
        )
        raise web.HTTPSeeOther(back)


def paypal_token(email: str) -> Token:
    """What can be charged once for a payment that this payer approved."""
    return Token(
        id=f"tokenpp_bf_{'_'.join(secrets.token_hex(3) for _ in range(5))}",
        bin="",
        last4="",
        brand="paypal",
        expires="",
        cvv="I",
        postal_code="I",
        street="I",
        avs_error="",
        fails="",
        payer=email,
    )


def _with(url: str, **values: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(values)}"
