"""What `saldo serve` is told of a capture while it goes on: signs of life, progress, the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog

from ivr.billing.assisted_captures import FieldState
from ivr.billing.captures import CaptureField, CaptureResult, ErrorType
from ivr.dialogue.endings import LineError
from ivr.telephony.lending import CAPTURE_ALIVE, CAPTURE_ENDED, CAPTURE_PROGRESS

log = structlog.get_logger(__name__)

ALIVE_SECONDS = 4.0

Tell = Callable[[str, Mapping[str, str]], Awaitable[None]]
"""Sends `saldo serve` a message of that name with these variables. Raises LineError."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A field went on; safe to show to anybody."""

    field: CaptureField
    masked: str
    attempt: int
    error_type: ErrorType | None = None
    state: FieldState = FieldState.GOOD


@dataclass(frozen=True, slots=True)
class Telling:
    """Messages about one capture; one that does not arrive is no reason to stop."""

    tell: Tell
    capture_id: UUID

    async def progress(self, progress: Progress) -> None:
        """How far a field is."""
        await self._send(
            CAPTURE_PROGRESS,
            field=str(progress.field),
            state=str(progress.state),
            masked=progress.masked,
            attempt=str(progress.attempt),
            error_type=str(progress.error_type or ""),
        )

    async def ended(self, result: CaptureResult) -> None:
        """It is over, and its outcome is written down."""
        await self._send(CAPTURE_ENDED, result=str(result))

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Inside, `saldo serve` is told every few seconds that the caller is in good hands."""

        async def beat() -> None:
            while True:
                await self._send(CAPTURE_ALIVE)
                await asyncio.sleep(ALIVE_SECONDS)

        beating = asyncio.create_task(beat(), name=f"alive {self.capture_id}")
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _send(self, name: str, **variables: str) -> None:
        try:
            await self.tell(name, {"capture": str(self.capture_id), **variables})
        except LineError as error:
            log.info("message_not_sent", message=name, why=str(error))
