"""Braintree for the pay page: its own card fields, and PayPal; `online_paying.OnlineGateway`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from ivr.billing.errors import GatewayRefused
from ivr.billing.messages import masked
from ivr.billing.money import Money
from ivr.billing.online_paying import PayPalPayment
from ivr.billing.payments import CardOnHand, PayPalOnHand
from ivr.gateways.braintree import Braintree

NONCE = re.compile(r"[A-Za-z0-9_-]{8,128}")
CARD_TYPES: Mapping[str, str] = {
    "Visa": "visa",
    "MasterCard": "mastercard",
    "American Express": "amex",
    "Discover": "discover",
    "Diners Club": "diners",
    "JCB": "jcb",
    "Maestro": "maestro",
    "UnionPay": "unionpay",
}
"""Braintree's words and ours; a type not named here is taken by nobody."""

# The operations are in Braintree's schema: https://github.com/braintree/graphql-api. Its guide:
# https://developer.paypal.com/braintree/graphql/guides/paypal
BEGIN = """
mutation Begin($input: CreatePayPalOneTimePaymentInput!) {
  createPayPalOneTimePayment(input: $input) { paymentId approvalUrl }
}
"""
APPROVED = """
mutation Approved($input: TokenizePayPalOneTimePaymentInput!) {
  tokenizePayPalOneTimePayment(input: $input) {
    paymentMethod { id details { ... on PayPalAccountDetails { email } } }
  }
}
"""


class BraintreeOnline:
    """Client tokens, cards behind nonces, and PayPal payments of one merchant."""

    def __init__(self, braintree: Braintree, company: str) -> None:
        """`company` is what PayPal shows the payer.

        `braintree` is ours alone: pages wait for it, and must never take the threads that charge.
        """
        self._braintree = braintree
        self._company = company

    async def client_token(self, currency: str) -> str:
        account = {"merchant_account_id": self._braintree.account(currency)}
        token: str = await self._braintree.ask(lambda sdk: sdk.client_token.generate(account))
        return token

    async def card_of(self, nonce: str) -> CardOnHand:
        if not NONCE.fullmatch(nonce):
            raise GatewayRefused("what the page sent is no payment method")
        found = await self._braintree.ask(lambda sdk: sdk.payment_method_nonce.find(nonce))
        details = getattr(found, "details", None) or {}
        if getattr(found, "type", "") != "CreditCard":
            raise GatewayRefused("what the page sent is no card")
        try:
            month, year = int(details["expiration_month"]), int(details["expiration_year"])
            return CardOnHand(
                brand=CARD_TYPES.get(str(details["card_type"]), "other"),
                last4=str(details["last_four"]),
                expires=f"{month:02d}{year % 100:02d}",
                token=nonce,
                by_telephone=False,
            )
        except (KeyError, TypeError, ValueError):
            raise GatewayRefused("the gateway does not say which card it is") from None

    async def begin_paypal(
        self, amount: Money, *, return_url: str, cancel_url: str
    ) -> PayPalPayment:
        wanted = {
            "merchantAccountId": self._braintree.account(amount.currency),
            "amount": {"value": str(amount.amount), "currencyCode": amount.currency},
            "intent": "SALE",
            "returnUrl": return_url,
            "cancelUrl": cancel_url,
            "paypalExperienceProfile": {
                "brandName": self._company,
                "collectShippingAddress": False,
                "userAction": "COMMIT",
            },
        }
        data = await self._braintree.graphql(BEGIN, {"input": wanted})
        answer = data.get("createPayPalOneTimePayment") or {}
        payment = PayPalPayment(
            str(answer.get("paymentId") or ""), str(answer.get("approvalUrl") or "")
        )
        if not payment.id or urlsplit(payment.approval_url).scheme not in ("https", "http"):
            raise GatewayRefused("PayPal gave no address to approve the payment at")
        return payment

    async def approved_paypal(self, payment_id: str, payer_id: str, currency: str) -> PayPalOnHand:
        approved = {"paymentId": payment_id, "payerId": payer_id}
        account = self._braintree.account(currency)
        wanted = {"merchantAccountId": account, "paypalOneTimePayment": approved}
        data = await self._braintree.graphql(APPROVED, {"input": wanted})
        method = (data.get("tokenizePayPalOneTimePayment") or {}).get("paymentMethod") or {}
        if not method.get("id"):
            raise GatewayRefused("PayPal has no approved payment of that id")
        email = str((method.get("details") or {}).get("email") or "")
        return PayPalOnHand(payer=masked("mail", email), token=str(method["id"]))
