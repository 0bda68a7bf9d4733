"""One caller's stay in the secure part: request, guard, card, outcome, and the way back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Protocol
from uuid import UUID

import structlog

from ivr.billing.captures import CaptureOutcome, CaptureRequest, CaptureResult
from ivr.billing.ports import Captures
from ivr.capture import hardening, keeping
from ivr.capture.collecting import Collecting
from ivr.capture.entering import Entering, SecureHandset
from ivr.capture.fields import Prompts
from ivr.capture.hearing import CardEars, Eyes, Overheard
from ivr.capture.keeping import CALLER_HUNG_UP, CANCELED, INTERNAL_ERROR, jitter
from ivr.capture.looking import look
from ivr.capture.telling import Tell, Telling
from ivr.capture.tokenising import Connector
from ivr.dialogue.endings import HungUp, LineError
from ivr.log import about_call
from ivr.telephony.router import places_of

log = structlog.get_logger(__name__)

RETURNED = "returned"
RETURN_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 0.0)
"""time enough for `saldo serve` to be started again"""


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
    limit_seconds: float
    serve_app: str
    clock: Callable[[], date] = today
    ears: Callable[[str], CardEars | None] = by_keys
    """those of a channel"""

    async def take(self, line: SecureLine) -> None:
        """Hold one segment. Raises nothing but CancelledError, after the caller was given back."""
        capture_id = keeping.capture_id_of(line.args)
        result = CaptureResult.INTERNAL_ERROR
        try:
            result = await self._segment(line, capture_id)
        except asyncio.CancelledError:  # we are stopping, and the limit for that is over
            if capture_id is not None:
                result = await keeping.close(self.captures, capture_id, CANCELED)
            raise
        finally:
            hardening.forget()
            await self._give_back(line, capture_id, result)

    async def _segment(self, line: SecureLine, capture_id: UUID | None) -> CaptureResult:
        request = await keeping.read(self.captures, capture_id)
        if request is None:
            log.error("segment_refused", why="no open capture has this id")
            return CaptureResult.INTERNAL_ERROR
        with about_call(request.call_id):
            outcome = await self._outcome(line, request)
            log.info("segment_over", result=str(outcome.result), error_type=outcome.error_type)
            return await keeping.close(self.captures, request.id, outcome)

    async def _outcome(self, line: SecureLine, request: CaptureRequest) -> CaptureOutcome:
        try:
            alive = Telling(self.tell, request.id).alive()
            async with asyncio.timeout(self.limit_seconds), alive:
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
        entering = Entering(
            line,
            self.prompts,
            request,
            self.clock(),
            self.connector.takes,
            partial(look, self.eyes, line.channel_id),
            None if request.holder else self.ears(line.channel_id),
        )
        return Collecting(entering, self.connector, Telling(self.tell, request.id).progress)

    async def _give_back(
        self, line: SecureLine, capture_id: UUID | None, result: CaptureResult
    ) -> None:
        args = (RETURNED, str(capture_id or ""), str(result))
        for pause in RETURN_PAUSES_SECONDS:
            try:
                await line.move_to(self.serve_app, args)
            except HungUp:
                if capture_id is not None:
                    await Telling(self.tell, capture_id).ended(CaptureResult.CALLER_HUNG_UP)
                return
            except LineError as error:
                log.warning("caller_not_given_back", why=str(error))
                await asyncio.sleep(pause * jitter())
            else:
                return
        try:
            await line.transfer_to_agent()
        except (HungUp, LineError) as error:
            log.error("caller_lost", why=str(error))  # noqa: TRY400 - its trace says nothing more
