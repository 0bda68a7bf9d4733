"""Builds every part of `saldo serve`, runs them together, and lets running calls end on a stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter

from ivr import comparing, debiting, online_paying, parts, resolving, telling, tidying
from ivr.answering import Calls, charges
from ivr.api_keys import api_keys
from ivr.assisting import Assisted, agents
from ivr.beating import beating
from ivr.billing.errors import BillingError, LedgerUnavailable
from ivr.billing.keeping import Keeping
from ivr.billing.methods import Method
from ivr.billing.paying import Paying
from ivr.child import Child
from ivr.dialogue.desk import Desk
from ivr.hearing import (
    Hearing,
    ears,
    keep_names_findable,
    nicknames,
    warn_of_synthetic_ears,
)
from ivr.limiting import Limited, promising
from ivr.metrics import Metrics
from ivr.recordings import Recorder
from ivr.refunding import Office
from ivr.settings import Settings
from ivr.speech.name_sounds import NameSounds
from ivr.speech.tts import Tts
from ivr.speech.voice import Voice
from ivr.storage.calls import PostgresCalls
from ivr.storage.captures import PostgresCaptures
from ivr.storage.cards_on_file import PostgresCardsOnFile
from ivr.storage.customers import PostgresDirectory
from ivr.storage.daemons import PostgresDaemons
from ivr.storage.errors import MigrationError
from ivr.storage.events import PostgresEvents
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.migrate import migrate
from ivr.storage.names import PostgresNames
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.storage.promises import PostgresPromises
from ivr.storage.reports import PostgresReports
from ivr.storage.resolving import ABANDONED_SECONDS
from ivr.storage.services import PostgresServices
from ivr.telephony.ami import Ami
from ivr.telephony.ari import Ari
from ivr.telephony.assisting import told
from ivr.telephony.errors import ApplicationTaken, BadCredentials
from ivr.telephony.places import SecurePart
from ivr.telephony.router import INBOUND, Router
from ivr.web import api, payments, reports
from ivr.web.server import WebServer, listen

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 30.0
CAPTURE_GRACE_SECONDS = 30.0
"""the secure process ends a segment at its limit itself; after that we fetch the caller back"""


async def run(settings: Settings, config: Path | None) -> None:
    """Take calls until SIGTERM, then let the running ones end.

    Raises:
        BillingError, SpeechError, CannotListen, PayPageError: a setting is wrong; the text says
            which.
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
    database, daemon = await _database(settings, stack)
    hearing = await _hearing(settings, stack)
    recorder = Recorder(settings)
    calls = _calls(settings, stack, database, daemon, hearing, recorder)
    ari = await stack.enter_async_context(_ari(settings))
    office = Office(settings, stack, database)
    pages = [office.routes(api_keys(settings)), debiting.routes(settings, stack, database)]
    pages += online_paying.pages(settings, stack, database, calls.paying)
    async with asyncio.TaskGroup() as tasks:
        ami = _ami(settings)
        child = Child("capture", config) if settings.capture.spawn else None
        secure = _secure_part(settings, child)
        router = Router(
            ari,
            settings.asterisk.app,
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
        web = _web(settings, calls.metrics, database, router, ari, assisted, pages, listening)
        background = [
            tasks.create_task(work, name=name)
            for name, work in {
                "events": router.run(),
                "manager": ami.run(),
                "sweep": _sweep(database, migrated, settings.calls.max_minutes * 60),
                "assisted": assisted.resume(migrated, router.stream.connected),
                "limits": Limited.of(settings, database, calls.metrics).watch(migrated),
                "messages": telling.deliver(settings, calls.metrics, ari, migrated),
                "refunds": office.resolve(migrated),
                "tidying": tidying.tidy(settings.tidying, database, migrated),
                "names": keep_names_findable(database, nicknames(), migrated),
                **recorder.work(),
                **({"capture": child.run()} if child else {}),
                **calls.work(migrated),
                **_afterwards(settings, stack, database, daemon, calls.metrics, recorder, migrated),
            }.items()
        ]
        serving = tasks.create_task(web.serve(), name="web")
        log.info("serving", app=settings.asterisk.app, api=settings.web.port)
        await stopping.wait()
        log.info("stopping", calls=router.calls)
        limit = settings.calls.drain_seconds
        await asyncio.gather(router.drain(limit), assisted.stop(limit))
        await recorder.finish()
        web.stop()
        await serving
        _cancel(background)


def _afterwards(
    settings: Settings,
    stack: AsyncExitStack,
    database: Database,
    daemon: UUID,
    metrics: Metrics,
    recorder: Recorder,
    migrated: asyncio.Event,
) -> dict[str, Coroutine[Any, Any, None]]:
    """What is done about payments after their calls, by name."""
    return {
        **resolving.work(settings, stack, database, daemon, metrics, migrated),
        **comparing.work(settings, stack, database, daemon, metrics, migrated),
        **debiting.work(settings, stack, database, recorder.clips, migrated),
    }


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _database(settings: Settings, stack: AsyncExitStack) -> tuple[Database, UUID]:
    """The database, and who we are in there as long as we are heard of."""
    database = await Database.open(settings.database.url, size=settings.database.pool)
    stack.push_async_callback(database.close)
    daemon = uuid4()
    node, app = socket.gethostname(), settings.asterisk.app
    await stack.enter_async_context(beating(PostgresDaemons(database, daemon, node=node, app=app)))
    return database, daemon


async def _hearing(settings: Settings, stack: AsyncExitStack) -> Hearing:
    warn_of_synthetic_ears(settings)
    understanding = await asyncio.to_thread(ears, settings)
    if understanding is not None:
        stack.callback(understanding.close)
    return Hearing(understanding)


def _calls(
    settings: Settings,
    stack: AsyncExitStack,
    database: Database,
    daemon: UUID,
    hearing: Hearing,
    recorder: Recorder,
) -> Calls:
    gateway = parts.gateway(settings)
    stack.push_async_callback(gateway.aclose)
    metrics = Metrics()
    charging = charges(metrics)
    stack.push_async_callback(charging.finish)
    limiting = Limited.of(settings, database, metrics).limiting
    ledger = PostgresLedger(database, daemon, debiting.settle_first(settings))
    tts = Tts(settings.speech.workers)
    stack.push_async_callback(tts.aclose)
    pronouncer = NameSounds()
    stack.push_async_callback(pronouncer.aclose)
    desk = Desk(
        directory=PostgresDirectory(database),
        invoices=PostgresInvoices(database),
        captures=PostgresCaptures(database),
        paying=Paying(ledger, gateway, charging.spawn, limiting),
        brands=settings.capture.brands,
        postal_code_length=settings.company.postal_code_length,
        names=PostgresNames(database, pronouncer, nicknames()),
        methods=tuple(Method(each) for each in settings.payments.methods),
        keeping=Keeping(PostgresCardsOnFile(database), gateway),
        keep_cards=settings.payments.keep_cards,
        terms=settings.terms(),
        limiting=limiting,
        promising=promising(settings, database),
        outbox=PostgresEvents(database),
        ways=parts.ways(settings),
        for_another=settings.company.currency if settings.payments.for_another else "",
        links=online_paying.links(settings, database),
        mandating=debiting.mandating(settings, database, gateway, recorder.clips),
        link_minutes=settings.pay_page.minutes,
        link_wait_seconds=settings.pay_page.wait_seconds,
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


def _secure_part(settings: Settings, child: Child | None) -> SecurePart:
    limit_seconds = settings.capture.limit_seconds + CAPTURE_GRACE_SECONDS
    is_alive = child.is_alive if child else lambda: True
    return SecurePart(settings.capture.app, limit_seconds, is_alive=is_alive)


def _ari(settings: Settings) -> Ari:
    asterisk = settings.asterisk
    return Ari(asterisk.url, asterisk.user, asterisk.password.get_secret_value())


def _ami(settings: Settings) -> Ami:
    asterisk = settings.asterisk
    return Ami(
        asterisk.ami_host,
        asterisk.ami_port,
        asterisk.ami_user,
        asterisk.ami_secret.get_secret_value(),
    )


def _web(
    settings: Settings,
    metrics: Metrics,
    database: Database,
    router: Router,
    ari: Ari,
    assisted: Assisted,
    pages: Sequence[APIRouter],
    listening: socket.socket,
) -> WebServer:
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

    keys = api_keys(settings)
    sources = api.Sources(
        readers={
            "customers": PostgresDirectory(database).recent,
            "services": PostgresServices(database).recent,
            "invoices": PostgresInvoices(database).recent,
            "calls": PostgresCalls(database).recent,
            "promises": PostgresPromises(database).recent,
        },
        checks={"database": postgres, "asterisk": asterisk, "capture": capture},
        metrics=metrics.registry,
        keys=keys,
        assisting=assisted.assisting,
        routers=[
            telling.routes(settings, database, keys),
            payments.routes(PostgresPayments(database), keys),
            reports.routes(PostgresReports(database), keys),
            *pages,
        ],
    )
    return WebServer(api.build(sources), listening, settings.pay_page.proxies)


async def _sweep(database: Database, migrated: asyncio.Event, longest_call_seconds: float) -> None:
    """Bring the schema up to date, then end now and then the calls that a crash left behind.

    Calls go on whatever the database does; only tables that are not ours end the daemon.
    """
    calls = PostgresCalls(database)
    while True:
        try:
            if not migrated.is_set():
                await migrate(database)
                migrated.set()
            if left := await calls.abandoned(longest_call_seconds + ABANDONED_SECONDS):
                log.warning("calls_left_open", calls=len(left))
        except MigrationError:
            raise
        except LedgerUnavailable as error:
            log.warning("database_away", why=str(error))
        except BillingError as error:
            log.error("sweep_failed", why=str(error))  # noqa: TRY400 - its trace says nothing more
        await asyncio.sleep(SWEEP_SECONDS)
