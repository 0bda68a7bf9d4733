"""The caller's voice: a snoop on their channel, bridged with a websocket that we read.

Prompts go on playing on the caller's own channel, so callers may talk over them and what we hear
has no echo of them. Only open while speech can be answered: it costs two channels and a bridge,
and none may be on the caller's channel when the secure part begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from uuid import uuid4

import aiohttp
import structlog

from ivr.telephony.ari import Ari
from ivr.telephony.errors import ChannelGone, NothingThere, TelephonyError, VoiceLost
from ivr.telephony.events import ChannelDestroyed, Event, Resynchronised, StasisEnd, StasisStart
from ivr.telephony.stream import EventStream

log = structlog.get_logger(__name__)

PREFIX = "ear-"
"""of the ids of channels and bridges that are ours and no calls"""
EAR = "ear"
"""their argument when they enter our application"""
FORMATS = {8000: "slin", 16000: "slin16"}
SAMPLE_BYTES = 2
BATCH_SECONDS = 0.04
"""so much sound is handed on at once: fewer changes of thread than packet by packet, and the end
of an answer is noticed this much later at most"""
MOST_SECONDS = 0.2
KEPT_SECONDS = 3.0
"""a listener that is slower than this loses the oldest sound"""
ENTER_SECONDS = 2.0
SILENT_SECONDS = 2.0
"""the PBX sends 50 packets a second, silence included: without any for so long it is lost"""
LATE_SECONDS = 0.05
"""to read what came while this process itself stood still on a busy machine"""
CLOSE_SECONDS = 3.0
OFF_SECONDS = 1.0
OFF_PAUSE_SECONDS = 0.005


def is_ear(channel_id: str) -> bool:
    """Whether a channel is one of ours and no call."""
    return channel_id.startswith(PREFIX)


class CallersVoice:
    """What one caller says, as raw samples of 16 bits, little end first.

    Raises VoiceLost, from every method but `close`, when it cannot be heard (any more).
    """

    def __init__(self, ari: Ari, stream: EventStream, channel_id: str, rate: int) -> None:
        self.rate = rate
        """samples a second"""
        self.dropped_seconds = 0.0
        """of sound that came faster than it was taken"""
        self._ari = ari
        self._stream = stream
        self._channel_id = channel_id
        name = f"{PREFIX}{stream.app}-{uuid4().hex}"
        self._snoop, self._media, self._bridge = f"{name}-s", f"{name}-m", f"{name}-b"
        self._entered = {self._snoop: asyncio.Event(), self._media: asyncio.Event()}
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._packets: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._news = asyncio.Event()
        self._lost = ""
        """why nothing more will come"""

    @property
    def parts(self) -> tuple[str, str, str]:
        """The ids of what it puts up in the PBX: snoop, media channel, and their bridge."""
        return self._snoop, self._media, self._bridge

    async def open(self) -> None:
        """Begin to hear; takes some tens of milliseconds, and cleans up behind it if it fails."""
        for channel_id in self._entered:
            self._stream.open(channel_id, self._take)
        try:
            await self._set_up()
        except TelephonyError as error:
            await self.close()
            raise VoiceLost(f"the caller's voice cannot be had: {error}") from None
        except BaseException:
            await self.close()
            raise

    async def batch(self) -> bytes:
        """The next BATCH_SECONDS of sound, or up to MOST_SECONDS when more is waiting."""
        least = self._bytes(BATCH_SECONDS)
        while self._waiting_bytes < least:
            if self._lost:
                raise VoiceLost(self._lost)
            self._news.clear()
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                await asyncio.sleep(LATE_SECONDS)
                if not self._news.is_set():
                    raise VoiceLost(
                        "the PBX sends nothing of the caller's voice any more"
                    ) from None
        sound = bytearray()
        while self._packets and len(sound) < self._bytes(MOST_SECONDS):
            sound += self._packets.popleft()
        self._waiting_bytes -= len(sound)
        return bytes(sound)

    def forget(self) -> None:
        """Drop what was heard and not taken: it belongs to an earlier question."""
        self._packets.clear()
        self._waiting_bytes = 0

    async def close(self) -> None:
        """Take everything down, whatever state it is in; done even when cancelled meanwhile."""
        closing = asyncio.create_task(self._close(), name=f"close {self._bridge}")
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(closing, CLOSE_SECONDS)
            raise

    # --- setting up

    async def _set_up(self) -> None:
        audio_format = FORMATS.get(self.rate)
        if audio_format is None:
            raise VoiceLost(f"the PBX has no format for {self.rate} samples a second")
        # Each at its own: the PBX serves every connection by itself.
        async with _all_or_none() as together:
            together.create_task(
                self._ari.snoop(self._channel_id, self._snoop, self._stream.app, (EAR,))
            )
            together.create_task(self._connect(audio_format))
            together.create_task(self._ari.create_bridge(self._bridge))
        try:
            async with asyncio.timeout(ENTER_SECONDS):
                for entered in self._entered.values():
                    await entered.wait()
        except TimeoutError:
            raise VoiceLost("its channels did not reach our application in time") from None
        if self._lost:
            raise VoiceLost(self._lost)
        await self._ari.add_to_bridge(self._bridge, (self._snoop, self._media))

    async def _connect(self, audio_format: str) -> None:
        media_id = await self._ari.external_media(self._media, self._stream.app, audio_format)
        self._websocket = await self._ari.media(media_id)
        self._reader = asyncio.create_task(self._read(self._websocket), name=self._media)

    def _take(self, event: Event) -> None:
        """Be told of an event of one of the two channels; never waits."""
        if isinstance(event, StasisStart):
            self._entered[event.channel_id].set()
        elif isinstance(event, StasisEnd | ChannelDestroyed) or (
            isinstance(event, Resynchronised) and not event.here
        ):
            self._lose("the PBX took the caller's voice away")
            for entered in self._entered.values():
                entered.set()

    # --- hearing

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        """Only put away what comes: a reader that works is cut off by the PBX."""
        async for message in websocket:
            # Texts (MEDIA_START and the like) tell nothing that we need; sound may precede them.
            if message.type is aiohttp.WSMsgType.BINARY:
                self._keep(message.data)
        self._lose("the PBX closed the websocket of the caller's voice")

    def _keep(self, packet: bytes) -> None:
        self._packets.append(packet)
        self._waiting_bytes += len(packet)
        while self._waiting_bytes > self._bytes(KEPT_SECONDS):
            oldest = self._packets.popleft()
            self._waiting_bytes -= len(oldest)
            self.dropped_seconds += len(oldest) / self._bytes(1.0)
        self._news.set()

    def _lose(self, why: str) -> None:
        self._lost = self._lost or why
        self._news.set()

    def _bytes(self, seconds: float) -> int:
        return round(seconds * self.rate) * SAMPLE_BYTES

    # --- taking down

    async def _close(self) -> None:
        self._lose("the caller's voice was closed")
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        for what in (
            self._ari.hang_up(self._snoop),
            self._ari.hang_up(self._media),
            self._ari.destroy_bridge(self._bridge),
        ):
            await gone(what)
        await until_off(self._ari, self._snoop)
        if self._websocket is not None:
            await self._websocket.close()
        for channel_id in self._entered:
            self._stream.close(channel_id)


async def until_off(ari: Ari, channel_id: str) -> bool:
    """Return when a channel that was hung up is no more; False when it is there after a second.

    The PBX says yes before it has done it; the secure part refuses a channel with a snoop.
    """
    until = asyncio.get_running_loop().time() + OFF_SECONDS
    try:
        while asyncio.get_running_loop().time() < until:
            await ari.channel(channel_id)
            await asyncio.sleep(OFF_PAUSE_SECONDS)
    except ChannelGone:
        return True
    except TelephonyError as error:
        log.warning("voice_not_taken_down", why=str(error))
    else:
        log.warning("voice_still_there", channel=channel_id)
    return False


async def sweep(ari: Ari, app: str) -> int:
    """Remove what a daemon that died has left of its callers' voices; how many things that were.

    For the start of a daemon, before calls are taken: it would take those of running calls too.
    """
    own = re.compile(
        re.escape(f"{PREFIX}{app}-") + "[^-]+-[smbrw]"
    )  # not "saldo-capture" for "saldo"
    channels = [channel.id for channel in await ari.channels() if own.fullmatch(channel.id)]
    bridges = [bridge.id for bridge in await ari.bridges() if own.fullmatch(bridge.id)]
    for channel_id in channels:
        await gone(ari.hang_up(channel_id))
    for bridge in bridges:
        await gone(ari.destroy_bridge(bridge))
    return len(channels) + len(bridges)


async def gone(removal: Awaitable[None]) -> None:
    """Carry out a removal; what is gone already is as good."""
    try:
        await removal
    except (ChannelGone, NothingThere):
        return
    except TelephonyError as error:
        log.warning("voice_not_taken_down", why=str(error))


@contextlib.asynccontextmanager
async def _all_or_none() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first TelephonyError is raised as itself."""
    try:
        async with asyncio.TaskGroup() as together:
            yield together
    except* TelephonyError as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
