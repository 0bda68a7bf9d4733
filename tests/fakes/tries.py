"""`billing.limiting.Tries` in memory; the same cases hold for it and for Postgres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ivr.billing.limits import (
    Breaker,
    CardTries,
    Counted,
    IdentificationTries,
    Limits,
    Subjects,
    one_number,
)
from ivr.billing.payments import AttemptState, DeclineBucket
from tests.fakes.company import FakeCompany

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TRIAL = timedelta(minutes=3)
AGAINST = {
    AttemptState.CREATED,
    AttemptState.CHARGING,
    AttemptState.UNKNOWN,
    AttemptState.DECLINED,
}
NOTHING = {AttemptState.FAILED, AttemptState.CANCELED}
EXPIRED_CARD = "2004"
LOST_CARD = "91518"
"""by the gateway, which had it on file"""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Try:
    """One that was counted."""

    at: datetime
    card_hash: str
    expires: str
    call: str | None
    caller: str | None


@dataclass
class FakeTries:
    """Counts in lists; who calls is in `company.calls`."""

    company: FakeCompany
    now: Callable[[], datetime] = utc_now
    tries: dict[UUID, Try] = field(default_factory=dict)
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    identifications: dict[tuple[str, datetime], int] = field(default_factory=dict)
    on_file: set[tuple[int, str]] = field(default_factory=set)

    async def of_card(self, attempt_id: UUID, limits: Limits) -> CardTries:
        return self._facts(attempt_id, None, "", limits)

    async def count_card(
        self,
        attempt_id: UUID,
        card_hash: str,
        expires: str,
        limits: Limits,
        on_file: UUID | None = None,
    ) -> CardTries:
        self.company.check()
        card_hash = card_hash or self._hash_on_file(on_file)
        call, caller = self._payer(attempt_id)
        self.tries[attempt_id] = Try(self.now(), card_hash, expires, call, caller)
        return self._facts(attempt_id, card_hash, expires, limits)

    async def breaker(self, limits: Limits) -> Breaker:
        self.company.check()
        return self._breaker(limits, None)

    async def open_breaker(self, opened_before: datetime | None) -> bool:
        self.company.check()
        if self.opened_at != opened_before:
            return False
        self.opened_at = self.now()
        return True

    async def close_breaker(self, opened_before: datetime | None) -> bool:
        self.company.check()
        if opened_before is None or self.opened_at != opened_before:
            return False
        self.opened_at, self.closed_at = None, self.now()
        return True

    async def count_identification(self, subjects: Subjects) -> IdentificationTries:
        self.company.check()
        hour = self.now().replace(minute=0, second=0, microsecond=0)
        counted = {}
        for subject in subjects.all:
            day = sum(
                tries
                for (whose, when), tries in self.identifications.items()
                if whose == subject and when > hour - DAY
            )
            this_hour = self.identifications.get((subject, hour), 0)
            counted[subject] = Counted(this_hour, day)
            self.identifications[subject, hour] = this_hour + 1
        return IdentificationTries(subjects, counted, hour)

    async def forgive(self, tried: IdentificationTries) -> None:
        self.company.check()
        for subject in tried.subjects.all:
            if tried.hour and self.identifications.get((subject, tried.hour)):
                self.identifications[subject, tried.hour] -= 1

    async def is_on_file(self, customer_id: int, number: str) -> bool:
        self.company.check()
        wanted = (customer_id, one_number(number))
        return bool(wanted[1]) and wanted in {(who, one_number(kept)) for who, kept in self.on_file}

    def _facts(
        self, attempt_id: UUID, card_hash: str | None, expires: str, limits: Limits
    ) -> CardTries:
        self.company.check()
        call, caller = self._payer(attempt_id)
        against = {
            each: self.tries[each]
            for each in self.tries
            if each != attempt_id and self._state(each) in AGAINST
        }
        today = {each: one for each, one in against.items() if one.at > self.now() - DAY}
        in_call = [one for one in against.values() if call and one.call == call]
        mine = self._invoices(attempt_id)
        of_card = [each for each, one in today.items() if card_hash and one.card_hash == card_hash]
        return CardTries(
            breaker=self._breaker(limits, attempt_id),
            in_call=len(in_call),
            other_cards_in_call=len(
                {one.card_hash for one in in_call if one.card_hash and card_hash} - {card_hash}
            ),
            of_number=len(
                [one for one in today.values() if caller is not None and one.caller == caller]
            ),
            is_hidden=caller == "",
            of_invoice=max(
                (
                    len([each for each in today if invoice in self._invoices(each)])
                    for invoice in mine
                ),
                default=0,
            ),
            invoices_of_card=len({invoice for each in of_card for invoice in self._invoices(each)}),
            was_refused_for_good=self._was_refused(attempt_id, card_hash, expires),
        )

    def _breaker(self, limits: Limits, besides: UUID | None) -> Breaker:
        since = max(self.now() - limits.breaker_window, self.closed_at or self.now() - DAY)
        recent = [each for each in self.tries if self.tries[each].at > since]
        states = self._states(recent)
        trials = []
        if self.opened_at:
            until = self.opened_at + limits.breaker_pause
            trials = [each for each in self.tries if self.tries[each].at >= until]
        under_way = [
            each
            for each in trials
            if self._state(each) in (AttemptState.CREATED, AttemptState.CHARGING)
            and each != besides
            and self.tries[each].at > self.now() - TRIAL
        ]
        return Breaker(
            now=self.now(),
            opened_at=self.opened_at,
            declined=states.count(AttemptState.DECLINED),
            decided=len(
                [each for each in states if each not in AGAINST or each is AttemptState.DECLINED]
            ),
            trials_under_way=len(under_way),
            trials_declined=self._states(trials).count(AttemptState.DECLINED),
            trials_succeeded=len([each for each in self._states(trials) if each not in AGAINST]),
            callers=len(
                {
                    self.tries[each].caller or ""
                    for each in recent
                    if self._state(each) is AttemptState.DECLINED
                }
            ),
        )

    def _was_refused(self, attempt_id: UUID, card_hash: str | None, expires: str) -> bool:
        for each, one in self.tries.items():
            refusal = self.company.attempts[each].refusal
            if each == attempt_id or not card_hash or one.card_hash != card_hash or not refusal:
                continue
            if refusal.code == LOST_CARD:
                continue
            if refusal.bucket is DeclineBucket.HARD and (
                refusal.code != EXPIRED_CARD or one.expires == expires
            ):
                return True
        return False

    def _hash_on_file(self, on_file: UUID | None) -> str:
        kept = self.company.cards.get(on_file) if on_file else None
        keyed = self.tries.get(kept.attempt_id) if kept and kept.attempt_id else None
        return keyed.card_hash if keyed else ""

    def _payer(self, attempt_id: UUID) -> tuple[str | None, str | None]:
        for capture in self.company.assisted.values():
            if capture.attempt and capture.attempt.id == attempt_id:
                caller = capture.talk.caller
                return caller.channel_id, one_number(caller.number)
        call_id = self.company.attempts[attempt_id].attempt.call_id
        if call_id is None:
            return None, None
        call = self.company.calls.get(call_id)
        return call_id, one_number(call.caller if call else None)

    def _invoices(self, attempt_id: UUID) -> set[int]:
        attempt = self.company.attempts[attempt_id].attempt
        return {part.invoice_id for part in attempt.allocations}

    def _state(self, attempt_id: UUID) -> AttemptState:
        return self.company.attempts[attempt_id].attempt.state

    def _states(self, attempts: list[UUID]) -> list[AttemptState]:
        found = [self._state(each) for each in attempts]
        return [state for state in found if state not in NOTHING]
