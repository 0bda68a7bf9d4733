"""One caller's stay in the secure part: request, guard, card, outcome, and the way back."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol
from uuid import UUID

import structlog

from ivr.billing.captures import (
    CaptureOutcome,
    CaptureRequest,
    CaptureResult,
    ErrorType,
)
from ivr.billing.errors import BillingError
from ivr.billing.ports import Captures
from ivr.capture import guard, hardening
from ivr.capture.collecting import Collecting, Progress, SecureHandset
from ivr.capture.facts import FactsMissing
from ivr.capture.fields import Prompts
from ivr.capture.hearing import CardEars, Eyes, Overheard
from ivr.capture.tokenising import Connector
from ivr.dialogue.endings import HungUp, LineError
from ivr.log import about_call
from ivr.telephony.lending import CAPTURE_ALIVE, CAPTURE_ENDED
from ivr.telephony.router import places_of

log = structlog.get_logger(__name__)

CAPTURE_PROGRESS = "SaldoCaptureProgress"
"""user event: variables `capture`, `field`, `masked`, `attempt`, `error_type` (empty when good)"""
RETURNED = "returned"
ALIVE_SECONDS = 4.0
CLOSE_PAUSES_SECONDS = (0.1, 0.3, 0.6, 1.0, 0.0)
CLOSE_LIMIT_SECONDS = 8.0
RETURN_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 0.0)
"""time enough for `saldo serve` to be started again"""

INTERNAL_ERROR = CaptureOutcome(CaptureResult.INTERNAL_ERROR, error_type=ErrorType.INTERNAL_ERROR)
CANCELED = CaptureOutcome(CaptureResult.CANCELED)
CALLER_HUNG_UP = CaptureOutcome(CaptureResult.CALLER_HUNG_UP)


class SecureLine(SecureHandset, Protocol):
    """A caller who was lent to us (`telephony.line.AsteriskLine`)."""

    @property
    def args(self) -> tuple[str, ...]:
        """What the caller came with: "collect" and the capture's id."""
        ...

    @property
    def channel_id(self) -> str: ...

    @property
    def has_left(self) -> bool: ...

    async def move_to(self, app: str, args: Sequence[str]) -> None:
        """Give the caller to another application. Raises LineError, HungUp."""
        ...

    async def transfer_to_agent(self) -> None:
        """Give the caller to the dial plan's agents. Raises LineError, HungUp."""
        ...


Tell = Callable[[str, Mapping[str, str]], Awaitable[None]]
"""Sends `saldo serve` a message of that name with these variables. Raises LineError."""


def by_keys(_channel_id: str) -> CardEars | None:
    """For a company that does not take cards by voice."""
    return None


def today() -> date:
    """By the clock and time zone of this machine."""
    return datetime.now(UTC).astimezone().date()


@dataclass(slots=True)
class Segments:
    """Takes callers in and gives each back, whatever happened."""

    captures: Captures
    eyes: Eyes
    prompts: Prompts
    connector: Connector
    tell: Tell
    serve_app: str
    limit_seconds: float
    clock: Callable[[], date] = today
    ears: Callable[[str], CardEars | None] = by_keys
    """those of a channel"""

    async def take(self, line: SecureLine) -> None:
        """Hold one segment. Raises nothing but CancelledError, after the caller was given back."""
        capture_id = _capture_id(line.args)
        result = CaptureResult.INTERNAL_ERROR
        try:
            result = await self._segment(line, capture_id)
        except asyncio.CancelledError:  # we are stopping, and the limit for that is over
            result = await self._close(capture_id, CANCELED) if capture_id else result
            raise
        finally:
            hardening.forget()
            await self._give_back(line, capture_id, result)

    async def _segment(self, line: SecureLine, capture_id: UUID | None) -> CaptureResult:
        request = await self._request(capture_id)
        if request is None:
            log.error("segment_refused", why="no open capture has this id")
            return CaptureResult.INTERNAL_ERROR
        with about_call(request.call_id):
            outcome = await self._outcome(line, request)
            log.info("segment_over", result=str(outcome.result), error_type=outcome.error_type)
            return await self._close(request.id, outcome)

    async def _request(self, capture_id: UUID | None) -> CaptureRequest | None:
        if capture_id is None:
            return None
        try:
            return await self.captures.request(capture_id)
        except BillingError as error:
            log.warning("capture_not_read", why=str(error))
            return None

    async def _outcome(self, line: SecureLine, request: CaptureRequest) -> CaptureOutcome:
        try:
            if not await self._is_safe(line.channel_id):
                return INTERNAL_ERROR
            async with asyncio.timeout(self.limit_seconds), self._alive(request.id):
                return await self._collecting(line, request).collect()
        except HungUp:
            return CALLER_HUNG_UP
        except TimeoutError:
            return CANCELED
        except Overheard as error:
            log.error("segment_refused", why=error.reasons)  # noqa: TRY400 - its trace says nothing more
            return INTERNAL_ERROR
        except Exception as error:  # noqa: BLE001 - the segment's outer edge: the caller must be given back
            # Its text may be made of what was keyed, and the log's guard knows card numbers only.
            log.error("segment_failed", why=type(error).__name__, where=places_of(error))  # noqa: TRY400
            return INTERNAL_ERROR

    def _collecting(self, line: SecureLine, request: CaptureRequest) -> Collecting:
        async def report(progress: Progress) -> None:
            await self._report(request.id, progress)

        ears = self.ears(line.channel_id)
        return Collecting(line, self.prompts, self.connector, request, self.clock(), report, ears)

    async def _is_safe(self, channel_id: str) -> bool:
        try:
            reasons = guard.doubts(await self.eyes.read(channel_id))
        except FactsMissing as error:
            reasons = [str(error)]
        if reasons:
            log.error("segment_refused", why=reasons)
        return not reasons

    async def _close(self, capture_id: UUID, outcome: CaptureOutcome) -> CaptureResult:
        """Keep the outcome; the result to go back with, an internal error when it was not kept."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT_SECONDS):
                for pause in CLOSE_PAUSES_SECONDS:
                    try:
                        await self.captures.close(capture_id, outcome)
                    except BillingError as error:
                        log.warning("capture_not_closed", why=str(error))
                        await asyncio.sleep(pause * _jitter())
                    else:
                        return outcome.result
        log.error("outcome_lost", result=str(outcome.result))
        return CaptureResult.INTERNAL_ERROR

    async def _give_back(
        self, line: SecureLine, capture_id: UUID | None, result: CaptureResult
    ) -> None:
        args = (RETURNED, str(capture_id or ""), str(result))
        for pause in RETURN_PAUSES_SECONDS:
            try:
                await line.move_to(self.serve_app, args)
            except HungUp:
                await self._tell_ended(capture_id)
                return
            except LineError as error:
                log.warning("caller_not_given_back", why=str(error))
                await asyncio.sleep(pause * _jitter())
            else:
                return
        try:
            await line.transfer_to_agent()
        except (HungUp, LineError) as error:
            log.error("caller_lost", why=str(error))  # noqa: TRY400 - its trace says nothing more

    async def _tell_ended(self, capture_id: UUID | None) -> None:
        ended = {"capture": str(capture_id or ""), "result": str(CaptureResult.CALLER_HUNG_UP)}
        await self._tell_serve(CAPTURE_ENDED, ended)

    async def _report(self, capture_id: UUID, progress: Progress) -> None:
        variables = {
            "capture": str(capture_id),
            "field": str(progress.field),
            "masked": progress.masked,
            "attempt": str(progress.attempt),
            "error_type": str(progress.error_type or ""),
        }
        await self._tell_serve(CAPTURE_PROGRESS, variables)

    @contextlib.asynccontextmanager
    async def _alive(self, capture_id: UUID) -> AsyncIterator[None]:
        """Inside, `saldo serve` is told every few seconds that the caller is in good hands."""

        async def beat() -> None:
            while True:
                await self._tell_serve(CAPTURE_ALIVE, {"capture": str(capture_id)})
                await asyncio.sleep(ALIVE_SECONDS)

        beating = asyncio.create_task(beat(), name=f"alive {capture_id}")
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _tell_serve(self, name: str, variables: Mapping[str, str]) -> None:
        try:
            await self.tell(name, variables)
        except LineError as error:
            log.info("message_not_sent", message=name, why=str(error))


def _capture_id(args: Sequence[str]) -> UUID | None:
    try:
        return UUID(args[1])
    except (IndexError, ValueError):
        return None


def _jitter() -> float:
    return random.uniform(0.5, 1.5)  # noqa: S311 - spreads tries, hides nothing
