"""Debiting a bank account: the mandate that its holder gives in the call, kept, and the vault."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol

from ivr.billing.bank_accounts import (
    AccountHolder,
    BankAccountKeyed,
    KeptAs,
    Mandate,
    NotVerified,
    Way,
    heard_at,
    wording,
)
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, BankAccountOnHand

IN_VAIN_A_DAY = 3
"""accounts of one customer that their bank may not know, until no more are asked about"""


class Mandates(Protocol):
    """What callers agreed to have debited. Every method raises LedgerUnavailable."""

    async def can_notify(self, customer_id: int, ways: Sequence[Way]) -> bool:
        """Whether the customer has an address on file for one of these ways."""
        ...

    async def in_vain(self, customer_id: int) -> int:
        """How many accounts of the customer, in a day, came to nothing after their mandate."""
        ...

    async def keep(self, mandate: Mandate) -> None:
        """Write it down; what proves it as a notice is sent when the debit is accepted."""
        ...


class AccountVault(Protocol):
    """Where the gateway keeps bank accounts, once their bank knows them."""

    async def vault_account(
        self, account: BankAccountKeyed, mandate: Mandate, currency: str
    ) -> BankAccountOnHand | NotVerified:
        """What can be charged now.

        Raises:
            GatewayNotReached, GatewayRefused, OutcomeUnknown: it cannot; nothing is charged.
        """
        ...


class Clips(Protocol):
    """Recordings of calls that are the proof of a mandate."""

    async def is_recorded(self, call_id: str) -> bool:
        """Whether this call is being recorded; waits for a recording that is just beginning."""
        ...

    async def spare(self, call_id: str) -> None:
        """Keep the recording of this call as long as a mandate must be kept. Raises OSError."""
        ...


def today() -> date:
    """By the clock and time zone of this machine."""
    return datetime.now(UTC).astimezone().date()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a mandate was read to the caller who agreed to it."""

    day: date
    """that it named"""
    how: KeptAs
    """its proof was to be"""
    begin: float
    """seconds of the call"""
    end: float


@dataclass(frozen=True, slots=True)
class Mandating:
    """Everything about a debit but charging it."""

    mandates: Mandates
    vault: AccountVault
    company: str
    phone: str
    """where callers ask about a debit, or revoke it"""
    currencies: Collection[str] = ("USD",)
    clips: Clips | None = None
    """None: calls are not recorded, and a notice is sent in writing"""
    ways: Sequence[Way] = ()
    """by which a notice can be sent"""
    reactivates_when_settled: bool = False
    """whether lines come back at settlement only, days later"""
    clock: Callable[[], date] = today

    async def is_possible(self, customer_id: int) -> bool:
        """Whether this customer may name an account: its mandate can be kept as the rules want.

        And so many that no bank knew were not named lately: nobody finds out here which accounts
        there are. Raises LedgerUnavailable.
        """
        if self.clips is None and not await self.mandates.can_notify(customer_id, self.ways):
            return False
        return await self.mandates.in_vain(customer_id) < IN_VAIN_A_DAY

    async def proof(self, call_id: str, customer_id: int) -> KeptAs | None:
        """How a mandate that is read in this call, from now on, can be proved; None: it cannot.

        A clip is not certain before the recording is kept (proving.py). Raises LedgerUnavailable.
        """
        if self.clips is not None and await self.clips.is_recorded(call_id):
            return "clip"
        return await self._notice(customer_id)

    def holder(self, name: str, amount: Money, language: str) -> AccountHolder:
        """What the secure part tells the gateway of the account that is to be keyed."""
        return AccountHolder(name, self._wording(name, amount, language, "", self.clock()))

    async def authorised(
        self,
        attempt: Attempt,
        account: BankAccountKeyed,
        *,
        call_id: str,
        name: str,
        language: str,
        reading: Reading,
    ) -> BankAccountOnHand | NotVerified:
        """The caller has just agreed: what can be charged.

        Raises LedgerUnavailable: then nothing may be charged; and as AccountVault.
        """
        how: KeptAs | None = reading.how
        if how == "clip" and not await self._spared(call_id):
            how = await self._notice(attempt.customer_id)
        if how is None:
            return NotVerified()
        place = heard_at(reading.begin, reading.end)
        mandate = Mandate(
            attempt_id=attempt.id,
            call_id=call_id,
            wording=self._wording(name, attempt.amount, language, account.last4, reading.day),
            language=language,
            accepted_at=datetime.now(UTC),
            how=how,
            reference=place if how == "clip" else ", ".join(self.ways),
        )
        await self.mandates.keep(mandate)
        return await self.vault.vault_account(account, mandate, attempt.amount.currency)

    async def _notice(self, customer_id: int) -> KeptAs | None:
        return "notice" if await self.mandates.can_notify(customer_id, self.ways) else None

    async def _spared(self, call_id: str) -> bool:
        if self.clips is None:
            return False
        try:
            await self.clips.spare(call_id)
        except OSError:  # where nothing can be written, no recording will be either
            return False
        return True

    def _wording(self, name: str, amount: Money, language: str, last4: str, day: date) -> str:
        return wording(
            language,
            company=self.company,
            name=name,
            amount=amount,
            last4=last4,
            day=day,
            phone=self.phone,
        )
