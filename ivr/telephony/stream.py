"""One websocket per application: its events reach each channel's owner in order, and none is lost.

The reader never waits for anybody: an owner takes an event without waiting, or puts it in a queue
of its own. The PBX keeps nothing while the websocket is down, so after every (re)connection the
state is read and what was missed is made good.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from typing import NoReturn

import aiohttp
import structlog

from ivr.telephony.ari import Ari
from ivr.telephony.errors import ApplicationTaken, BadCredentials, TelephonyError
from ivr.telephony.events import (
    ApplicationMoveFailed,
    ApplicationReplaced,
    ChannelDestroyed,
    Event,
    Resynchronised,
    StasisEnd,
    StasisStart,
    parse,
)

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0
"""a connection that held this long was a good one: the next pause is short again"""
ANNOUNCED_WITHIN_SECONDS = 0.5

Sink = Callable[[Event], None]
"""Takes an event at once: it must neither wait nor work."""


def pauses(first: float, longest: float) -> Callable[[], float]:
    """Back-off in seconds: each call about doubles, with jitter, so that daemons do not march."""
    ceiling = first

    def pause() -> float:
        nonlocal ceiling
        now = random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, no secret
        ceiling = min(ceiling * 2, longest)
        return now

    return pause


class EventStream:
    """The events of one application.

    `connected` is set while events arrive and the state is in step. Events of a channel that nobody
    opened, and those without a channel, go to `strays`. Channels found in the application that
    nobody owns (left over by a daemon that died) go to `orphans`.
    """

    def __init__(
        self,
        ari: Ari,
        app: str,
        *,
        strays: Sink,
        orphans: Callable[[Collection[str]], Awaitable[None]],
    ) -> None:
        self.app = app
        self.connected = asyncio.Event()
        self._ari = ari
        self._strays = strays
        self._orphans = orphans
        self._sinks: dict[str, Sink] = {}
        self._moved: set[str] = set()
        """channels whose coming or going was announced since we connected and read the state"""
        self._is_reading = False
        self._was_connected = False

    def open(self, channel_id: str, sink: Sink) -> None:
        """From now on the channel's events go to `sink`, in the PBX's order."""
        self._sinks[channel_id] = sink

    def close(self, channel_id: str) -> None:
        """The channel has no owner any more."""
        self._sinks.pop(channel_id, None)

    async def run(self) -> NoReturn:
        """Listen for ever, connecting again whenever the connection is lost.

        Raises:
            ApplicationTaken: another program connected under our name; going on would only cut
                each other off in turns.
            BadCredentials: the PBX refused the first connection; trying again would not help.
        """
        clock = asyncio.get_running_loop().time
        pause = pauses(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            since = clock()
            try:
                await self._listen()
            except ApplicationTaken:
                raise
            except BadCredentials as error:
                if not self._was_connected:
                    raise
                why = str(error)
            except TelephonyError as error:
                why = str(error)
            else:
                why = "the PBX closed the connection"
            finally:
                self.connected.clear()
            log.warning("events_lost", app=self.app, why=why)
            if clock() - since > STEADY_SECONDS:
                pause = pauses(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause())

    async def _listen(self) -> None:
        """From connecting to losing the connection."""
        self._moved.clear()
        self._is_reading = True
        websocket = await self._ari.listen(self.app)
        reader = asyncio.create_task(self._read(websocket), name=f"events {self.app}")
        resync = asyncio.create_task(self._resynchronise(), name=f"resync {self.app}")
        try:
            await asyncio.wait({reader, resync}, return_when=asyncio.FIRST_COMPLETED)
            if not reader.done():
                # A state that cannot be read is as bad as no connection: begin again.
                resync.result()
            await reader
        finally:
            for task in (reader, resync):
                task.cancel()
            await asyncio.gather(reader, resync, return_exceptions=True)
            await websocket.close()

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in websocket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._take(parse(message.data))

    def _take(self, event: Event) -> None:
        if isinstance(event, ApplicationReplaced):
            raise ApplicationTaken(
                f"another program connected to the PBX as application {self.app!r}: "
                "stop it or give one of the two another name in saldo.toml (asterisk.app)"
            )
        if self._is_reading and isinstance(event, StasisStart | StasisEnd | ApplicationMoveFailed):
            self._moved.add(event.channel_id)
        sink = self._sinks.get(event.channel_id, self._strays)
        try:
            sink(event)
        except Exception as error:  # noqa: BLE001 - one call's fault must not end the others' events
            # No traceback: in `saldo capture` what is around here may be a digit.
            why = type(error).__name__
            log.error("event_not_taken", app=self.app, event_type=type(event).__name__, why=why)  # noqa: TRY400

    async def _resynchronise(self) -> None:
        """Bring every owner up to date with what happened while nobody listened.

        A channel whose coming or going was announced since we are connected is left alone: what we
        read may be older than that.
        """
        owned = set(self._sinks)
        application = await self._ari.application(self.app)
        here = application.channel_ids if application else frozenset()
        alive = {channel.id for channel in await self._ari.channels()}
        for channel_id in owned & set(self._sinks) - self._moved:
            if channel_id not in alive:
                self._take(ChannelDestroyed(channel_id))
            else:
                self._take(Resynchronised(channel_id, here=channel_id in here))
        self.connected.set()
        self._was_connected = True
        log.info("events_arrive", app=self.app, calls=len(owned))
        if here & alive - set(self._sinks):
            # Give the announcement of a call that is just coming in time to arrive.
            await asyncio.sleep(ANNOUNCED_WITHIN_SECONDS)
        orphans = here & alive - set(self._sinks) - self._moved
        self._is_reading = False
        if orphans:
            log.warning("orphans_found", app=self.app, calls=len(orphans))
            await self._orphans(orphans)
