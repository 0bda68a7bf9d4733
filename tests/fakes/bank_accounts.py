"""Mandates and notifications in memory, and a bank that knows the accounts it is told to know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from ivr.billing.bank_accounts import BankAccountKeyed, Mandate, NotVerified, Way
from ivr.billing.errors import GatewayError
from ivr.billing.payments import AttemptState, BankAccountOnHand
from ivr.billing.settling import Became, Notification
from tests.fakes.company import FakeCompany


class FakeMandates:
    """`billing.mandating.Mandates`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def can_notify(self, customer_id: int, ways: Sequence[Way]) -> bool:
        self.company.check()
        return "text" in ways and customer_id in self.company.with_phone

    async def keep(self, mandate: Mandate) -> None:
        self.company.check()
        self.company.mandates.setdefault(mandate.attempt_id, mandate)


class FakeNotifications:
    """`billing.settling.Notifications`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def known(self, digest: str) -> bool:
        self.company.check()
        return digest in self.company.notifications

    async def payment_of(
        self, transaction_id: str, order_id: str
    ) -> tuple[UUID, AttemptState] | None:
        self.company.check()
        for attempt_id, kept in self.company.attempts.items():
            ours = kept.capture.transaction_id if kept.capture else None
            if ours == transaction_id or (ours is None and kept.attempt.order_id == order_id):
                return attempt_id, kept.attempt.state
        return None

    async def keep(self, told: Notification, attempt_id: UUID | None, became: Became) -> None:
        self.company.check()
        self.company.notifications.setdefault(told.digest, (attempt_id, became))


class FakeVault:
    """`billing.mandating.AccountVault`."""

    def __init__(self, token: Callable[[], str] = lambda: "vaulted-account") -> None:
        self._token = token
        self.answer: NotVerified | GatewayError | None = None
        """instead of a vaulted account"""
        self.asked: list[tuple[BankAccountKeyed, Mandate, str]] = []

    async def vault_account(
        self, account: BankAccountKeyed, mandate: Mandate, currency: str
    ) -> BankAccountOnHand | NotVerified:
        await asyncio.sleep(1)
        self.asked.append((account, mandate, currency))
        if isinstance(self.answer, GatewayError):
            raise self.answer
        if self.answer is not None:
            return self.answer
        return BankAccountOnHand(
            account.last4,
            account.account_type,
            self._token(),
            mandate.wording,
            mandate.accepted_at,
        )


class FakeClips:
    """`billing.mandating.Clips`."""

    def __init__(self) -> None:
        self.spared: list[str] = []

    async def spare(self, call_id: str) -> None:
        await asyncio.sleep(0)
        self.spared.append(call_id)
