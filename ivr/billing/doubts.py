"""A charge whose outcome is unknown: what the gateway's books say of it, and when to look again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from ivr.billing.payments import Attempt, AttemptState, Captured, Refusal
from ivr.billing.transactions import Standing, Transaction

StrayWhy = Literal["told-not-charged", "second-capture"]
Undone = Literal["voided", "refunded"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """One attempt whose outcome is unknown, claimed by us for a while.

    Its state is unknown; or declined or failed, when its own process came to doubt that later.
    """

    attempt: Attempt
    charged_seconds: float
    """since its charge began"""
    doubted_seconds: float
    """since it became unknown"""
    looks: int = 0
    """so often the gateway answered"""
    misses: int = 0
    """so often in a row it did not"""
    empty: int = 0
    """so many of the looks found no transaction"""
    needs_person: bool = False


@dataclass(frozen=True, slots=True)
class Stray:
    """A transaction whose money is to go back, claimed by us for a while."""

    transaction_id: str
    attempt_id: UUID
    order_id: str
    why: StrayWhy
    tries: int = 0


# What one look came to:


@dataclass(frozen=True, slots=True)
class Taken:
    """The money was taken, by the first of these; the others are too many."""

    capture: Captured
    too_many: tuple[Captured, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The bank or the gateway said no."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class NotThere:
    """The books do not show this order; they lag behind."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The order is there, and not decided."""

    why: str


@dataclass(frozen=True, slots=True)
class Odd:
    """The order is there in a way that no program may judge."""

    why: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The gateway did not answer."""

    why: str


Finding = Taken | Refused | NotThere | Pending | Odd | Unanswered


ACCEPTED_ONCE = {Standing.VOIDED, Standing.RETURNED}
"""What a sale can only become after it had been accepted."""


def judge(attempt: Attempt, found: Sequence[Transaction]) -> Finding:
    """What all transactions of an attempt's order mean for it; `found` is oldest first."""
    sales = [sale for sale in found if sale.is_sale]
    if not sales:
        return NotThere()
    if any(sale.amount != attempt.amount for sale in sales if sale.is_taken):
        return Odd("the gateway took another amount than was agreed")
    taken = [sale.outcome for sale in sales if sale.is_taken and isinstance(sale.outcome, Captured)]
    if taken:
        return Taken(taken[0], tuple(taken[1:]))
    undecided = {sale.standing for sale in sales} & {Standing.PENDING, Standing.DUPLICATE}
    if ACCEPTED_ONCE & {sale.standing for sale in sales}:
        undecided.discard(Standing.DUPLICATE)  # of that one, which is not in the way any more
    if undecided:
        return Pending(f"the gateway's sale of this order is {min(undecided)}")
    outcome = [sale for sale in sales if sale.standing is not Standing.DUPLICATE][-1].outcome
    if isinstance(outcome, Refusal):
        return Refused(outcome)
    return Odd("the gateway does not say what became of this sale")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an outcome is looked for. Seconds; see docs/decisions/0011."""

    moments: tuple[float, ...] = (0, 2, 5, 15, 60, 300)
    """since it became unknown"""
    then_every: float = 600
    misses: tuple[float, ...] = (2, 5, 10, 20, 30)
    """pauses while the gateway does not answer; the last one again and again"""
    replay_within: float = 120
    """since the charge began: only so long may sending it again take the money"""
    not_there_after: float = 900
    """since the charge began: what is not in the books then will not come"""
    empty_looks: int = 3
    """so often it must not have been there"""
    person_after: float = 6 * 3600
    """since it became unknown: then somebody must look, and we do once an hour"""
    person_every: float = 3600

    def may_send_again(self, doubt: Doubt) -> bool:
        """Whether the charge is young enough to be sent again with its key."""
        return doubt.charged_seconds < self.replay_within

    def is_gone(self, doubt: Doubt) -> bool:
        """Whether an order that this look did not find was certainly never charged."""
        return doubt.empty + 1 >= self.empty_looks and _age(doubt) >= self.not_there_after

    def needs_person(self, doubt: Doubt, finding: Finding) -> bool:
        """Whether somebody must look at it."""
        is_old = doubt.doubted_seconds >= self.person_after
        return doubt.needs_person or is_old or isinstance(finding, Odd)

    def pause(self, doubt: Doubt, finding: Finding) -> float:
        """How long until the next look, after one that settled nothing."""
        if isinstance(finding, Unanswered):
            return self.misses[min(doubt.misses, len(self.misses) - 1)]
        if doubt.doubted_seconds >= self.person_after:
            return self.person_every
        pause = self._next_moment(doubt) - doubt.doubted_seconds
        until_gone = self.not_there_after - _age(doubt)
        if isinstance(finding, NotThere) and until_gone < pause:
            pause = until_gone
        return max(pause, self.moments[1] if len(self.moments) > 1 else 1.0)

    def _next_moment(self, doubt: Doubt) -> float:
        looks = doubt.looks + 1
        if looks < len(self.moments):
            return self.moments[looks]
        return self.moments[-1] + self.then_every * (looks - len(self.moments) + 1)


def _age(doubt: Doubt) -> float:
    """Seconds since the charge was last heard of on its way."""
    is_late = doubt.attempt.state is not AttemptState.UNKNOWN
    return doubt.doubted_seconds if is_late else doubt.charged_seconds
