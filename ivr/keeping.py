"""Cards on file, in `saldo serve`: what was removed here is deleted at the gateway in the end."""

from __future__ import annotations

import asyncio
import random

import structlog

from ivr.billing.errors import BillingError
from ivr.billing.keeping import Keeping

log = structlog.get_logger(__name__)

CLEAN_SECONDS = 60.0
"""a removal is tried at once; this is for those that the gateway did not confirm"""


async def delete_removed_cards(keeping: Keeping, migrated: asyncio.Event) -> None:
    """Until it is cancelled."""
    await migrated.wait()
    while True:
        try:
            if left := await keeping.clean():
                log.warning("cards_not_deleted_yet", cards=left)
        except BillingError as error:  # away: the next round asks again
            log.warning("cards_not_looked_at", why=str(error))
        await asyncio.sleep(CLEAN_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads nodes
