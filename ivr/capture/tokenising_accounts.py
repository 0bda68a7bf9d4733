"""The digits of a bank account into a single-use token that can be vaulted, and not charged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from ivr.billing.bank_accounts import AccountHolder, BankAccountKeyed
from ivr.billing.captures import CaptureField, ErrorType
from ivr.billing.errors import GatewayError
from ivr.capture import bank_accounts
from ivr.capture.fields import Card
from ivr.capture.tokens import TOKEN_SECONDS, CardRefused, GatewayAway, GraphQl
from ivr.gateways.errors import Fault, ValidationRefused

log = structlog.get_logger(__name__)

# https://developer.paypal.com/braintree/graphql/reference/types/us-bank-account-input
DOCUMENT = """
mutation TokeniseAccount($input: TokenizeUsBankAccountInput!) {
  tokenizeUsBankAccount(input: $input) { paymentMethod { id } }
}
"""

WRONG_FIELD: Mapping[str, ErrorType] = {
    "routingNumber": ErrorType.INVALID_ROUTING_NUMBER,
    "accountNumber": ErrorType.INVALID_ACCOUNT_NUMBER,
}
"""The last part of the path that the gateway names, and what the caller hears."""


async def tokenise_account(
    gateway: GraphQl, keyed: Card, holder: AccountHolder
) -> BankAccountKeyed | CardRefused | GatewayAway:
    """A token (GraphQL `tokenizeUsBankAccount`); what was keyed is wiped before this returns."""
    last4 = keyed.digits[CaptureField.ACCOUNT_NUMBER].last4()
    account_type = bank_accounts.account_type(keyed.digits[CaptureField.ACCOUNT_TYPE])
    try:
        answer = await _ask(gateway, keyed, holder)
    finally:
        keyed.wipe()
    return BankAccountKeyed(last4, account_type, answer) if isinstance(answer, str) else answer


async def _ask(
    gateway: GraphQl, keyed: Card, holder: AccountHolder
) -> str | CardRefused | GatewayAway:
    """The token. An error is taken apart here, so that nothing keeps its frames and locals."""
    variables = _variables(keyed, holder)
    try:
        async with asyncio.timeout(TOKEN_SECONDS):
            data = await gateway.graphql(DOCUMENT, variables)
    except ValidationRefused as refused:
        return _refusal(refused.faults)
    except (GatewayError, TimeoutError) as error:
        log.warning("no_token", why=str(error) or type(error).__name__)
        return GatewayAway()
    finally:
        variables["input"]["usBankAccount"].clear()
    return _token(data)


def _variables(keyed: Card, holder: AccountHolder) -> dict[str, dict[str, dict[str, Any]]]:
    digits = keyed.digits
    account: dict[str, Any] = {
        "routingNumber": digits[CaptureField.ROUTING_NUMBER].reveal(),
        "accountNumber": digits[CaptureField.ACCOUNT_NUMBER].reveal(),
        "accountType": bank_accounts.account_type(digits[CaptureField.ACCOUNT_TYPE]).upper(),
        "achMandate": holder.mandate,
    }
    if bank_accounts.is_business(digits[CaptureField.HOLDER_KIND]):
        account["businessOwner"] = {"businessName": holder.name}
    else:
        first, _, last = holder.name.partition(" ")
        account["individualOwner"] = {"firstName": first, "lastName": last or first}
    return {"input": {"usBankAccount": account}}


def _refusal(faults: tuple[Fault, ...]) -> CardRefused | GatewayAway:
    for fault in faults:
        wrong = WRONG_FIELD.get(fault.field.rpartition(".")[2])
        if wrong is not None:
            log.info("account_refused", field=str(wrong), code=fault.code)
            return CardRefused(wrong)
    log.error("no_token", why="our request is wrong", codes=[fault.code for fault in faults])
    return GatewayAway()


def _token(data: Mapping[str, Any]) -> str | GatewayAway:
    match data:
        case {"tokenizeUsBankAccount": {"paymentMethod": {"id": str(token)}}} if token:
            return token
    log.error("no_token", why="the gateway's answer has no payment method")
    return GatewayAway()
