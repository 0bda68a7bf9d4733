"""When a caller who was just answered can hear: as soon as their own sound comes."""

from __future__ import annotations

import asyncio

from ivr.telephony.ari import Ari
from ivr.telephony.errors import TelephonyError

LONGEST_SECONDS = 0.5
"""as long as the PBX's own Answer() waits; a phone may send nothing until its owner speaks"""
LOOK_SECONDS = 0.02
"""a packet comes so often"""


async def until_heard(ari: Ari, channel_id: str) -> None:
    """Return when sound comes from the caller, after LONGEST_SECONDS, or if nobody can say.

    ARI's answer returns when our "200 OK" is on its way. What is played before it has arrived and
    the caller's phone listens is lost: the first syllable of the welcome. A phone begins to send
    when it begins to listen.
    """
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            while True:
                if await ari.packets_from(channel_id):
                    return
                await asyncio.sleep(LOOK_SECONDS)
    except (TimeoutError, TelephonyError):
        return  # a caller who left, and a PBX that is away, are told of by whatever comes next
