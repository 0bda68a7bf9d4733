"""Mandates and notifications in memory, and a bank that knows the accounts it is told to know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ivr.billing.bank_accounts import (
    BankAccountKeyed,
    Mandate,
    NotVerified,
    Way,
    heard_between,
)
from ivr.billing.errors import GatewayError
from ivr.billing.payments import AttemptState, BankAccountOnHand
from ivr.billing.proving import Clip, Notice
from ivr.billing.settling import Became, Notification
from tests.fakes.company import FakeCompany

SOON = timedelta(minutes=5)
NOTHING_TAKEN = {
    AttemptState.DECLINED,
    AttemptState.FAILED,
    AttemptState.CANCELED,
    AttemptState.VOIDED,
    AttemptState.RETURNED,
}


class FakeMandates:
    """`billing.mandating.Mandates`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def can_notify(self, customer_id: int, ways: Sequence[Way]) -> bool:
        self.company.check()
        return "text" in ways and customer_id in self.company.with_phone

    async def in_vain(self, customer_id: int) -> int:
        self.company.check()
        yesterday = datetime.now(UTC) - timedelta(days=1)
        attempts = (
            self.company.attempts[each.attempt_id].attempt
            for each in self.company.mandates.values()
            if each.accepted_at > yesterday
        )
        return sum(
            each.customer_id == customer_id and each.state is AttemptState.CANCELED
            for each in attempts
        )

    async def keep(self, mandate: Mandate) -> None:
        self.company.check()
        self.company.mandates.setdefault(mandate.attempt_id, mandate)


class FakeProofs:
    """`billing.proving.Proofs`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def unproved(self) -> list[Clip]:
        self.company.check()
        now = datetime.now(UTC)
        return [
            Clip(
                mandate.attempt_id,
                mandate.call_id,
                *heard_between(mandate.reference),
                (now - mandate.accepted_at).total_seconds(),
            )
            for mandate in self.company.mandates.values()
            if self._is_open(mandate)
        ]

    async def proved(self, attempt_id: UUID) -> None:
        self.company.check()
        self.company.proved.add(attempt_id)

    async def notify(self, attempt_id: UUID, ways: Sequence[Way]) -> Notice | None:
        self.company.check()
        mandate, kept = self.company.mandates[attempt_id], self.company.attempts[attempt_id]
        if mandate.how != "clip" or attempt_id in self.company.proved:
            return None
        has_phone = kept.attempt.customer_id in self.company.with_phone
        reached: list[Way] = ["text"] if "text" in ways and has_phone else []
        place = ", ".join(reached) or "by hand"
        self.company.mandates[attempt_id] = replace(mandate, how="notice", reference=place)
        if kept.capture:
            self.company.events += ["mandate", "mandate"]  # by mail and by text
        return Notice(kept.attempt.order_id, tuple(reached))

    def _is_open(self, mandate: Mandate) -> bool:
        state = self.company.attempts[mandate.attempt_id].attempt.state
        is_clip = mandate.how == "clip" and mandate.attempt_id not in self.company.proved
        return is_clip and state not in NOTHING_TAKEN - {AttemptState.RETURNED}


class FakeAccounts:
    """`billing.forgetting.Accounts`; seconds are of the event loop's clock."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def to_forget(self, most: int, keep_days: int) -> list[UUID]:
        self.company.check()
        now = asyncio.get_running_loop().time()
        turn = [
            attempt_id
            for attempt_id in self.company.mandates.keys() - self.company.forgotten
            if self.company.looked_at.get(attempt_id, now) <= now
        ][:most]
        found = [each for each in turn if self._is_over(each, timedelta(days=keep_days))]
        for each in turn:
            self.company.looked_at[each] = now + (600 if each in found else 10)
        return found

    async def forgotten(self, attempt_id: UUID) -> None:
        self.company.check()
        if self.company.mandates[attempt_id].accepted_at < datetime.now(UTC) - SOON:
            self.company.forgotten.add(attempt_id)

    def _is_over(self, attempt_id: UUID, keep: timedelta) -> bool:
        kept = self.company.attempts[attempt_id]
        taken_at = kept.settled_at or (kept.capture.captured_at if kept.capture else None)
        if kept.attempt.state in NOTHING_TAKEN:
            return True
        return taken_at is not None and taken_at + keep <= datetime.now(UTC)


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
        self.are_recorded = True
        """calls"""
        self.is_full = False
        """where recordings are kept"""

    async def is_recorded(self, _call_id: str) -> bool:
        await asyncio.sleep(0)
        return self.are_recorded

    async def spare(self, call_id: str) -> None:
        await asyncio.sleep(0)
        if self.is_full:
            raise OSError("no space left")
        self.spared.append(call_id)
