"""Builds every part of `saldo serve`, runs them together, and lets running calls end on a stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ivr import parts
from ivr.assisting import Assisted, agents
from ivr.billing.calls import CallEnded, CallOutcome
from ivr.billing.errors import BillingError, LedgerUnavailable
from ivr.billing.paying import Paying
from ivr.billing.payments import PayResult
from ivr.child import Child
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.flows.inbound import inbound
from ivr.dialogue.running import run as hold
from ivr.hearing import (
    Hearing,
    ears,
    keep_names_findable,
    nicknames,
    warn_of_synthetic_ears,
)
from ivr.log import about_call
from ivr.recordings import Recorder
from ivr.settings import Settings
from ivr.speech.name_sounds import NameSounds
from ivr.speech.tts import Tts
from ivr.speech.voice import Voice
from ivr.storage.calls import PostgresCalls
from ivr.storage.captures import PostgresCaptures
from ivr.storage.customers import PostgresDirectory
from ivr.storage.errors import MigrationError
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.migrate import migrate
from ivr.storage.names import PostgresNames
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.storage.services import PostgresServices
from ivr.telephony.ami import Ami
from ivr.telephony.ari import Ari
from ivr.telephony.assisting import told
from ivr.telephony.errors import ApplicationTaken, BadCredentials
from ivr.telephony.line import AsteriskLine
from ivr.telephony.places import SecurePart
from ivr.telephony.router import INBOUND, Router
from ivr.web import api
from ivr.web.server import WebServer, listen

log = structlog.get_logger(__name__)

RECORD_SECONDS = 2.0
"""how long a call waits at most for its record to be opened or closed"""
ABANDONED_SECONDS = 400.0
"""a charge older than this has no task any more: its requests to the gateway and its tries to be
written down are over"""
SWEEP_SECONDS = 30.0
CAPTURE_GRACE_SECONDS = 30.0
"""the secure process ends a segment at its limit itself; after that we fetch the caller back"""


class Metrics:
    """What /metrics shows; never a digit in a label."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.calls = Counter("saldo_calls", "Calls, by outcome", ["outcome"], registry=registry)
        self.active = Gauge("saldo_calls_in_progress", "Calls now", registry=registry)
        self.payments = Counter("saldo_payments", "By result", ["result"], registry=registry)
        self.seconds = Histogram(
            "saldo_call_seconds", "Length of calls", registry=registry,
            buckets=(10, 30, 60, 120, 180, 300, 600, 1800),
        )  # fmt: skip


class Charges:
    """Owns every charge under way, so that no hang-up and no stop cuts one in half."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tasks: set[asyncio.Task[PayResult]] = set()

    def spawn(self, charge: Coroutine[Any, Any, PayResult]) -> asyncio.Task[PayResult]:
        """Start it; it is ours until it ends."""
        task = asyncio.create_task(charge, name="charge")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self) -> None:
        """Return when every charge has ended; each has its own time limits."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[PayResult]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error:
            log.error("charge_failed", exc_info=error)
        result = "Failed" if task.cancelled() or error else type(task.result()).__name__
        self._metrics.payments.labels(result=result).inc()


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


async def run(settings: Settings, config: Path | None) -> None:
    """Take calls until SIGTERM, then let the running ones end.

    Raises:
        BillingError, SpeechError, CannotListen: a setting is wrong; the text says which.
        SystemExit: 1 when the PBX does not accept us, another program took our name there, or the
            database's tables are not ours.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        async with AsyncExitStack() as stack:
            await _serve(settings, config, stack, stopping)
    except* (ApplicationTaken, BadCredentials, MigrationError) as group:
        for error in group.exceptions:
            log.error("stopped", why=str(error))  # noqa: TRY400 - its trace says nothing more
        raise SystemExit(1) from None


async def _serve(
    settings: Settings, config: Path | None, stack: AsyncExitStack, stopping: asyncio.Event
) -> None:
    listening = stack.enter_context(listen(settings.web.host, settings.web.port))
    database = await Database.open(settings.database.url, size=settings.database.pool)
    stack.push_async_callback(database.close)
    hearing = await _hearing(settings, stack)
    recorder = Recorder(settings)
    calls = _calls(settings, stack, database, hearing)
    asterisk = settings.asterisk
    ari = await stack.enter_async_context(
        Ari(asterisk.url, asterisk.user, asterisk.password.get_secret_value())
    )
    async with asyncio.TaskGroup() as tasks:
        ami = _ami(settings)
        child = Child("capture", config) if settings.capture.spawn else None
        secure = SecurePart(
            settings.capture.app,
            settings.capture.limit_seconds + CAPTURE_GRACE_SECONDS,
            is_alive=child.is_alive if child else lambda: True,
        )
        router = Router(
            ari,
            asterisk.app,
            {INBOUND: recorder.recorded(calls.take_call)},
            tasks,
            node=socket.gethostname(),
            agents=agents(settings),
            secure=secure,
            queues=ami,
            on_message=lambda event: told(event, assisted.assisting.heard),
        )
        muting = recorder.connect(ari, router.stream, ami, settings.capture.app)
        assisted = Assisted.of(settings, database, calls.paying, ari, ami, muting, router, secure)
        await hearing.connect(ari, router.stream)
        migrated = asyncio.Event()
        web = WebServer(_api(settings, calls.metrics, database, router, ari, assisted), listening)
        background = [
            tasks.create_task(work, name=name)
            for name, work in {
                "events": router.run(),
                "manager": ami.run(),
                "sweep": _sweep(database, migrated, settings.calls.max_minutes * 60),
                "assisted": assisted.resume(migrated, router.stream.connected),
                "names": keep_names_findable(database, nicknames(), migrated),
                **recorder.work(),
                **({"capture": child.run()} if child else {}),
            }.items()
        ]
        serving = tasks.create_task(web.serve(), name="web")
        log.info("serving", app=asterisk.app, api=settings.web.port)
        await stopping.wait()
        log.info("stopping", calls=router.calls)
        limit = settings.calls.drain_seconds
        await asyncio.gather(router.drain(limit), assisted.stop(limit))
        await recorder.finish()
        web.stop()
        await serving
        for task in background:
            task.cancel()


async def _hearing(settings: Settings, stack: AsyncExitStack) -> Hearing:
    warn_of_synthetic_ears(settings)
    understanding = await asyncio.to_thread(ears, settings)
    if understanding is not None:
        stack.callback(understanding.close)
    return Hearing(understanding)


def _calls(
    settings: Settings, stack: AsyncExitStack, database: Database, hearing: Hearing
) -> Calls:
    gateway = parts.gateway(settings)
    stack.push_async_callback(gateway.aclose)
    metrics = Metrics()
    charges = Charges(metrics)
    stack.push_async_callback(charges.finish)
    tts = Tts(settings.speech.workers)
    stack.push_async_callback(tts.aclose)
    pronouncer = NameSounds()
    stack.push_async_callback(pronouncer.aclose)
    desk = Desk(
        directory=PostgresDirectory(database),
        invoices=PostgresInvoices(database),
        captures=PostgresCaptures(database),
        paying=Paying(PostgresLedger(database), gateway, charges.spawn),
        brands=settings.capture.brands,
        postal_code_length=settings.company.postal_code_length,
        names=PostgresNames(database, pronouncer, nicknames()),
    )
    voice = parts.voice(settings, tts)
    _look_for_sounds(voice)
    return Calls(
        PostgresCalls(database),
        voice,
        desk,
        metrics,
        hearing,
        language=settings.company.language,
        limit_seconds=settings.calls.max_minutes * 60,
    )


def _look_for_sounds(voice: Voice) -> None:
    """Say so when a fixed sound was never made: callers would hear silence in its place."""
    missing = [each.ulaw for _, each in voice.all_segments() if not each.ulaw.exists()]
    if missing:
        todo = "run `saldo prompts build`: callers hear silence instead"
        log.error("sounds_missing", sounds=len(missing), first=str(missing[0]), todo=todo)


def _ami(settings: Settings) -> Ami:
    asterisk = settings.asterisk
    return Ami(
        asterisk.ami_host,
        asterisk.ami_port,
        asterisk.ami_user,
        asterisk.ami_secret.get_secret_value(),
    )


def _api(
    settings: Settings,
    metrics: Metrics,
    database: Database,
    router: Router,
    ari: Ari,
    assisted: Assisted,
) -> FastAPI:
    async def postgres() -> bool:
        try:
            await database.row("answers")
        except LedgerUnavailable:
            return False
        return True

    async def asterisk() -> bool:
        return router.is_connected

    async def capture() -> bool:
        return router.is_connected and await ari.application(settings.capture.app) is not None

    sources = api.Sources(
        readers={
            "customers": PostgresDirectory(database).recent,
            "services": PostgresServices(database).recent,
            "invoices": PostgresInvoices(database).recent,
            "payments": PostgresPayments(database).recent,
            "calls": PostgresCalls(database).recent,
        },
        checks={"database": postgres, "asterisk": asterisk, "capture": capture},
        metrics=metrics.registry,
        api_key=settings.web.api_key.get_secret_value(),
        assisting=assisted.assisting,
        agent_key=settings.web.agent_key.get_secret_value(),
    )
    return api.build(sources)


async def _sweep(database: Database, migrated: asyncio.Event, longest_call_seconds: float) -> None:
    """Bring the schema up to date, then settle now and then what a crash left behind.

    Calls go on whatever the database does; only tables that are not ours end the daemon.
    """
    ledger, calls = PostgresLedger(database), PostgresCalls(database)
    while True:
        try:
            if not migrated.is_set():
                await migrate(database)
                migrated.set()
            if found := await ledger.abandoned(ABANDONED_SECONDS):
                log.warning("charges_abandoned", attempts=len(found))
            if left := await calls.abandoned(longest_call_seconds + ABANDONED_SECONDS):
                log.warning("calls_left_open", calls=len(left))
        except MigrationError:
            raise
        except LedgerUnavailable as error:
            log.warning("database_away", why=str(error))
        except BillingError as error:
            log.error("sweep_failed", why=str(error))  # noqa: TRY400 - its trace says nothing more
        await asyncio.sleep(SWEEP_SECONDS)
