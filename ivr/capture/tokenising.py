"""Card digits into a single-use token: where they become text, and nowhere else."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog

from ivr.billing.bank_accounts import AccountHolder, BankAccountKeyed
from ivr.billing.captures import CaptureField, ErrorType
from ivr.billing.errors import GatewayError
from ivr.billing.payments import CardOnHand
from ivr.capture.fields import Card, anything
from ivr.capture.secret import SecretDigits
from ivr.capture.tokenising_accounts import tokenise_account
from ivr.capture.tokens import TOKEN_SECONDS, CardRefused, GatewayAway, GraphQl
from ivr.gateways.errors import Fault, ValidationRefused

log = structlog.get_logger(__name__)

DOCUMENT = """
mutation Tokenise($input: TokenizeCreditCardInput!) {
  tokenizeCreditCard(input: $input) { paymentMethod { id } }
}
"""

WRONG_FIELD: Mapping[str, ErrorType] = {
    "number": ErrorType.INVALID_CARD_NUMBER,
    "creditCard": ErrorType.INVALID_CARD_NUMBER,
    "expirationMonth": ErrorType.INVALID_DATE,
    "expirationYear": ErrorType.INVALID_DATE,
    "cvv": ErrorType.INVALID_SECURITY_CODE,
    "postalCode": ErrorType.INVALID_POSTAL_CODE,
}
"""The last part of the path that the gateway names, and what the caller hears."""


class Connector(Protocol):
    """Who makes tokens."""

    def takes(self, number: SecretDigits) -> bool:
        """Whether this number may be sent at all."""
        ...

    async def tokenise(self, card: Card) -> CardOnHand | CardRefused | GatewayAway:
        """A token; the card is wiped before this returns."""
        ...

    async def tokenise_account(
        self, keyed: Card, holder: AccountHolder
    ) -> BankAccountKeyed | CardRefused | GatewayAway:
        """The same of a bank account."""
        ...


class Tokenising:
    """Tokens from Braintree (GraphQL `tokenizeCreditCard`), security code included, single use.

    `takes` refuses numbers before they are sent: outside production only published test cards go.
    """

    def __init__(
        self,
        gateway: GraphQl,
        takes: Callable[[SecretDigits], bool] = anything,
        hash_key: bytes = b"",
    ) -> None:
        """`hash_key` tells the same card again without its number; empty: as long as we live."""
        self._gateway = gateway
        self._takes = takes
        self._hash_key = hash_key or secrets.token_bytes(32)

    def takes(self, number: SecretDigits) -> bool:
        return self._takes(number)

    async def tokenise(self, card: Card) -> CardOnHand | CardRefused | GatewayAway:
        number = card.digits[CaptureField.CARD_NUMBER]
        brand, last4 = card.brand.name, number.last4()
        expires = card.digits[CaptureField.EXPIRATION_DATE].reveal()
        card_hash = number.keyed_hash(self._hash_key)
        try:
            if not self._takes(number):
                return CardRefused(ErrorType.INVALID_CARD_NUMBER)
            answer = await self._ask(card)
        finally:
            card.wipe()
        if isinstance(answer, str):
            return CardOnHand(brand, last4, expires, answer, card_hash=card_hash)
        return answer

    async def tokenise_account(
        self, keyed: Card, holder: AccountHolder
    ) -> BankAccountKeyed | CardRefused | GatewayAway:
        return await tokenise_account(self._gateway, keyed, holder)

    async def _ask(self, card: Card) -> str | CardRefused | GatewayAway:
        """The token. An error is taken apart here, so that nothing keeps its frames and locals."""
        variables = _variables(card)
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                data = await self._gateway.graphql(DOCUMENT, variables)
        except ValidationRefused as refused:
            return _refusal(refused.faults)
        except (GatewayError, TimeoutError) as error:
            log.warning("no_token", why=str(error) or type(error).__name__)
            return GatewayAway()
        finally:
            variables["input"]["creditCard"].clear()
        return _token(data)


def _variables(card: Card) -> dict[str, dict[str, dict[str, Any]]]:
    expiry = card.digits[CaptureField.EXPIRATION_DATE].reveal()
    fields: dict[str, Any] = {
        "number": card.digits[CaptureField.CARD_NUMBER].reveal(),
        "expirationMonth": expiry[:2],
        "expirationYear": "20" + expiry[2:],
    }
    if CaptureField.SECURITY_CODE in card.digits:
        fields["cvv"] = card.digits[CaptureField.SECURITY_CODE].reveal()
    if CaptureField.POSTAL_CODE in card.digits:
        postal_code = card.digits[CaptureField.POSTAL_CODE].reveal()
        fields["billingAddress"] = {"postalCode": postal_code}
    return {"input": {"creditCard": fields}}


def _refusal(faults: tuple[Fault, ...]) -> CardRefused | GatewayAway:
    for fault in faults:
        wrong = WRONG_FIELD.get(fault.field.rpartition(".")[2])
        if wrong is not None:
            log.info("card_refused", field=str(wrong), code=fault.code)
            return CardRefused(wrong)
    log.error("no_token", why="our request is wrong", codes=[fault.code for fault in faults])
    return GatewayAway()


def _token(data: Mapping[str, Any]) -> str | GatewayAway:
    match data:
        case {"tokenizeCreditCard": {"paymentMethod": {"id": str(token)}}} if token:
            return token
    log.error("no_token", why="the gateway's answer has no payment method")
    return GatewayAway()
