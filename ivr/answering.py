"""Takes every call: its record, its conversation, what became of it, and the charges it began."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import structlog

from ivr.billing.calls import CallEnded, CallOutcome
from ivr.billing.errors import BillingError
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.flows.inbound import inbound
from ivr.dialogue.running import run as hold
from ivr.hearing import Hearing
from ivr.keeping import delete_removed_cards
from ivr.log import about_call
from ivr.metrics import Metrics
from ivr.owning import Work
from ivr.speech.voice import Voice
from ivr.storage.calls import PostgresCalls
from ivr.telephony.line import AsteriskLine

log = structlog.get_logger(__name__)

RECORD_SECONDS = 2.0
"""how long a call waits at most for its record to be opened or closed"""


def charges(metrics: Metrics) -> Work:
    """Owns every charge under way, so that no hang-up and no stop cuts one in half."""

    def ended(charge: asyncio.Task[Any]) -> None:
        error = None if charge.cancelled() else charge.exception()
        if error:
            log.error("charge_failed", exc_info=error)
        result = "Failed" if charge.cancelled() or error else type(charge.result()).__name__
        metrics.payments.labels(result=result).inc()

    return Work("charge", ended)


class Calls:
    """Takes every call: its record, its conversation, and what became of it."""

    def __init__(
        self,
        records: PostgresCalls,
        voice: Voice,
        desk: Desk,
        metrics: Metrics,
        hearing: Hearing,
        *,
        language: str,
        limit_seconds: float,
    ) -> None:
        self.metrics = metrics
        self.paying = desk.paying
        self._limit_seconds = limit_seconds
        self._records = records
        self._voice = voice
        self._desk = desk
        self._hearing = hearing
        self._language = language

    def work(self, migrated: asyncio.Event) -> dict[str, Coroutine[Any, Any, None]]:
        """What goes on beside the calls, by name."""
        if self._desk.keeping is None:
            return {}
        return {"cards": delete_removed_cards(self._desk.keeping, migrated)}

    async def take_call(self, line: AsteriskLine) -> None:
        """Hold one conversation to its end, whatever that is."""
        call = Call(line, self._voice, self._language, self._hearing.of(line.arrived.channel_id))
        outcome = CallOutcome.FAILED
        with about_call(call.id), self.metrics.active.track_inprogress():
            await self._record("opened", self._records.arrived(line.arrived))
            log.info("call", dialled=line.arrived.dialled, hidden=line.arrived.caller is None)
            try:
                async with asyncio.timeout(self._limit_seconds):
                    outcome = await hold(call, lambda each: inbound(each, self._desk))
            except TimeoutError:
                log.warning("call_too_long", seconds=self._limit_seconds)
                outcome = call.settled or outcome
            finally:
                for failure in call.failures:
                    log.error("call_trouble", exc_info=failure)
                await self._over(call, outcome)

    async def _over(self, call: Call, outcome: CallOutcome) -> None:
        ended = CallEnded(
            outcome=outcome,
            language=call.language,
            customer_id=call.customer.id if call.customer else None,
            at=datetime.now(UTC),
            trail=call.trail,
        )
        seconds = (ended.at - call.line.arrived.at).total_seconds()
        self.metrics.calls.labels(outcome=outcome).inc()
        self.metrics.seconds.observe(seconds)
        log.info("call_over", outcome=str(outcome), seconds=round(seconds, 1))
        await self._record("closed", self._records.ended(call.id, ended))

    async def _record(self, what: str, write: Coroutine[Any, Any, None]) -> None:
        """A record that cannot be kept must not cost the caller the call."""
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                await write
        except (BillingError, TimeoutError) as error:  # away, or refusing: not migrated yet
            log.warning("call_record_lost", what=what, why=str(error) or "no answer in time")
