"""Finding out what became of charges whose outcome is unknown, and giving back stray money.

Any number of nodes may do this at once: each doubt and each stray is claimed first, and every claim
has an end. Sending a charge again with its key, and reversing, are safe to do twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any
from uuid import UUID

from ivr.billing.doubts import (
    Doubt,
    Finding,
    NotThere,
    Odd,
    Pending,
    Refused,
    Schedule,
    Stray,
    Taken,
    Unanswered,
    judge,
)
from ivr.billing.errors import (
    BillingError,
    GatewayError,
    GatewayNotReached,
    LedgerUnavailable,
    TransitionRefused,
)
from ivr.billing.payments import AttemptState, Captured, Refusal
from ivr.billing.ports import Books, Doubts, Ledger

AT_ONCE = 4
LOOK_SECONDS = 240.0
"""how long one look may take: sent again or searched for, each with the gateway's time limits"""
CLAIM_SECONDS = LOOK_SECONDS + 30
NEVER_CHARGED = "the gateway's books do not show it, long after its last chance"

Told = Callable[[str, "Doubt | Stray", str], None]
"""Is told what happened (an event's name), to what, and why."""


def _tell_nobody(_event: str, _about: Doubt | Stray, _why: str) -> None:
    """For who does not want to know."""


class Resolving:
    """One node's part of the work."""

    def __init__(
        self,
        ledger: Ledger,
        doubts: Doubts,
        books: Books,
        *,
        schedule: Schedule = Schedule(),  # noqa: B008 - it is frozen
        told: Told = _tell_nobody,
    ) -> None:
        self._ledger = ledger
        self._doubts = doubts
        self._books = books
        self._schedule = schedule
        self._told = told
        self._in_hand: dict[UUID | str, asyncio.Task[None]] = {}

    async def begin(self) -> int:
        """Take up what was abandoned, begin to look at all that is due; how many are looked at.

        Raises LedgerUnavailable: another time, then.
        """
        await self._doubts.abandoned()
        free = AT_ONCE - len(self._in_hand)
        for doubt in await self._doubts.claim(free, CLAIM_SECONDS, self._in_hand):
            self._spawn(doubt.attempt.id, self._look(doubt))
        free = AT_ONCE - len(self._in_hand)
        for stray in await self._doubts.claim_strays(free, CLAIM_SECONDS, self._in_hand):
            self._spawn(stray.transaction_id, self._reverse(stray))
        return len(self._in_hand)

    async def finish(self) -> None:
        """Return when nothing is looked at any more; each look has its limit."""
        await asyncio.gather(*self._in_hand.values(), return_exceptions=True)

    async def round(self) -> int:
        """Begin and finish; how many were looked at. Raises LedgerUnavailable."""
        looked_at = await self.begin()
        await self.finish()
        return looked_at

    def stop(self) -> None:
        """Drop everything; another node, or we when we start again, takes it up."""
        for task in self._in_hand.values():
            task.cancel()

    def _spawn(self, key: UUID | str, work: Coroutine[Any, Any, None]) -> None:
        task = self._in_hand[key] = asyncio.create_task(work, name="resolving")
        task.add_done_callback(lambda _: self._in_hand.pop(key))

    async def _look(self, doubt: Doubt) -> None:
        finding = await self._within_limits(lambda: self._find(doubt))
        try:
            if not await self._settle(doubt, finding):
                await self._put_off(doubt, finding)
            elif doubt.attempt.state is not AttemptState.UNKNOWN:
                await self._doubts.over(doubt.attempt.id)
        except LedgerUnavailable:
            pass  # still claimed by us, and not in hand: we look again at once when it is back
        except Exception as error:  # noqa: BLE001 - told, and tried again later
            trouble = Unanswered(f"the outcome could not be written down ({type(error).__name__})")
            self._told("look_failed", doubt, trouble.why)
            with contextlib.suppress(BillingError):
                await self._put_off(doubt, trouble)

    async def _within_limits(self, look: Callable[[], Awaitable[Finding]]) -> Finding:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await look()
        except GatewayError as error:
            return Unanswered(str(error))
        except TimeoutError:
            return Unanswered("the gateway took too long")
        except LedgerUnavailable as error:
            return Unanswered(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look may do better
            return Unanswered(f"unforeseen {type(error).__name__}")

    async def _find(self, doubt: Doubt) -> Finding:
        """What became of it. Raises GatewayError."""
        if self._books.request_keys and self._schedule.may_send_again(doubt):
            sent_again = await self._send_again(doubt)
            if sent_again is not None:
                return sent_again
        attempt = doubt.attempt
        return judge(attempt, await self._books.of_order(attempt.order_id))

    async def _send_again(self, doubt: Doubt) -> Finding | None:
        """None when that does not tell. Raises GatewayNotReached, LedgerUnavailable."""
        attempt = doubt.attempt
        sent = await self._ledger.sent(attempt.id)
        if sent is None:  # settled a moment ago, or its token was forgotten
            return None
        means, keep = sent
        try:
            outcome = await self._books.send_again(
                means=means,
                amount=attempt.amount,
                order_id=attempt.order_id,
                request_key=str(attempt.id),
                keep=keep,
            )
        except GatewayNotReached:
            raise
        except GatewayError:
            return None
        return Taken(outcome) if isinstance(outcome, Captured) else Refused(outcome)

    async def _settle(self, doubt: Doubt, finding: Finding) -> bool:
        """Write it down if it is certain; whether it was, or is no doubt of ours any more."""
        try:
            match finding:
                case Taken(capture, too_many):
                    await self._captured(doubt, capture, too_many)
                case Refused(refusal):
                    await self._refused(doubt, refusal)
                case NotThere() if self._schedule.is_gone(doubt):
                    await self._ledger.failed(doubt.attempt.id, NEVER_CHARGED)
                    self._told("not_charged_after_all", doubt, NEVER_CHARGED)
                case _:
                    return False
        except TransitionRefused:
            # Settled meanwhile, by its own task or another node; or long ago, and what came late
            # is now a stray.
            pass
        return True

    async def _captured(
        self, doubt: Doubt, capture: Captured, too_many: tuple[Captured, ...]
    ) -> None:
        await self._ledger.captured(doubt.attempt.id, capture)
        self._told("charged_after_all", doubt, "")
        for other in too_many:
            await self._ledger.captured(doubt.attempt.id, other)
            self._told("charged_twice", doubt, f"transaction {other.transaction_id} is given back")

    async def _refused(self, doubt: Doubt, refusal: Refusal) -> None:
        await self._ledger.declined(doubt.attempt.id, refusal)
        self._told("declined_after_all", doubt, "")

    async def _put_off(self, doubt: Doubt, finding: Finding) -> None:
        is_answered = not isinstance(finding, Unanswered)
        looked = replace(
            doubt,
            looks=doubt.looks + is_answered,
            misses=0 if is_answered else doubt.misses + 1,
            empty=doubt.empty + isinstance(finding, NotThere),
            needs_person=self._schedule.needs_person(doubt, finding),
        )
        word = _word(finding)
        if looked.needs_person and not doubt.needs_person:
            self._told("payment_needs_a_person", doubt, word)
        await self._doubts.put_off(looked, self._schedule.pause(doubt, finding), word)

    async def _reverse(self, stray: Stray) -> None:
        with contextlib.suppress(LedgerUnavailable):  # then it is still ours to do
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    how = await self._books.reverse(stray.transaction_id)
                await self._doubts.undone(stray.transaction_id, how)
            except LedgerUnavailable:
                raise
            except (GatewayError, TimeoutError) as error:
                await self._put_off_stray(stray, str(error) or "the gateway took too long")
            except Exception as error:  # noqa: BLE001 - told, and tried again later
                await self._put_off_stray(stray, f"unforeseen {type(error).__name__}")
            else:
                self._told("stray_given_back", stray, f"{stray.why}: {how}")

    async def _put_off_stray(self, stray: Stray, why: str) -> None:
        self._told("stray_not_given_back", stray, why)
        pauses = self._schedule.misses
        pause = pauses[min(stray.tries, len(pauses) - 1)]
        await self._doubts.put_off_stray(stray, pause, why)


def _word(finding: Finding) -> str:
    match finding:
        case Pending(why) | Odd(why) | Unanswered(why):
            return why
        case _:
            return "not in the gateway's books yet"
