"""The real gateway client pointed at a stand-in, and the card tokens it charges."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from ivr.billing.bank_accounts import BankAccountKeyed, Mandate
from ivr.billing.payments import BankAccountOnHand, CardOnHand
from ivr.capture.tokenising_accounts import DOCUMENT
from ivr.gateways.bank_accounts import BraintreeAccounts
from ivr.gateways.braintree import Braintree
from ivr.gateways.test_accounts import ANSWERS, ROUTING_NUMBER
from ivr.lab.gateway import StandIn

GOOD_CARD = "4111111111111111"
GOOD_ACCOUNT = next(iter(ANSWERS))
AGREED = Mandate(
    uuid4(), "call-1", "I agree", "en", datetime(2026, 11, 23, 12, tzinfo=UTC), "clip", "1.0-2.0 s"
)

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


async def keyed_account(
    gateway: Braintree, number: str = GOOD_ACCOUNT, **changes: Any
) -> BankAccountKeyed:
    """As `saldo capture` makes it."""
    account = {
        "routingNumber": ROUTING_NUMBER,
        "accountNumber": number,
        "accountType": "CHECKING",
        "individualOwner": {"firstName": "James", "lastName": "Smith"},
        "achMandate": "I agree",
        **changes,
    }
    data = await gateway.graphql(DOCUMENT, {"input": {"usBankAccount": account}})
    token = data["tokenizeUsBankAccount"]["paymentMethod"]["id"]
    return BankAccountKeyed(number[-4:], "checking", token)


async def vaulted_account(gateway: Braintree) -> BankAccountOnHand:
    found = await BraintreeAccounts(gateway).vault_account(
        await keyed_account(gateway), AGREED, "USD"
    )
    assert isinstance(found, BankAccountOnHand)
    return found
