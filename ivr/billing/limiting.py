"""Counting tries before they are made, and saying whether they may be: cards and identification.

While the database does not answer, no card is charged, since nobody can count it; callers are
identified all the same, if they can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.limits import (
    Breaker,
    CardTries,
    CardVerdict,
    IdentificationTries,
    IdentificationVerdict,
    Limits,
    Phase,
    Subjects,
)
from ivr.billing.payments import CardOnFile, CardOnHand, MeansOnHand, PayPalOnHand

Notice = Callable[[str, str], None]
"""(what, why): a try that a limit stopped, or "breaker" and its new phase; never who."""

NOBODY = 0
"""asked for in place of a customer, so that this takes as long"""


class Tries(Protocol):
    """What was tried, counted so that no number of calls at once gets past.

    Every method raises LedgerUnavailable.
    """

    async def of_card(self, attempt_id: UUID, limits: Limits) -> CardTries:
        """What was tried besides this attempt; counts nothing."""
        ...

    async def count_card(
        self,
        attempt_id: UUID,
        card_hash: str,
        expires: str,
        limits: Limits,
        on_file: UUID | None = None,
    ) -> CardTries:
        """Count this attempt with this card, and answer what was tried before it.

        `card_hash` is empty where there is none: what has no card's number. A card `on_file` is
        the one that it was keyed as.
        """
        ...

    async def breaker(self, limits: Limits) -> Breaker:
        """What the breaker is to know."""
        ...

    async def open_breaker(self, opened_before: datetime | None) -> bool:
        """Take no cards from now on; False when another has just decided otherwise."""
        ...

    async def close_breaker(self, opened_before: datetime | None) -> bool:
        """Take cards again; False when another has just decided otherwise."""
        ...

    async def count_identification(self, subjects: Subjects) -> IdentificationTries:
        """Count one try for each of these, and answer what was counted before it."""
        ...

    async def forgive(self, tried: IdentificationTries) -> None:
        """It does not count any more."""
        ...

    async def is_on_file(self, customer_id: int, number: str) -> bool:
        """Whether the number is this customer's, or one of their lines'."""
        ...


def unnoticed(_what: str, _why: str) -> None:
    """For who keeps no metrics."""


@dataclass(frozen=True, slots=True)
class Limiting:
    """One for the whole app."""

    tries: Tries
    limits: Limits = field(default_factory=Limits)
    notice: Notice = unnoticed
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    # --- cards

    async def may_try(self, attempt_id: UUID) -> CardVerdict:
        """Whether any card could be charged for this attempt now; counts nothing.

        Raises LedgerUnavailable.
        """
        return await self._judge(await self.tries.of_card(attempt_id, self.limits))

    async def count(self, attempt_id: UUID, means: MeansOnHand) -> CardVerdict:
        """Count this try with what was keyed or kept, and say whether it may be made.

        It no longer counts once the attempt succeeded, was given up, or certainly never reached
        the bank. What nobody keyed by telephone has limits of its own (links.py, PayPal's).
        Raises LedgerUnavailable: then it may not be made.
        """
        if isinstance(means, PayPalOnHand) or _was_typed(means):
            return CardVerdict.ALLOWED
        card_hash = means.card_hash if isinstance(means, CardOnHand) else ""
        expires = means.expires if isinstance(means, CardOnHand | CardOnFile) else ""
        on_file = means.id if isinstance(means, CardOnFile) else None
        tried = await self.tries.count_card(attempt_id, card_hash, expires, self.limits, on_file)
        verdict = await self._judge(tried)
        if verdict is CardVerdict.BREAKER and not isinstance(means, CardOnHand):
            verdict = CardVerdict.ALLOWED  # it is there for cards that anybody can key
        if verdict is not CardVerdict.ALLOWED:
            self.notice("card", verdict)
        return verdict

    async def look(self) -> Phase:
        """What the breaker is in, after what became of cards lately. Raises LedgerUnavailable."""
        breaker = await self.tries.breaker(self.limits)
        await self._judge(CardTries(breaker))
        return breaker.phase(self.limits)

    async def _judge(self, tried: CardTries) -> CardVerdict:
        breaker = tried.breaker
        if breaker.opens(self.limits):
            if await self.tries.open_breaker(breaker.opened_at):
                self.notice("breaker", "open")
        elif breaker.closes(self.limits) and await self.tries.close_breaker(breaker.opened_at):
            self.notice("breaker", "closed")
        return tried.verdict(self.limits)

    # --- identification

    async def identify(
        self,
        caller: str | None,
        claim: str,
        look_up: Callable[[], Awaitable[Customer | None]],
    ) -> Customer | None:
        """Whom `look_up` finds, unless a limit says no: nobody can tell which of both it was.

        `caller` is the number, None when hidden. The answer takes as long for an account that does
        not exist as for a wrong second factor, and longer after each failure of the same number.
        Raises what `look_up` raises.
        """
        counting = asyncio.create_task(self._count(Subjects.of(caller, claim)))
        try:
            customer = await look_up()
        finally:
            tried = await counting  # it has its limit, and leaves no task behind
        is_allowed = await self._is_allowed(tried, caller, customer)
        await self.sleep(tried.delay_seconds(self.limits))
        if customer is None or not is_allowed:
            return None
        await self.forgive(tried)
        return customer

    async def count_claim(self, caller: str | None, claim: str) -> IdentificationTries:
        """A try that may have found something out; it counts until it is forgiven.

        Returns after the delay. Raises LedgerUnavailable.
        """
        tried = await self.tries.count_identification(Subjects.of(caller, claim))
        await self.sleep(tried.delay_seconds(self.limits))
        return tried

    async def forgive(self, tried: IdentificationTries) -> None:
        """It was no failure."""
        with suppress(LedgerUnavailable):  # then one failure too many is counted, for a day
            await self.tries.forgive(tried)

    async def _count(self, subjects: Subjects) -> IdentificationTries:
        try:
            return await self.tries.count_identification(subjects)
        except LedgerUnavailable:
            self.notice("identification", "uncounted")
            return IdentificationTries(subjects)

    async def _is_allowed(
        self, tried: IdentificationTries, caller: str | None, customer: Customer | None
    ) -> bool:
        verdict = tried.verdict(self.limits)
        if verdict is IdentificationVerdict.ALLOWED:
            return True
        self.notice("identification", verdict)
        if verdict in (IdentificationVerdict.NUMBER, IdentificationVerdict.HIDDEN):
            return False
        return await self.tries.is_on_file(customer.id if customer else NOBODY, caller or "")


def _was_typed(means: MeansOnHand) -> bool:
    return isinstance(means, CardOnHand) and not means.by_telephone
