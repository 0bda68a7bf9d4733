"""The table both processes share, from the secure side: read a request, keep an outcome."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from uuid import UUID

import structlog

from ivr.billing.captures import CaptureOutcome, CaptureRequest, CaptureResult, ErrorType
from ivr.billing.errors import BillingError
from ivr.billing.ports import Captures

log = structlog.get_logger(__name__)

CLOSE_PAUSES_SECONDS = (0.1, 0.3, 0.6, 1.0, 0.0)
CLOSE_LIMIT_SECONDS = 8.0

INTERNAL_ERROR = CaptureOutcome(CaptureResult.INTERNAL_ERROR, error_type=ErrorType.INTERNAL_ERROR)
CANCELED = CaptureOutcome(CaptureResult.CANCELED)
CALLER_HUNG_UP = CaptureOutcome(CaptureResult.CALLER_HUNG_UP)


def capture_id_of(args: Sequence[str]) -> UUID | None:
    """The capture that a channel came for: its second argument; None when that is none."""
    try:
        return UUID(args[1])
    except (IndexError, ValueError):
        return None


async def read(captures: Captures, capture_id: UUID | None) -> CaptureRequest | None:
    """What to collect; None when there is no such open capture, or nobody can say."""
    if capture_id is None:
        return None
    try:
        return await captures.request(capture_id)
    except BillingError as error:
        log.warning("capture_not_read", why=str(error))
        return None


async def close(captures: Captures, capture_id: UUID, outcome: CaptureOutcome) -> CaptureResult:
    """Keep the outcome; its result, or an internal error when it could not be kept."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_LIMIT_SECONDS):
            for pause in CLOSE_PAUSES_SECONDS:
                try:
                    await captures.close(capture_id, outcome)
                except BillingError as error:
                    log.warning("capture_not_closed", why=str(error))
                    await asyncio.sleep(pause * jitter())
                else:
                    return outcome.result
    log.error("outcome_lost", result=str(outcome.result))
    return CaptureResult.INTERNAL_ERROR


def jitter() -> float:
    """A factor for pauses, so that many who wait do not come back together."""
    return random.uniform(0.5, 1.5)  # noqa: S311 - spreads tries, hides nothing
