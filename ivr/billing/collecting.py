"""Getting a card from the caller without ever seeing its digits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from ivr.billing.captures import CaptureOutcome, CaptureRequest, CaptureResult, ErrorType
from ivr.billing.ports import Captures

NO_ANSWER = CaptureOutcome(CaptureResult.INTERNAL_ERROR, error_type=ErrorType.INTERNAL_ERROR)


async def collect(
    captures: Captures, request: CaptureRequest, enter: Callable[[UUID], Awaitable[None]]
) -> CaptureOutcome:
    """Ask, let the caller into the secure part, and read how it ended.

    `enter` returns when the caller is back; a secure part that came back without writing an
    outcome is closed as an internal error. Raises LedgerUnavailable, and what `enter` raises.
    """
    await captures.open(request)
    await enter(request.id)
    outcome = await captures.outcome(request.id)
    if outcome is None:
        await captures.close(request.id, NO_ANSWER)
        outcome = await captures.outcome(request.id)
    return outcome or NO_ANSWER
