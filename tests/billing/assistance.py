"""An agent's desk in virtual time, a company with one invoice, and the secure process played."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

from ivr.billing.assisted_captures import (
    AssistedCapture,
    FieldProgress,
    FieldState,
    Wanted,
)
from ivr.billing.assisting import Assisting
from ivr.billing.captures import CARD_FIELDS, CaptureOutcome, CaptureResult
from ivr.billing.limiting import Limiting
from ivr.billing.paying import Paying
from ivr.billing.payments import CardOnHand, PayResult
from ivr.billing.watching import Watching
from tests.fakes.gateway import FakeGateway
from tests.fakes.storage import (
    FakeAssistedCaptures,
    FakeCaptures,
    FakeCompany,
    FakeDirectory,
    FakeInvoices,
    FakeLedger,
)
from tests.fakes.talks import TALK, FakeTalks
from tests.fakes.tries import FakeTries
from tests.fakes.virtual_time import VirtualTimeLoop

T = TypeVar("T")
LIMIT_SECONDS = 630.0


class Assistance:
    """One daemon; `again()` is the next one after it died."""

    def __init__(self) -> None:
        self.company = FakeCompany()
        self.customer = self.company.customer(language="es")
        self.invoice = self.company.invoice(self.company.service(self.customer))
        self.talks = FakeTalks()
        self.gateway = FakeGateway()
        self.captures = FakeCaptures(self.company)
        self.tries = FakeTries(self.company)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.assisting = self._daemon()

    def _daemon(self) -> Assisting:
        records = FakeAssistedCaptures(self.company)
        limiting = Limiting(self.tries)
        paying = Paying(FakeLedger(self.company), self.gateway, self._charge, limiting)
        return Assisting(
            records=records,
            talks=self.talks,
            directory=FakeDirectory(self.company),
            invoices=FakeInvoices(self.company),
            watching=Watching(self.captures, records, self.talks, paying, LIMIT_SECONDS),
            spawn=self._spawn,
            daemon="saldo",
            brands=("visa",),
            language="en",
        )

    async def again(self) -> int:
        """The daemon dies at once and another one begins; how many captures it takes up."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.assisting = self._daemon()
        return await self.assisting.resume()

    async def begun(self, key: str = "key-1", *, pays: bool = False, **more: Any) -> UUID:
        """A capture that the secure process has taken up."""
        invoices = (self.invoice.number,) if pays else ()
        wanted = Wanted(key, TALK.caller.channel_id, invoices=invoices, **more)
        capture = await self.assisting.begin(wanted)
        self.assisting.heard(capture.id)
        return capture.id

    def enters(self, capture_id: UUID) -> None:
        """All fields good."""
        for field in CARD_FIELDS:
            self.assisting.heard(capture_id, field, FieldProgress(FieldState.GOOD, "•", 1))

    async def ends(
        self,
        capture_id: UUID,
        result: CaptureResult,
        *,
        quietly: bool = False,
        card_hash: str = "a" * 64,
    ) -> None:
        """The secure process writes the outcome, gives both back, and tells."""
        card = None
        if result is CaptureResult.SUCCESS:
            card = CardOnHand("visa", "1111", "1230", self.gateway.token(), card_hash=card_hash)
        await self.captures.close(capture_id, CaptureOutcome(result, card))
        if TALK in self.talks.held:
            self.talks.held.remove(TALK)
        if not quietly:
            self.assisting.heard(capture_id, is_ended=True)

    async def over(self, capture_id: UUID) -> AssistedCapture:
        """How it is when nothing will change any more."""
        return [each async for each in self.assisting.changes(capture_id)][-1]

    def _spawn(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _charge(self, charge: Coroutine[Any, Any, PayResult]) -> asyncio.Task[PayResult]:
        return asyncio.create_task(charge)


def in_virtual_time(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work)
