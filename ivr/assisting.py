"""Captures with an agent, built for `saldo serve`: their parts, and who owns their tasks."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any, Self

import structlog

from ivr.billing.assisting import Assisting
from ivr.billing.errors import BillingError, LedgerUnavailable
from ivr.billing.paying import Paying
from ivr.billing.watching import Watching
from ivr.owning import Work
from ivr.settings import Settings
from ivr.storage.assisted_captures import PostgresAssistedCaptures
from ivr.storage.captures import PostgresCaptures
from ivr.storage.customers import PostgresDirectory
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.pool import Database
from ivr.telephony.ami import Ami
from ivr.telephony.ari import Ari
from ivr.telephony.assisting import AsteriskTalks
from ivr.telephony.muting import Muting
from ivr.telephony.places import Agents, SecurePart
from ivr.telephony.router import Router

log = structlog.get_logger(__name__)

RESUME_PAUSE_SECONDS = 5.0


def captures() -> Work:
    """Owns the tasks of captures, so that no web request that ends cuts one short."""

    def ended(task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, BillingError):
            log.warning("capture_refused", why=str(error))
        elif error is not None:
            log.error("capture_failed", exc_info=error)

    return Work("assisted capture", ended)


@dataclass(frozen=True, slots=True)
class Assisted:
    """Captures with an agent, and what the daemon does for them."""

    assisting: Assisting
    work: Work

    @classmethod
    def of(
        cls,
        settings: Settings,
        database: Database,
        paying: Paying,
        ari: Ari,
        ami: Ami,
        muting: Muting,
        router: Router,
        secure: SecurePart,
    ) -> Self:
        """All its parts; nothing is asked of anybody yet."""
        talks = AsteriskTalks(
            ari, ami, muting, secure, agents(settings), is_connected=lambda: router.is_connected
        )
        records = PostgresAssistedCaptures(database)
        work = captures()
        assisting = Assisting(
            records=records,
            talks=talks,
            directory=PostgresDirectory(database),
            invoices=PostgresInvoices(database),
            watching=Watching(
                PostgresCaptures(database), records, talks, paying, secure.limit_seconds
            ),
            spawn=work.spawn,
            daemon=place(settings.asterisk.app),
            brands=settings.capture.brands,
            language=settings.company.language,
            terms=settings.terms(),
        )
        return cls(assisting, work)

    async def resume(self, migrated: asyncio.Event, connected: asyncio.Event) -> None:
        """Watch what the daemon before us left, once database and PBX can be asked."""
        await migrated.wait()
        await connected.wait()
        while True:
            try:
                if left := await self.assisting.resume():
                    log.warning("captures_resumed", captures=left)
            except LedgerUnavailable as error:
                log.warning("captures_not_resumed", why=str(error))
                await asyncio.sleep(RESUME_PAUSE_SECONDS)
            else:
                return

    async def stop(self, limit_seconds: float) -> None:
        """Return when no capture runs any more; see Assisting.stop."""
        await self.assisting.stop(limit_seconds)
        self.work.cancel()


def place(app: str) -> str:
    """Who watches a capture: the next run here goes on with it, and no other node with that app."""
    return f"{socket.gethostname()} {app}"


def agents(settings: Settings) -> Agents:
    """Where a caller who wants a person goes."""
    return Agents(settings.agents.context, settings.agents.extension, settings.agents.queue)
