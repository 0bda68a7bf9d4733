"""`billing.ports.Doubts` in memory; the same cases hold for it and for Postgres."""

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from ivr.billing.doubts import Doubt, Stray, Undone
from ivr.billing.payments import AttemptState
from tests.fakes.company import FakeCompany, KeptAttempt, KeptDoubt, KeptStray
from tests.fakes.ledger import now

ABANDONED_SECONDS = 400.0


class FakeDoubts:
    """One daemon's view of `company.attempts` and `company.strays`."""

    def __init__(self, company: FakeCompany, daemon: str = "") -> None:
        self.company = company
        self.daemon = daemon

    async def abandoned(self) -> list[UUID]:
        self.company.check()
        left = [
            kept
            for kept in self.company.attempts.values()
            if kept.attempt.state is AttemptState.CHARGING
            and (kept.daemon in self.company.gone or now() - kept.charging_at > ABANDONED_SECONDS)
        ]
        for kept in left:
            kept.attempt = replace(kept.attempt, state=AttemptState.UNKNOWN)
            kept.doubt = KeptDoubt(now(), now())
            self.company.events.append("payment.in-doubt")
        return [kept.attempt.id for kept in left]

    async def claim(
        self, most: int, seconds: float, in_hand: Collection[UUID | str]
    ) -> list[Doubt]:
        self.company.check()
        due = [
            kept
            for kept in self.company.attempts.values()
            if kept.doubt
            and not kept.doubt.is_resolved
            and self._is_free(kept.doubt, kept.attempt.id in in_hand)
        ]
        return [self._claimed(kept, seconds) for kept in due[:most]]

    async def put_off(self, looked: Doubt, pause_seconds: float, word: str) -> None:
        self.company.check()
        doubt = self.company.attempts[looked.attempt.id].doubt
        if doubt and doubt.claimed_by == self.daemon:
            doubt.looked, doubt.look_at = looked, now() + pause_seconds
            doubt.claimed_until = 0.0

    async def over(self, attempt_id: UUID) -> None:
        self.company.check()
        doubt = self.company.attempts[attempt_id].doubt
        if doubt and doubt.claimed_by == self.daemon:
            doubt.is_resolved = True

    async def claim_strays(
        self, most: int, seconds: float, in_hand: Collection[UUID | str]
    ) -> list[Stray]:
        self.company.check()
        due = [
            kept
            for kept in self.company.strays.values()
            if kept.undone is None and self._is_free(kept, kept.stray.transaction_id in in_hand)
        ]
        for kept in due[:most]:
            kept.claimed_by, kept.claimed_until = self.daemon, now() + seconds
        return [kept.stray for kept in due[:most]]

    async def undone(self, transaction_id: str, how: Undone) -> None:
        self.company.check()
        kept = self.company.strays[transaction_id]
        kept.undone = kept.undone or how

    async def put_off_stray(self, stray: Stray, pause_seconds: float, word: str) -> None:
        self.company.check()
        kept = self.company.strays[stray.transaction_id]
        if kept.claimed_by == self.daemon:
            kept.stray = replace(stray, tries=stray.tries + 1)
            kept.look_at, kept.claimed_until = now() + pause_seconds, 0.0

    def _is_free(self, kept: KeptDoubt | KeptStray, is_in_hand: bool) -> bool:  # noqa: FBT001
        if kept.look_at > now():
            return False
        is_ours = kept.claimed_by == self.daemon and not is_in_hand
        return kept.claimed_until <= now() or is_ours or kept.claimed_by in self.company.gone

    def _claimed(self, kept: KeptAttempt, seconds: float) -> Doubt:
        doubt = kept.doubt
        assert doubt
        doubt.claimed_by, doubt.claimed_until = self.daemon, now() + seconds
        return replace(
            doubt.looked or Doubt(kept.attempt, 0, 0),
            attempt=kept.attempt,
            charged_seconds=now() - kept.charging_at,
            doubted_seconds=now() - doubt.since,
        )
