"""The heartbeat of `saldo serve`: as long as others hear it, they leave its charges alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from ivr.billing.errors import BillingError
from ivr.storage.daemons import PostgresDaemons

log = structlog.get_logger(__name__)

BEAT_SECONDS = 3.0
LIMIT_SECONDS = 2.5
"""how long one beat may take; see the view daemons_gone for how long silence is forgiven"""


@asynccontextmanager
async def beating(daemons: PostgresDaemons) -> AsyncIterator[None]:
    """Be heard of inside this block, and say so when it ends; the database may be away."""
    heart = asyncio.create_task(_beat(daemons), name="heartbeat")
    try:
        yield
    finally:
        heart.cancel()
        await asyncio.gather(heart, return_exceptions=True)
        with contextlib.suppress(BillingError, TimeoutError):  # then it is missed a little later
            async with asyncio.timeout(LIMIT_SECONDS):
                await daemons.end()


async def _beat(daemons: PostgresDaemons) -> None:
    has_begun = is_heard = False
    while True:
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await (daemons.beat() if has_begun else daemons.begin())
        except Exception as error:  # noqa: BLE001 - away, or not migrated yet; whatever it is, a heart goes on
            if is_heard:
                log.warning("heartbeat_missed", why=str(error) or type(error).__name__)
            is_heard = False
        else:
            has_begun = is_heard = True
        await asyncio.sleep(BEAT_SECONDS)
