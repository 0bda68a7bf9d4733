"""Taking what the gateway tells of payments days later: settled, or returned by the bank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from ivr.billing.errors import TransitionRefused
from ivr.billing.payments import AttemptState
from ivr.billing.ports import Ledger

BEFORE_CAPTURE = {AttemptState.CREATED, AttemptState.CHARGING, AttemptState.UNKNOWN}


class Became(StrEnum):
    """What came of a notification."""

    SETTLED = "settled"
    RETURNED = "returned"
    IGNORED = "ignored"
    """nothing that we have, or nothing that this tells anything new about"""


@dataclass(frozen=True, slots=True)
class Notification:
    """One, whose signature was good."""

    digest: str
    """of its payload: the same one sent again has the same"""
    kind: str
    """in the gateway's words"""
    happened_at: datetime
    tells: AttemptState | None = None
    """SETTLED or RETURNED; None: something that we do not act upon"""
    transaction_id: str = ""
    order_id: str = ""
    reason: str = ""
    """of a return, as banks code it: R01 no funds, R02 closed, R03 no such account, R10 not
    authorised, …"""


class TooSoon(Exception):
    """Our own charge of that order is not written down yet: it must be told again."""


class Notifications(Protocol):
    """Those that were taken. Every method raises LedgerUnavailable."""

    async def known(self, digest: str) -> bool: ...

    async def payment_of(
        self, transaction_id: str, order_id: str
    ) -> tuple[UUID, AttemptState] | None:
        """Whose transaction it is; of an order without one yet, whose it may become."""
        ...

    async def keep(self, told: Notification, attempt_id: UUID | None, became: Became) -> None: ...


@dataclass(frozen=True, slots=True)
class Settling:
    """The ledger, and what was told of it."""

    ledger: Ledger
    notifications: Notifications

    async def take(self, told: Notification) -> Became:
        """Act upon it once; told again, it changes nothing.

        The ledger is changed first: whoever is cut off in between does the same step again, which
        the ledger allows. Raises LedgerUnavailable, TooSoon: it must be told again.
        """
        if await self.notifications.known(told.digest):
            return Became.IGNORED
        attempt_id, became = await self._act(told)
        await self.notifications.keep(told, attempt_id, became)
        return became

    async def _act(self, told: Notification) -> tuple[UUID | None, Became]:
        if told.tells is None or not told.transaction_id:
            return None, Became.IGNORED
        found = await self.notifications.payment_of(told.transaction_id, told.order_id)
        if found is None:
            return None, Became.IGNORED
        attempt_id, state = found
        if state in BEFORE_CAPTURE:
            raise TooSoon(f"attempt {attempt_id} is {state}")
        try:
            await self.ledger.became(attempt_id, told.tells, reason=told.reason)
        except TransitionRefused:  # refunded meanwhile, or told in the wrong order
            return attempt_id, Became.IGNORED
        return attempt_id, Became(told.tells.value)
