"""Bank accounts at Braintree: vaulted for one debit, and taken out of the vault after it.

Each mandate has a customer of its own there, whose id is made of the payment's: whatever is left of
it, also by a request that was never answered, goes when that customer is deleted.
"""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

import structlog

from ivr.billing.bank_accounts import BankAccountKeyed, Mandate, NotVerified
from ivr.billing.errors import GatewayRefused
from ivr.billing.payments import BankAccountOnHand
from ivr.gateways.braintree import Braintree
from ivr.gateways.sdk import exceptions
from ivr.gateways.vault import ensure_customer

log = structlog.get_logger(__name__)

VERIFIED = "VERIFIED"

# https://developer.paypal.com/braintree/graphql/reference/types/vault-us-bank-account-input
DOCUMENT = """
mutation VaultAccount($input: VaultUsBankAccountInput!) {
  vaultUsBankAccount(input: $input) {
    paymentMethod { id }
    verification { status processorResponse { legacyCode message } }
  }
}
"""


class BraintreeAccounts:
    """`mandating.AccountVault` and `forgetting.AccountVault` of one merchant."""

    def __init__(self, braintree: Braintree) -> None:
        self._braintree = braintree

    async def vault_account(
        self, account: BankAccountKeyed, mandate: Mandate, currency: str
    ) -> BankAccountOnHand | NotVerified:
        merchant_account = self._braintree.account(currency)
        ref = customer_ref(mandate.attempt_id)
        wanted = {
            "paymentMethodId": account.token,
            "customerId": await self._braintree.ask(lambda sdk: _customer(sdk, ref)),
            "verificationMerchantAccountId": merchant_account,
            "verificationMethod": "NETWORK_CHECK",  # the only one that answers within a call
            "achMandate": mandate.wording,
            "achMandateAcceptedAt": mandate.accepted_at.isoformat(),
        }
        data = await self._braintree.graphql(DOCUMENT, {"input": wanted})
        answer: dict[str, Any] = data.get("vaultUsBankAccount") or {}
        verification = answer.get("verification") or {}
        if verification.get("status") != VERIFIED:
            code = str((verification.get("processorResponse") or {}).get("legacyCode") or "")
            log.info("account_not_verified", status=verification.get("status"), code=code)
            return NotVerified(code)
        token = (answer.get("paymentMethod") or {}).get("id")
        if not token:
            raise GatewayRefused("the gateway's answer has no payment method")
        return BankAccountOnHand(
            account.last4, account.account_type, token, mandate.wording, mandate.accepted_at
        )

    async def forget_account(self, attempt_id: UUID) -> None:
        ref = customer_ref(attempt_id)
        await self._braintree.ask(lambda sdk: _forget(sdk, ref))


def customer_ref(attempt_id: UUID) -> str:
    """Whom the gateway keeps the account of one mandate for: 36 characters, its longest id."""
    return f"ach-{attempt_id.hex}"


def _customer(sdk: Any, ref: str) -> str:
    """Their id in GraphQL; made when they are not there yet. Raises GatewayRefused."""
    ensure_customer(sdk, ref)
    return str(sdk.customer.find(ref).graphql_id)


def _forget(sdk: Any, ref: str) -> None:
    """Return when the gateway has neither this customer nor their account.

    https://developer.paypal.com/braintree/docs/reference/request/customer/delete/python
    """
    with contextlib.suppress(exceptions.NotFoundError):
        sdk.customer.delete(ref)
