"""Tidying in `saldo serve`: once a day one node deletes the old rows that nobody needs any more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog

from ivr.billing.errors import BillingError
from ivr.sections import Tidying
from ivr.storage.pool import Database
from ivr.storage.tidying import PostgresTidying

log = structlog.get_logger(__name__)

LOOK_SECONDS = 300.0
LIMIT_SECONDS = 3600.0
TRIES_DAYS = 2
"""limits look back for one day"""
DAEMONS_DAYS = 30


def days_of(wanted: Tidying) -> Mapping[str, int]:
    """How old each kind of row gets, without those that are kept for ever."""
    days = {
        "deliveries": wanted.messages_days,
        "dead_letters": wanted.dead_letters_days,
        "events": wanted.messages_days,
        "links": wanted.links_days,
        "captures": wanted.captures_days,
        "notifications": wanted.messages_days,
        "calls": wanted.calls_days,
        "tries": TRIES_DAYS,
        "daemons": DAEMONS_DAYS,
    }
    return {kind: each for kind, each in days.items() if each}


async def tidy(wanted: Tidying, database: Database, migrated: asyncio.Event) -> None:
    """Until it is cancelled: once a day from that hour on, or later if nobody ran then."""
    await migrated.wait()
    tidying = PostgresTidying(database)
    while wanted.at >= 0:
        await asyncio.sleep(LOOK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads nodes
        now = datetime.now(UTC)
        if wanted.at <= now.hour:
            await once(tidying, wanted, now)


async def once(tidying: PostgresTidying, wanted: Tidying, now: datetime) -> None:
    """Delete what is old, if nobody has today, and say what came of it; a fault is told too."""
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            tidied = await tidying.tidy(now.date(), days_of(wanted))
    except (BillingError, TimeoutError) as error:
        log.warning("not_tidied", why=str(error) or "it took too long")
        return
    if tidied is not None:
        log.info("tidied", **tidied.deleted)
        for kind, why in tidied.refused.items():
            log.error("not_tidied", kind=kind, why=why)
