"""Tries at cards in both worlds, with a clock that can be put forward."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol
from uuid import uuid4

from ivr.billing.calls import CallArrived
from ivr.billing.invoices import Invoice
from ivr.billing.limiting import Limiting, Tries
from ivr.billing.limits import CardVerdict, Limits
from ivr.billing.payments import (
    Attempt,
    Captured,
    CardOnFile,
    CardOnHand,
    DeclineBucket,
    Refusal,
)
from ivr.storage.limits import PostgresTries
from tests.fakes.tries import FakeTries
from tests.storage.world import FakeWorld, PostgresWorld, World, opened

CAPTURED = Captured("tx1abc", "1000", datetime(2026, 4, 1, 12, tzinfo=UTC))
SOFT = Refusal("2001", "Insufficient Funds", DeclineBucket.SOFT, "tx2abc")
HARD = Refusal("2012", "Processor Declined - Possible Lost Card", DeclineBucket.HARD, "tx3abc")
EXPIRED = Refusal("2004", "Expired Card", DeclineBucket.HARD, "tx4abc")
KEPT = CardOnFile(uuid4(), "visa", "1111", "1230", "vaulted")
NUMBERS = count(34_600_000_000)
CALLS = count(1)
SHIFT = """
WITH a AS (UPDATE attempts SET tried_at = tried_at - $1::interval),
     b AS (UPDATE card_breaker SET opened_at = opened_at - $1::interval,
                                   closed_at = closed_at - $1::interval)
UPDATE identification_tries SET hour = hour - $1::interval"""


def card_hash(number: int) -> str:
    """What the secure process would make of a card, one for each number."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in f"{number:064x}")


class Clock(Protocol):
    async def passes(self, **time: float) -> None:
        """So much time goes by."""
        ...


@dataclass
class FakeClock:
    tries: FakeTries
    ahead: timedelta = timedelta()

    async def passes(self, **time: float) -> None:
        self.ahead += timedelta(**time)
        self.tries.now = lambda: datetime.now(UTC) + self.ahead


@dataclass
class PostgresClock:
    """What has happened is moved into the past."""

    world: PostgresWorld

    async def passes(self, **time: float) -> None:
        await self.world.ask(SHIFT, timedelta(**time))


def clocked(world: World) -> tuple[Tries, Clock]:
    """The counts of a world, and its clock."""
    if isinstance(world, PostgresWorld):
        return PostgresTries(world.database), PostgresClock(world)
    assert isinstance(world, FakeWorld)
    tries = FakeTries(world.company)
    return tries, FakeClock(tries)


@dataclass
class Trying:
    """Callers who try cards, and the limits that watch them."""

    world: World
    limiting: Limiting
    clock: Clock

    @classmethod
    def at(cls, world: World, limits: Limits | None = None) -> Trying:
        tries, clock = clocked(world)
        return cls(world, Limiting(tries, limits or Limits()), clock)

    async def invoice(self) -> Invoice:
        return await self.world.invoice(await self.world.service(await self.world.customer()))

    async def call(self, number: str | None = None) -> CallArrived:
        """A call, from a number of its own unless one is given; empty: hidden."""
        at = next(CALLS)
        caller = f"+{next(NUMBERS)}" if number is None else number or None
        call = CallArrived(
            f"call-{at}", f"channel-{at}", f"sip-{at}", caller, "900", "node", datetime.now(UTC)
        )
        await self.world.calls.arrived(call)
        return call

    async def counted(
        self,
        call: CallArrived | None,
        *invoices: Invoice,
        card: int = 1,
        expires: str = "1230",
    ) -> tuple[Attempt, CardVerdict]:
        """One try, counted and judged, not yet charged."""
        attempt = await opened(self.world, *invoices, call_id=call.id if call else None)
        on_hand = CardOnHand("visa", "1111", expires, "", card_hash=card_hash(card))
        return attempt, await self.limiting.count(attempt.id, on_hand)

    async def tries(
        self,
        call: CallArrived | None,
        *invoices: Invoice,
        card: int = 1,
        expires: str = "1230",
        ends: Refusal | Captured = SOFT,
    ) -> CardVerdict:
        """One try; charged if it may be, with that end."""
        attempt, verdict = await self.counted(call, *invoices, card=card, expires=expires)
        if verdict is not CardVerdict.ALLOWED:
            await self.world.ledger.cancel(attempt.id)
            return verdict
        on_hand = CardOnHand("visa", "1111", expires, f"token-{attempt.id}")
        await self.world.ledger.begin_charging(attempt.id, on_hand)
        if isinstance(ends, Captured):
            await self.world.ledger.captured(
                attempt.id, replace(ends, transaction_id=f"tx{attempt.id.hex}")
            )
        else:
            await self.world.ledger.declined(attempt.id, ends)
        return verdict
