"""A card asked for while an agent talks with the caller: begun, commanded, shown."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Coroutine
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4

from ivr.billing.allocating import Chosen
from ivr.billing.assisted_captures import (
    AssistedCapture,
    CaptureStatus,
    CardPayment,
    FieldProgress,
    PaymentStatus,
    Talk,
    Wanted,
    untouched,
)
from ivr.billing.captures import CaptureField, CaptureRequest
from ivr.billing.choosing import payable
from ivr.billing.customers import Customer
from ivr.billing.errors import (
    CaptureError,
    CaptureNotFound,
    KeyUsedBefore,
    LedgerUnavailable,
    NotNow,
    TalkUnreachable,
    TriedTooOften,
)
from ivr.billing.limits import CardVerdict
from ivr.billing.methods import Method
from ivr.billing.payments import Attempt
from ivr.billing.ports import AssistedCaptures, Directory, Invoices, Talks
from ivr.billing.terms import Terms
from ivr.billing.watching import CANCEL_SECONDS, RETURN_SECONDS, Watched, Watching

T = TypeVar("T")

KEEP_ALIVE_SECONDS = 15.0
"""how often an unchanged capture is shown again, so that nobody takes the line for dead"""
STILL_CHARGED_SECONDS = 300.0
"""a card that was completed longer ago than this, before we died, is not charged any more"""
SECURITY_CODE_MASK = "•••"
"""for any security code: its length says which brand the card is of"""


class Spawn(Protocol):
    """Starts a task that belongs to the app, so that no request that ends cuts it short."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]: ...


@dataclass(slots=True)
class Assisting:
    """Every capture with an agent that this daemon watches."""

    records: AssistedCaptures
    talks: Talks
    directory: Directory
    invoices: Invoices
    watching: Watching
    spawn: Spawn
    daemon: str
    """our node and application name"""
    brands: tuple[str, ...]
    language: str
    """of the company"""
    terms: Terms = field(default_factory=Terms)
    """how small a part may be paid, and what paying costs"""
    _running: dict[UUID, Watched] = field(default_factory=dict, init=False)
    _is_stopping: bool = field(default=False, init=False)
    _one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    # --- what an agent wants

    async def calls(self) -> list[Talk]:
        """The talks that a card could be asked for in. Raises TalkUnreachable."""
        return await self.talks.going_on()

    async def begin(self, wanted: Wanted) -> AssistedCapture:
        """Take both ends of a talk into the secure part; the same key gives the same capture.

        Raises:
            CaptureError: why not.
            LedgerUnavailable: nothing was begun.
        """
        return await asyncio.shield(self.spawn(self._begin(wanted)))

    async def find(self, capture_id: UUID) -> AssistedCapture:
        """One capture as it is now. Raises CaptureNotFound, LedgerUnavailable."""
        watched = self._running.get(capture_id)
        found = watched.now if watched else await self.records.find(capture_id)
        if found is None:
            raise CaptureNotFound("there is no capture of this id")
        return found

    async def changes(self, capture_id: UUID) -> AsyncIterator[AssistedCapture]:
        """The capture now and at each change, until nothing will change any more.

        Unchanged it comes again every 15 s. Raises CaptureNotFound, LedgerUnavailable.
        """
        watched = self._running.get(capture_id)
        if watched is None:
            yield await self.find(capture_id)
            return
        while True:
            changed, is_over = watched.changed, watched.is_over
            yield watched.now
            if is_over:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await changed.wait()

    async def ask(self, capture_id: UUID, asked: CaptureField) -> AssistedCapture:
        """Ask the caller for a field, also for one that is good already. Raises CaptureError."""
        watched = await self._open_one(capture_id)
        if asked not in watched.now.fields:
            fields = ", ".join(watched.now.fields)
            raise NotNow(f"this capture was not begun for {asked}: ask for one of {fields}")
        await self.talks.tell(capture_id, "ask", asked)
        return watched.now

    async def complete(self, capture_id: UUID) -> AssistedCapture:
        """Have the card made into a token, and charged if invoices were named.

        Raises CaptureError; nothing is wrong with completing twice.
        """
        now = await self.find(capture_id)
        if now.status is CaptureStatus.COMPLETE:
            return now
        watched = await self._open_one(capture_id)
        if missing := watched.now.required:
            raise NotNow(f"still to be entered: {', '.join(missing)}")
        await self.talks.tell(capture_id, "complete")
        return watched.now

    async def cancel(self, capture_id: UUID) -> AssistedCapture:
        """End it; the talk goes on. Harmless when it is over. Raises CaptureNotFound."""
        watched = self._running.get(capture_id)
        if watched is None or watched.now.outcome is not None:
            return await self.find(capture_id)
        watched.cancel()
        with contextlib.suppress(TalkUnreachable):  # then it is ended without the secure process
            await self.talks.tell(capture_id, "cancel")
        return watched.now

    # --- what the secure process tells

    def heard(
        self,
        capture_id: UUID,
        about: CaptureField | None = None,
        progress: FieldProgress | None = None,
        *,
        is_ended: bool = False,
    ) -> None:
        """A sign of life, the progress of a field, or the end; never waits."""
        watched = self._running.get(capture_id)
        if watched is None:
            return
        if about is CaptureField.SECURITY_CODE and progress and progress.masked:
            progress = FieldProgress(
                progress.state, SECURITY_CODE_MASK, progress.attempt, progress.error_type
            )
        watched.heard(about, progress, is_ended=is_ended)

    # --- what the daemon does

    async def resume(self) -> int:
        """Watch what the daemon before us left; how many that are. Raises LedgerUnavailable."""
        left = await self.records.unfinished(self.daemon, STILL_CHARGED_SECONDS)
        for capture in left:
            if capture.id not in self._running:
                self._watch(Watched(capture))
        return len(left)

    async def stop(self, limit_seconds: float) -> None:
        """Begin no more; return when all are over. Those that are not by the limit are canceled."""
        self._is_stopping = True
        await self._all_over(limit_seconds)
        for capture_id in list(self._running):
            await self.cancel(capture_id)
        await self._all_over(CANCEL_SECONDS + RETURN_SECONDS)
        for watched in self._running.values():
            watched.end()  # whoever is shown it learns that we are going

    # --- how

    async def _all_over(self, limit_seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_seconds):
                for watched in list(self._running.values()):
                    while not watched.is_over:
                        await watched.changed.wait()

    async def _begin(self, wanted: Wanted) -> AssistedCapture:
        async with self._one_by_one:
            digest = _digest(wanted)
            before = await self.records.of_key(wanted.key)
            if before is not None:
                return self._same(before, digest)
            talk = await self._free_talk(wanted)
            customer, chosen = await payable(
                self.directory,
                self.invoices,
                self.terms,
                account=wanted.account,
                numbers=wanted.invoices,
                amount=wanted.amount,
            )
            capture = await self._opened(wanted, digest, talk, customer, chosen)
            watched = Watched(capture)
            self._running[capture.id] = watched
            try:
                await self._look_at_limits(capture)
                await self.talks.lend(talk, capture.id)
            except (CaptureError, LedgerUnavailable):
                await self.watching.abandon(watched)
                del self._running[capture.id]
                raise
            self._watch(watched)
            return watched.now

    def _same(self, before: AssistedCapture, digest: str) -> AssistedCapture:
        if before.digest != digest:
            raise KeyUsedBefore("this Idempotency-Key was used for another request: take a new one")
        watched = self._running.get(before.id)
        if watched is None and before.outcome is None and before.daemon == self.daemon:
            watched = Watched(before)  # kept, though the database did not say so: nobody was lent
            self._watch(watched)
        return watched.now if watched else before

    async def _look_at_limits(self, capture: AssistedCapture) -> None:
        """Before the caller keys a card for nothing. Raises TriedTooOften, LedgerUnavailable."""
        limiting = self.watching.paying.limiting
        if limiting is None or capture.attempt is None:
            return
        verdict = await limiting.may_try(capture.attempt.id)
        if verdict is CardVerdict.BREAKER:
            raise TriedTooOften("cards are not taken for a while: too many were declined")
        if verdict is not CardVerdict.ALLOWED:
            raise TriedTooOften("declined too often: offer a link, or try again tomorrow")

    async def _free_talk(self, wanted: Wanted) -> Talk:
        if self._is_stopping:
            raise TalkUnreachable("saldo is being stopped: try again in a minute")
        if await self.talks.is_secure_part_away():
            raise TalkUnreachable("the secure process is not running: no card can be taken now")
        return await self.talks.find(wanted.channel, wanted.agent_channel)

    async def _opened(
        self,
        wanted: Wanted,
        digest: str,
        talk: Talk,
        customer: Customer | None,
        chosen: Chosen | None,
    ) -> AssistedCapture:
        """The capture, kept: the payment first, and nothing is sent anywhere yet."""
        capture_id = uuid4()
        attempt = await self._attempt(capture_id, chosen) if chosen else None
        capture = AssistedCapture(
            request=CaptureRequest(
                id=capture_id,
                call_id=capture_id.hex,
                language=wanted.language or (customer.language if customer else self.language),
                fields=wanted.fields,
                brands=self.brands,
            ),
            talk=talk,
            key=wanted.key,
            digest=digest,
            daemon=self.daemon,
            fields=untouched(wanted.fields),
            attempt=attempt,
            payment=_waiting(attempt) if attempt else None,
        )
        if not await self.records.open(capture):
            if attempt is not None:
                await self.watching.paying.cancel(attempt)
            raise KeyUsedBefore("another daemon has just begun a capture with this Idempotency-Key")
        return capture

    async def _attempt(self, capture_id: UUID, chosen: Chosen) -> Attempt:
        return await self.watching.paying.open(
            chosen.invoices[0].customer_id,
            chosen.invoices,
            capture_id.hex,
            amounts=chosen.amounts,
            fee=self.terms.fees.of(Method.CARD, chosen.amount),
        )

    async def _open_one(self, capture_id: UUID) -> Watched:
        watched = self._running.get(capture_id)
        if watched is None:
            now = await self.find(capture_id)
            raise NotNow(f"this capture is over, or watched by another daemon: it is {now.status}")
        if watched.now.status is not CaptureStatus.OPEN:
            raise NotNow(f"this capture is {watched.now.status}, not open")
        return watched

    def _watch(self, watched: Watched) -> None:
        self._running[watched.now.id] = watched
        self.spawn(self._follow(watched))

    async def _follow(self, watched: Watched) -> None:
        try:
            await self.watching.follow(watched)
        finally:
            del self._running[watched.now.id]


def _waiting(attempt: Attempt) -> CardPayment:
    return CardPayment(PaymentStatus.WAITING, attempt.amount, attempt.fee)


def _digest(wanted: Wanted) -> str:
    """Of everything that was asked for, but its key."""
    asked = {**asdict(wanted), "key": "", "amount": str(wanted.amount or "")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
