"""Proving mandates: each by the recording of its call, or else by a notice in writing.

Whether a call was recorded is known when it is over, and perhaps its node is gone by then. So a
mandate counts as proved only once somebody has found it in a recording that is kept; when nobody
has in time, or the recording lacks it, the notice goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ivr.billing.bank_accounts import Way


@dataclass(frozen=True, slots=True)
class Clip:
    """Where the recording of a call is to have a mandate."""

    attempt_id: UUID
    call_id: str
    begin: float
    """seconds of the call"""
    end: float
    age: float
    """seconds since the caller agreed"""


@dataclass(frozen=True, slots=True)
class Notice:
    """A mandate whose proof is a notice after all."""

    order_id: str
    ways: Sequence[Way]
    """by which it reaches the customer; none: somebody must write to them"""


class Proofs(Protocol):
    """How mandates are proved. Every method raises LedgerUnavailable."""

    async def unproved(self) -> Sequence[Clip]:
        """Those of debits that took money, or may have, and that nobody found recorded yet."""
        ...

    async def proved(self, attempt_id: UUID) -> None:
        """It was found."""
        ...

    async def notify(self, attempt_id: UUID, ways: Sequence[Way]) -> Notice | None:
        """Prove it by the notice: sent now, or with the capture. None: it is proved already."""
        ...


class KeptRecordings(Protocol):
    """The recordings that this node keeps."""

    async def has(self, clip: Clip) -> bool | None:
        """Whether the recording has all of it; None: there is none here, or not yet.

        Raises OSError.
        """
        ...


def untold(_notice: Notice) -> None:
    """For who keeps no log."""


@dataclass(frozen=True, slots=True)
class Proving:
    """Any number of nodes may do it at once; each sees its own recordings only."""

    proofs: Proofs
    recordings: KeptRecordings | None
    """None: calls are not recorded here"""
    ways: Sequence[Way]
    patience_seconds: float
    """from the mandate until its recording must be kept somewhere"""
    told: Callable[[Notice], None] = untold

    async def look(self) -> None:
        """Settle what can be settled now. Raises LedgerUnavailable."""
        for clip in await self.proofs.unproved():
            found = await self._has(clip)
            if found:
                await self.proofs.proved(clip.attempt_id)
            elif found is False or clip.age > self.patience_seconds:
                notice = await self.proofs.notify(clip.attempt_id, self.ways)
                if notice is not None:
                    self.told(notice)

    async def _has(self, clip: Clip) -> bool | None:
        if self.recordings is None:
            return None
        try:
            return await self.recordings.has(clip)
        except OSError:  # it may be there, and the folder back in time
            return None
