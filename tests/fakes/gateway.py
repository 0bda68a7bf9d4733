"""A payment gateway in memory that passes the same contract as the real one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from ivr.billing.errors import GatewayError, GatewayRefused, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import (
    Captured,
    CardOnFile,
    CardOnHand,
    DeclineBucket,
    KeepCard,
    MeansOnHand,
    PayPalOnHand,
    Refusal,
)
from ivr.gateways.declines import bucket
from ivr.gateways.vault import card_id


@dataclass(frozen=True, slots=True)
class Lost:
    """Scripted: the money is taken, and the answer gets lost."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a caller of the fake asked for."""

    means: MeansOnHand
    amount: Money
    order_id: str
    request_key: str
    keep: KeepCard | None = None


Scripted = Captured | Refusal | GatewayError | Lost


class FakeGateway:
    """`ports.Gateway` without a network: amounts decide as in the sandbox, unless a script does."""

    def __init__(self, currencies: Iterable[str] = ("EUR", "USD"), seconds: float = 0) -> None:
        self.seconds = seconds
        """how long each charge takes"""
        self.charges: list[Charge] = []
        self.outcomes: dict[str, Captured | Refusal] = {}
        """order id → what the gateway's own books say"""
        self.currencies = set(currencies)
        self._script: deque[Scripted] = deque()
        self.vault: dict[str, CardOnFile] = {}
        """cards that callers wanted kept, by token"""
        self.customers: set[str] = set()
        self._tokens: set[str] = set()
        self._used: set[str] = set()
        self._keys: dict[str, tuple[Charge, Captured | Refusal]] = {}

    @property
    def taken(self) -> list[str]:
        """The orders whose money was taken."""
        return [order for order, what in self.outcomes.items() if isinstance(what, Captured)]

    def will(self, *outcomes: Scripted) -> None:
        """The next charges end like this, one each, whatever their token and amount."""
        self._script.extend(outcomes)

    def token(self) -> str:
        """A fresh single-use token."""
        self._tokens.add(f"tokencc_fake_{len(self._tokens)}")
        return f"tokencc_fake_{len(self._tokens) - 1}"

    async def charge(
        self,
        *,
        means: MeansOnHand,
        amount: Money,
        order_id: str,
        request_key: str,
        keep: KeepCard | None = None,
    ) -> Captured | Refusal:
        charge = Charge(means, amount, order_id, request_key, keep)
        self.charges.append(charge)
        await asyncio.sleep(self.seconds)
        if amount.currency not in self.currencies:
            raise GatewayRefused(f"set braintree.merchant_accounts.{amount.currency}")
        if self._script:
            return self._scripted(charge, self._script.popleft())
        if request_key in self._keys:
            first, outcome = self._keys[request_key]
            if first != charge:
                raise OutcomeUnknown("the request key was used with another request")
            return outcome
        if isinstance(means, CardOnFile) and means.token not in self.vault:
            return Refusal("91518", "no such card", DeclineBucket.HARD)
        if not isinstance(means, CardOnFile) and means.token not in self._tokens:
            raise GatewayRefused("unknown token")
        if means.token in self._used:
            raise OutcomeUnknown("the token was used before")
        return self._keep(charge, self._vaulted(charge, self._decide(amount.amount)))

    async def forget_card(self, token: str) -> None:
        await asyncio.sleep(0)
        self.vault.pop(token, None)

    def _scripted(self, charge: Charge, outcome: Scripted) -> Captured | Refusal:
        if isinstance(outcome, GatewayError):
            raise outcome
        if isinstance(outcome, Lost):
            self._keep(charge, self._capture())
            raise OutcomeUnknown("the answer was lost")
        return self._keep(charge, outcome)

    def _vaulted(self, charge: Charge, outcome: Captured | Refusal) -> Captured | Refusal:
        means, keep = charge.means, charge.keep
        if isinstance(outcome, Refusal) or not isinstance(means, CardOnHand | CardOnFile):
            return outcome
        if isinstance(means, CardOnFile):
            return replace(outcome, kept=means)
        if keep is None:
            return outcome
        self.customers.add(keep.customer_ref)
        token = f"vaulted{len(self.vault)}"
        kept = CardOnFile(card_id(token), means.brand, means.last4, means.expires, token)
        self.vault[token] = kept
        return replace(outcome, kept=kept)

    def _keep(self, charge: Charge, outcome: Captured | Refusal) -> Captured | Refusal:
        if isinstance(charge.means, CardOnHand | PayPalOnHand):
            self._used.add(charge.means.token)
        self._keys[charge.request_key] = charge, outcome
        self.outcomes[charge.order_id] = outcome
        return outcome

    def _decide(self, amount: Decimal) -> Captured | Refusal:
        if amount == Decimal(5001):
            return Refusal("application_incomplete", "Gateway rejected", DeclineBucket.SOFT, "fake")
        if Decimal(2000) <= amount < Decimal(3001):
            code = str(min(3000, int(amount)))
            return Refusal(code, "Declined", bucket(code, ""), "fake")
        return self._capture()

    def _capture(self) -> Captured:
        return Captured(f"fake{len(self.outcomes)}", "1000", datetime.now(UTC))
