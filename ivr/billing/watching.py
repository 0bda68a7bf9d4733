"""Follows a capture with an agent to its outcome, its payment, and both ends back in their talk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from ivr.billing.assisted_captures import (
    AssistedCapture,
    CaptureStatus,
    CardPayment,
    FieldProgress,
    PaymentStatus,
)
from ivr.billing.captures import CaptureField, CaptureOutcome, CaptureResult, ErrorType
from ivr.billing.errors import BillingError, LedgerUnavailable, TalkUnreachable
from ivr.billing.paying import Paying
from ivr.billing.payments import Attempt, AttemptState, CardOnHand
from ivr.billing.ports import AssistedCaptures, Captures, Talks

T = TypeVar("T")

LOOK_SECONDS = 1.0
"""how often table and PBX are looked at, should nobody tell us anything"""
SILENT_SECONDS = 12.0
"""the secure process gives a sign every 5 s"""
FIRST_SIGN_SECONDS = 30.0
"""longer: it waits for both channels, and asks the database and the PBX"""
CANCEL_SECONDS = 5.0
"""after that a capture that was to be canceled is ended without the secure process"""
ESCAPED_LOOKS = 3
"""so many times both channels were seen outside: nobody takes a card any more"""
RETURN_SECONDS = 20.0
"""how long the secure process has to give both ends back after the outcome: it waits for the last
key, which the agent would hear outside"""
RETURN_TRIES = 30

BROKEN = CaptureOutcome(CaptureResult.INTERNAL_ERROR, error_type=ErrorType.INTERNAL_ERROR)
CANCELED = CaptureOutcome(CaptureResult.CANCELED)


class Watched:
    """One capture as it is now; `changed` is set, and replaced, at each change."""

    def __init__(self, now: AssistedCapture) -> None:
        self.now = now
        self.changed = asyncio.Event()
        self.is_over = False
        """nothing will change any more"""
        self.is_told_ended = False
        self.canceled_at: float | None = None
        self.last_sign = clock() + FIRST_SIGN_SECONDS - SILENT_SECONDS
        self.looked_at = 0.0
        self.looks_outside = 0
        self.fields_kept = now.fields

    def become(self, now: AssistedCapture) -> None:
        """Show it like this from now on."""
        self.now = now
        self.ring()

    def ring(self) -> None:
        """Wake everybody who waits for a change."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def heard(
        self, field: CaptureField | None, progress: FieldProgress | None, *, is_ended: bool
    ) -> None:
        """The secure process gave a sign of life, told of a field, or that it is done."""
        self.last_sign = clock()
        if self.now.outcome is not None:
            return
        if is_ended:
            self.is_told_ended = True
            self.ring()
        elif field is not None and progress is not None:
            self.become(self.now.with_field(field, progress))
        elif not self.now.is_open:
            self.become(replace(self.now, is_open=True))

    def cancel(self) -> None:
        """Somebody wants it to end."""
        if self.canceled_at is None:
            self.canceled_at = clock()

    def end(self) -> None:
        """Nothing will change any more."""
        self.is_over = True
        self.ring()


@dataclass(frozen=True, slots=True)
class Watching:
    """What it takes to see captures through."""

    captures: Captures
    records: AssistedCaptures
    talks: Talks
    paying: Paying
    limit_seconds: float
    """how long the secure process may keep a caller, and some more"""

    async def follow(self, watched: Watched) -> None:
        """Return when the outcome is known, the payment has ended and nobody is held any more."""
        try:
            outcome, is_given_up = await self._outcome(watched)
            watched.become(replace(watched.now, outcome=outcome))
            async with asyncio.TaskGroup() as both:
                both.create_task(self._see_back(watched, at_once=is_given_up))
                both.create_task(self._settle(watched, outcome))
        finally:
            watched.end()

    async def abandon(self, watched: Watched) -> None:
        """End a capture that never began."""
        outcome = await self._close(watched)
        watched.become(replace(watched.now, outcome=outcome))
        await self._settle(watched, outcome)
        watched.end()

    # --- how it ended

    async def _outcome(self, watched: Watched) -> tuple[CaptureOutcome, bool]:
        """How it ended, and whether that was our decision."""
        until = clock() + self.limit_seconds
        while True:
            changed = watched.changed
            if watched.is_told_ended or clock() - watched.looked_at >= LOOK_SECONDS:
                watched.looked_at = clock()
                outcome = await self._read(watched)
                if outcome is not None:
                    return outcome, False
                if clock() > until or await self._is_lost(watched):
                    return await self._close(watched), True
            await self._keep_fields(watched)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await changed.wait()

    async def _read(self, watched: Watched) -> CaptureOutcome | None:
        try:
            return await self.captures.outcome(watched.now.id)
        except LedgerUnavailable:
            return None  # looked at again a moment later

    async def _is_lost(self, watched: Watched) -> bool:
        """Whether nobody takes this card any more although no outcome was written."""
        if not self.talks.hears:
            watched.last_sign = max(watched.last_sign, clock())  # the silence is on our side
        if clock() - watched.last_sign > SILENT_SECONDS:
            return True
        canceled_at = watched.canceled_at
        if canceled_at is not None and clock() - canceled_at > CANCEL_SECONDS:
            return True
        try:
            if await self.talks.is_secure_part_away():
                return True
            return await self._has_escaped(watched)
        except TalkUnreachable:
            return False  # nobody can say

    async def _has_escaped(self, watched: Watched) -> bool:
        if watched.now.status is CaptureStatus.OPENING or await self.talks.is_held(
            watched.now.talk
        ):
            watched.looks_outside = 0
        else:
            watched.looks_outside += 1
        return watched.looks_outside >= ESCAPED_LOOKS

    async def _close(self, watched: Watched) -> CaptureOutcome:
        """Write that it is over; what was written before stays."""
        outcome = BROKEN if watched.canceled_at is None else CANCELED
        try:
            await self.captures.close(watched.now.id, outcome)
            return await self.captures.outcome(watched.now.id) or outcome
        except LedgerUnavailable:  # found again, and closed, when we start the next time
            return outcome

    async def _keep_fields(self, watched: Watched) -> None:
        fields = watched.now.fields
        if fields is watched.fields_kept:
            return
        with contextlib.suppress(LedgerUnavailable):  # tried again a moment later
            await self.records.keep_fields(watched.now.id, fields)
            watched.fields_kept = fields

    # --- both ends back

    async def _see_back(self, watched: Watched, *, at_once: bool) -> None:
        """Return when nobody is held; give them back ourselves if the secure process does not."""
        until = clock() + (0 if at_once else RETURN_SECONDS)
        for _ in range(RETURN_TRIES):
            with contextlib.suppress(TalkUnreachable):
                while await self.talks.is_held(watched.now.talk):
                    if clock() >= until or await self.talks.is_secure_part_away():
                        await self.talks.give_back(watched.now.talk)
                    await asyncio.sleep(LOOK_SECONDS)
                return
            await asyncio.sleep(LOOK_SECONDS)

    # --- the money

    async def _settle(self, watched: Watched, outcome: CaptureOutcome) -> None:
        await self._keep_fields(watched)
        attempt, card = watched.now.attempt, outcome.card
        if attempt is not None and attempt.state is AttemptState.CREATED:
            if card is not None and card.token:
                await self._charge(watched, attempt, card)
            else:
                await self._let_go(watched, attempt)
        with contextlib.suppress(LedgerUnavailable):  # the sweep forgets it later
            await self.records.forget_token(watched.now.id)

    async def _charge(self, watched: Watched, attempt: Attempt, card: CardOnHand) -> None:
        def shown(change: Callable[[CardPayment], CardPayment]) -> None:
            if watched.now.payment is not None:
                watched.become(replace(watched.now, payment=change(watched.now.payment)))

        shown(lambda payment: replace(payment, status=PaymentStatus.CHARGING))
        try:
            result = await self.paying.pay(attempt, card)
        except BillingError:  # another process settled it, or nobody can say
            shown(lambda payment: replace(payment, status=PaymentStatus.UNKNOWN))
            raise
        shown(lambda payment: payment.after(result))

    async def _let_go(self, watched: Watched, attempt: Attempt) -> None:
        with contextlib.suppress(LedgerUnavailable):  # a created attempt holds nothing
            await self.paying.cancel(attempt)
        if watched.now.payment is not None:
            payment = replace(watched.now.payment, status=PaymentStatus.NOT_CHARGED)
            watched.become(replace(watched.now, payment=payment))


def clock() -> float:
    """Seconds of the running event loop."""
    return asyncio.get_running_loop().time()
