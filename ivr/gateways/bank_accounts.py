"""Bank accounts at Braintree: vaulted once their bank knows them (`mandating.AccountVault`)."""

from __future__ import annotations

from typing import Any

import structlog

from ivr.billing.bank_accounts import BankAccountKeyed, Mandate, NotVerified
from ivr.billing.errors import GatewayRefused
from ivr.billing.payments import BankAccountOnHand
from ivr.gateways.braintree import Braintree

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
    """`mandating.AccountVault` of one merchant."""

    def __init__(self, braintree: Braintree) -> None:
        self._braintree = braintree

    async def vault_account(
        self, account: BankAccountKeyed, mandate: Mandate, currency: str
    ) -> BankAccountOnHand | NotVerified:
        wanted = {
            "paymentMethodId": account.token,
            "verificationMerchantAccountId": self._braintree.account(currency),
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
