"""Comparing both ledgers, ours and the gateway's, in both ways; mending what is beyond doubt."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ivr.billing.differences import (
    Adopt,
    Become,
    Decline,
    Difference,
    GiveBack,
    Ours,
    compare,
)
from ivr.billing.errors import BillingError, LedgerUnavailable, TransitionRefused
from ivr.billing.ports import Ledger
from ivr.billing.transactions import Transaction

SLICE = timedelta(hours=1)
"""what the gateway is asked for at once: it finds only so many"""
ENDS_WITHIN = timedelta(days=90)
"""what was captured before the window is asked after for so long"""


class Payments(Protocol):
    """Our ledger, for comparing. Every method raises LedgerUnavailable."""

    async def of_orders(self, order_ids: Sequence[str]) -> list[Ours]: ...

    async def charged_between(self, since: datetime, until: datetime) -> list[Ours]:
        """Payments that were taken, whatever became of them afterwards."""
        ...

    async def unfinished(self, since: datetime, until: datetime) -> list[Ours]:
        """Captured in that time, and neither settled nor given back yet.

        And debits of bank accounts that were: their bank may still return them.
        """
        ...

    async def unknown(self) -> list[Ours]:
        """All whose outcome is unknown."""
        ...

    async def strays_given_back(self, transaction_ids: Sequence[str]) -> set[str]:
        """Which of these sales we sent back."""
        ...


class GatewayLedger(Protocol):
    """The gateway's ledger, for comparing. Every method raises GatewayError."""

    async def between(self, since: datetime, until: datetime) -> list[Transaction]:
        """With an order id like ours, created in that time."""
        ...

    async def of_ids(self, ids: Sequence[str]) -> list[Transaction]: ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing came to."""

    compared: int
    """orders"""
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Comparing:
    """Both ledgers, and ours to mend."""

    ours: Payments
    theirs: GatewayLedger
    ledger: Ledger

    async def differences(self, since: datetime, until: datetime) -> Comparison:
        """Between two moments by the gateway's clock. Raises LedgerUnavailable, GatewayError."""
        found: dict[str, Transaction] = {}
        for first, last in _slices(since, until):
            found |= {one.id: one for one in await self.theirs.between(first, last)}
        # What went back in the window may be of a sale long before it.
        of_sales = {one.refund_of for one in found.values() if not one.is_sale} - found.keys()
        found |= {one.id: one for one in await self.theirs.of_ids(sorted(of_sales))}
        known = await self._known(found.values())
        for ours in (
            await self.ours.charged_between(since, until)
            + await self.ours.unfinished(since - ENDS_WITHIN, since)
            + await self.ours.unknown()
        ):
            known[ours.attempt.order_id] = ours
        # What our clock puts into the window may lie beside it by the gateway's.
        unseen = [
            ours.transaction_id
            for ours in known.values()
            if ours.transaction_id and ours.transaction_id not in found
        ]
        found |= {one.id: one for one in await self.theirs.of_ids(unseen)}
        back = await self.ours.strays_given_back(list(found))
        differences = compare(known.values(), found.values(), back)
        orders = {one.order_id for one in found.values() if one.is_sale}
        return Comparison(len(known.keys() | orders), tuple(differences))

    async def mend(self, difference: Difference) -> bool:
        """Mend it if that is beyond doubt; whether it was. Raises LedgerUnavailable.

        One that our ledger refuses is left, and holds up no other.
        """
        if difference.attempt_id is None:
            return False
        try:
            match difference.mend:
                case None:
                    return False
                case Adopt(capture) | GiveBack(capture):
                    await self.ledger.captured(difference.attempt_id, capture)
                case Decline(refusal):
                    await self.ledger.declined(difference.attempt_id, refusal)
                case Become(state):
                    await self.ledger.became(difference.attempt_id, state)
        except TransitionRefused:
            # The ledger keeps money that is to go back as a stray; all else it settled meanwhile.
            return isinstance(difference.mend, GiveBack)
        except LedgerUnavailable:
            raise
        except BillingError:
            return False
        return True

    async def _known(self, theirs: Collection[Transaction]) -> dict[str, Ours]:
        orders = sorted({one.order_id for one in theirs if one.is_sale})
        known = await self.ours.of_orders(orders)
        return {ours.attempt.order_id: ours for ours in known}


def _slices(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        yield since, min(since + SLICE, until)
        since += SLICE
