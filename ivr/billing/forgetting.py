"""Forgetting bank accounts: a mandate is for one debit, and after it nobody needs the account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ivr.billing.errors import GatewayError

AT_ONCE = 100


class Accounts(Protocol):
    """Which bank accounts the gateway may have, by payment. Every method raises LedgerUnavailable.

    One is written down with its mandate, before the gateway is asked to keep it.
    """

    async def to_forget(self, most: int, keep_days: int) -> Sequence[UUID]:
        """Whose account nobody needs any more; no other node is told the same for some minutes.

        That is at once when nothing was taken or all of it went back, and else `keep_days` after
        the payment was settled.
        """
        ...

    async def forgotten(self, attempt_id: UUID) -> None:
        """The gateway has it no more; one just vaulted is told of once more, in minutes."""
        ...


class AccountVault(Protocol):
    """Where the gateway keeps bank accounts."""

    async def forget_account(self, attempt_id: UUID) -> None:
        """Return when it has none of this payment's mandate; one it never had is forgotten too.

        Raises:
            GatewayNotReached, GatewayRefused, OutcomeUnknown: it may be there still: ask again.
        """
        ...


def untold(_attempt_id: UUID, _why: str) -> None:
    """For who keeps no log."""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Any number of nodes may do it at once."""

    accounts: Accounts
    vault: AccountVault
    keep_days: int
    not_forgotten: Callable[[UUID, str], None] = untold
    """(payment, why): it is tried again in minutes"""

    async def clean(self) -> int:
        """Have the gateway forget what is due; how many accounts. Raises LedgerUnavailable."""
        gone = 0
        for attempt_id in await self.accounts.to_forget(AT_ONCE, self.keep_days):
            try:
                await self.vault.forget_account(attempt_id)
            except GatewayError as error:
                self.not_forgotten(attempt_id, str(error))
                continue
            await self.accounts.forgotten(attempt_id)
            gone += 1
        return gone
