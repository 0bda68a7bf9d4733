"""A voice that one channel hears above everything else, while the talk it is in goes on.

What is played on a channel in a bridge interrupts it: measured on 22.10.1, neither of both hears
the other meanwhile. A snoop that only whispers (there after 7 ms) mixes our sounds into what the
channel hears, and the other end hears nothing of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import uuid4

from ivr.telephony.ari import Ari
from ivr.telephony.errors import VoiceLost
from ivr.telephony.events import (
    ChannelDestroyed,
    Event,
    PlaybackFinished,
    Resynchronised,
    StasisEnd,
    StasisStart,
)
from ivr.telephony.media import PREFIX, gone
from ivr.telephony.playback import AsteriskPlayback, Playbacks
from ivr.telephony.presence import Presence
from ivr.telephony.stream import EventStream

WHISPER = "whisper"
"""its argument when it enters our application"""
ENTER_SECONDS = 2.0


class Whisper:
    """Sounds for one channel alone. It is there from the first sound until `close`."""

    def __init__(self, ari: Ari, stream: EventStream, channel_id: str) -> None:
        self.id = f"{PREFIX}{stream.app}-{uuid4().hex}-w"
        self._ari = ari
        self._stream = stream
        self._channel_id = channel_id
        self._presence = Presence(lambda: None)
        self._playbacks = Playbacks(
            ari, self.id, wait=self._presence.until, changed=self._presence.bell.ring
        )
        self._is_open = False

    async def play(self, sounds: Sequence[str]) -> AsteriskPlayback:
        """Begin to whisper them. Raises HungUp when the channel is gone, TelephonyError."""
        if not self._is_open:
            await self._open()
        self._presence.must_be_there()
        return await self._presence.ask_pbx(self._playbacks.start(sounds))

    async def close(self) -> None:
        """Hush, and take it off the channel; harmless when it never was there."""
        if self._is_open:
            self._is_open = False
            await gone(self._ari.hang_up(self.id))
        await self._playbacks.close()
        self._stream.close(self.id)

    async def _open(self) -> None:
        entered = asyncio.Event()

        def take(event: Event) -> None:
            if isinstance(event, StasisStart):
                entered.set()
            self._take(event)

        self._stream.open(self.id, take)
        self._is_open = True
        args = (WHISPER,)
        await self._ari.snoop(
            self._channel_id, self.id, self._stream.app, args, spy="none", whisper="out"
        )
        try:
            async with asyncio.timeout(ENTER_SECONDS):
                await entered.wait()
        except TimeoutError:
            raise VoiceLost("the whisper did not reach our application in time") from None

    def _take(self, event: Event) -> None:
        match event:
            case PlaybackFinished():
                self._playbacks.ended(event.playback_id)
            case StasisEnd() | ChannelDestroyed():
                self._presence.leave()
            case Resynchronised():
                self._playbacks.check_all()
            case _:
                return
        self._presence.bell.ring()
