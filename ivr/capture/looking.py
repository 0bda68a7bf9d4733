"""The guard's look, as it is taken before every field."""

from __future__ import annotations

from collections.abc import Collection

from ivr.capture import guard
from ivr.capture.facts import FactsMissing
from ivr.capture.hearing import Eyes, Overheard


async def look(
    eyes: Eyes, channel_id: str, ears: Collection[str] = (), company: Collection[str] = ()
) -> None:
    """Return when nobody else can see or hear what the caller keys now; takes about 2 ms.

    `ears` are our own channels on the caller's, `company` our bridge and the agent's channel in it.
    Raises Overheard, also when the PBX does not say how things are.
    """
    try:
        reasons = guard.doubts(await eyes.read(channel_id, ears, company))
    except FactsMissing as error:
        reasons = [str(error)]
    if reasons:
        raise Overheard(reasons)
