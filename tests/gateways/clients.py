"""The real gateway client pointed at a stand-in, and the card tokens it charges."""

from __future__ import annotations

from typing import Any

from ivr.billing.payments import CardOnHand
from ivr.gateways.braintree import Braintree
from ivr.lab.gateway import StandIn

GOOD_CARD = "4111111111111111"

TOKENIZE = """
mutation Tokenize($input: TokenizeCreditCardInput!) {
  tokenizeCreditCard(input: $input) {
    paymentMethod { id details { ... on CreditCardDetails { brandCode last4 } } }
  }
}
"""


def to_stand_in(stand_in: StandIn, **changes: Any) -> Braintree:
    """The real gateway client, talking to a stand-in; close it."""
    account = stand_in.account
    settings: dict[str, Any] = {
        "environment": "stand-in",
        "url": stand_in.url,
        "merchant_id": account.merchant_id,
        "public_key": account.public_key,
        "private_key": account.private_key,
        "merchant_accounts": account.merchant_accounts,
        "timeout_seconds": 5,
        "threads": 4,
    }
    return Braintree(**{**settings, **changes})


def card(token: str) -> CardOnHand:
    """What `saldo capture` makes of a token for GOOD_CARD."""
    return CardOnHand("visa", "1111", "1231", token)


async def card_token(
    gateway: Braintree, number: str = GOOD_CARD, cvv: str = "123", postal_code: str = ""
) -> str:
    """A single-use token for a published test card, as `saldo capture` gets one."""
    card: dict[str, Any] = {
        "number": number,
        "expirationMonth": "12",
        "expirationYear": "2031",
        "cvv": cvv,
    }
    if postal_code:
        card["billingAddress"] = {"postalCode": postal_code}
    data = await gateway.graphql(TOKENIZE, {"input": {"creditCard": card}})
    token: str = data["tokenizeCreditCard"]["paymentMethod"]["id"]
    return token
