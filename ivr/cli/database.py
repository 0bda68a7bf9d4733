"""The company's database, for as long as a command about payments needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ivr.settings import Settings
from ivr.storage.migrate import check
from ivr.storage.pool import Database


@asynccontextmanager
async def opened(conf: Settings) -> AsyncIterator[Database]:
    """Two connections, closed at the end. Raises LedgerUnavailable, MigrationError."""
    database = await Database.open(conf.database.url, size=2, application="saldo-payments")
    try:
        await check(database)
        yield database
    finally:
        await database.close()
