"""Telling what happened: at once, again for days if need be, and never on purpose twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol
from uuid import UUID

from ivr.billing.errors import LedgerUnavailable
from ivr.billing.messages import (
    Arrived,
    Channel,
    Delivery,
    DeliveryState,
    Failed,
    Outcome,
    Skipped,
    pause_seconds,
)

AT_ONCE = 4
"""messages on their way to one target: one that hangs holds up only its own"""
LOOK_SECONDS = 15.0
"""so often we look without being called: for what another node let fall"""
AWAY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)
"""pauses while the database is away"""
WRITE_SECONDS = (0.2, 1.0, 3.0)
"""pauses between tries to write down how a message fared"""
FINISH_SECONDS = 5.0
"""how long what is on its way may take when we stop; the rest is taken back"""


class Deliveries(Protocol):
    """Messages on their way, tried by one node at a time. Every method raises LedgerUnavailable."""

    async def plan(self, channels: Collection[Channel], soap_kinds: Collection[str]) -> bool:
        """Write down to whom the next messages go; True when there may be more of them."""
        ...

    async def claim(
        self, channels: Collection[Channel], busy: Mapping[str, int], most: int, seconds: float
    ) -> list[Delivery]:
        """What is due, for `seconds`: to each target at most so many as are not `busy` there."""
        ...

    async def ended(
        self, delivery: Delivery, state: DeliveryState, why: str | None, answer: str
    ) -> None:
        """It is delivered, skipped or dead."""
        ...

    async def failed(self, delivery: Delivery, why: str, answer: str, pause_seconds: float) -> None:
        """It will be tried again after a pause."""
        ...

    async def release(self, deliveries: Collection[Delivery]) -> None:
        """They were not tried to the end; the next one may have them at once."""
        ...


class Endpoints(Protocol):
    """Where webhooks go. Raises LedgerUnavailable."""

    async def disable(self, endpoint_id: UUID, why: str) -> None:
        """Nothing more goes there until somebody enables it again."""
        ...


class Sender(Protocol):
    """One way to get a message to somebody."""

    async def send(self, delivery: Delivery) -> Outcome:
        """Try once, within limits of its own; it does not raise."""
        ...


class Bell(Protocol):
    """Rings when there is something to tell (storage.bell)."""

    def ring(self) -> None: ...

    async def wait(self, seconds: float) -> None: ...


Told = Callable[[Delivery, DeliveryState, str], None]
"""hears what became of a message, and why"""


class Delivering:
    """Takes what is due, sends it, and writes down how that went."""

    def __init__(
        self,
        deliveries: Deliveries,
        endpoints: Endpoints,
        senders: Mapping[Channel, Sender],
        bell: Bell,
        *,
        soap_kinds: Collection[str] = (),
        lease_seconds: float = 60.0,
        told: Told = lambda *_: None,
    ) -> None:
        """`lease_seconds` must be longer than any sender takes for one message."""
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._senders = senders
        self._bell = bell
        self._soap_kinds = soap_kinds
        self._lease_seconds = lease_seconds
        self._told = told
        self._under_way: dict[asyncio.Task[None], Delivery] = {}

    async def run(self) -> None:
        """Deliver until cancelled; then let what is on its way arrive, for a moment."""
        failures = 0
        try:
            while True:
                try:
                    await self._look()
                    failures = 0
                except LedgerUnavailable:
                    await asyncio.sleep(_jittered(AWAY_SECONDS[min(failures, 4)]))
                    failures += 1
                    continue
                await self._bell.wait(_jittered(LOOK_SECONDS))
        finally:
            await self._finish()

    async def _look(self) -> None:
        while await self._deliveries.plan([*self._senders], self._soap_kinds):
            pass
        busy = Counter(delivery.target for delivery in self._under_way.values())
        for delivery in await self._deliveries.claim(
            [*self._senders], busy, AT_ONCE, self._lease_seconds
        ):
            task = asyncio.create_task(self._deliver(delivery), name="message")
            self._under_way[task] = delivery
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self._bell.ring()  # what waited behind it may go now

    async def _deliver(self, delivery: Delivery) -> None:
        outcome = await self._tried(delivery)
        match outcome:
            case Arrived(answer):
                await self._end(delivery, DeliveryState.DELIVERED, None, answer)
            case Skipped(why):
                await self._end(delivery, DeliveryState.SKIPPED, why, "")
            case Failed(why, answer, for_good, endpoint_gone):
                await self._failed(delivery, why, answer, for_good=for_good)
                if endpoint_gone and delivery.endpoint:
                    gone = delivery.endpoint.id
                    await self._written(lambda: self._endpoints.disable(gone, why))

    async def _tried(self, delivery: Delivery) -> Outcome:
        if delivery.moot:
            return Skipped(delivery.moot)
        sender = self._senders.get(delivery.channel)
        if sender is None:
            return Skipped("nothing is set up to send it with")
        try:
            async with asyncio.timeout(self._lease_seconds * 0.8):
                return await sender.send(delivery)
        except TimeoutError:
            return Failed("it took too long")
        except Exception as error:  # noqa: BLE001 - one message that cannot be sent stops no other
            return Failed(f"unforeseen {type(error).__name__}")

    async def _failed(self, delivery: Delivery, why: str, answer: str, *, for_good: bool) -> None:
        chance = random.random()  # noqa: S311 - spreads tries
        pause = pause_seconds(delivery.attempts, delivery.age_seconds, chance)
        if for_good or pause is None:
            await self._end(delivery, DeliveryState.DEAD, why, answer)
            return
        await self._written(lambda: self._deliveries.failed(delivery, why, answer, pause))
        asyncio.get_running_loop().call_later(pause, self._bell.ring)
        self._told(delivery, DeliveryState.WAITING, why)

    async def _end(
        self, delivery: Delivery, state: DeliveryState, why: str | None, answer: str
    ) -> None:
        await self._written(lambda: self._deliveries.ended(delivery, state, why, answer))
        self._told(delivery, state, why or "")

    @staticmethod
    async def _written(write: Callable[[], Awaitable[None]]) -> None:
        """Write; what cannot be written in the end is tried again when the lease is over."""
        for pause in WRITE_SECONDS:
            try:
                return await write()
            except LedgerUnavailable:
                await asyncio.sleep(_jittered(pause))
        return None

    async def _finish(self) -> None:
        under_way = dict(self._under_way)
        if not under_way:
            return
        _, pending = await asyncio.wait(under_way, timeout=FINISH_SECONDS)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        left = [under_way[task] for task in pending]
        if left:
            await self._written(lambda: self._deliveries.release(left))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads tries
