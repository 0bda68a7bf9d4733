"""Silence that is played wherever nothing else is, so that the PBX reports each key once.

While a sound is played, Asterisk hands on every key at its end, whatever came before it. While
none is, it lengthens short keys and puts off those that follow too closely, and it tells ARI of a
key that was put off twice: sixteen keys of 40 ms became thirty (measured on 22.10.1, docs/keys.md).
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import structlog

from ivr.telephony.ari import Ari
from ivr.telephony.errors import ChannelGone, TelephonyError

log = structlog.get_logger(__name__)

SILENCE = "sound:silence/5"
"""Asterisk's own sound, of seconds: as long may another program, which cannot stop it, wait for
the channel after a crash of ours"""


class Silence:
    """Silence behind the sounds of one channel, from `follow` to `end`, however long that is."""

    def __init__(self, ari: Ari, channel_id: str) -> None:
        self._ari = ari
        self._channel_id = channel_id
        self._id = ""
        """of the one that is playing or queued; empty when none is wanted"""
        self._has_failed = False
        self._order = asyncio.Lock()
        self._asking: set[asyncio.Task[None]] = set()

    def follow(self) -> None:
        """Have it begin where what is queued now ends; does not wait."""
        if self._has_failed:  # and not because the caller hung up: the call goes on
            log.error("sound_not_played", media=SILENCE, channel=self._channel_id)
            self._has_failed = False
        self._ask(self._id, str(uuid4()))

    def took(self, playback_id: str, *, failed: bool) -> bool:
        """Whether a playback that the PBX reports as ended was this silence; then it goes on."""
        if playback_id != self._id:
            return False
        self._has_failed = failed
        self._ask("", "" if failed else str(uuid4()))
        return True

    async def end(self) -> None:
        """Return when the PBX was told to stop it."""
        self._ask(self._id, "")
        await asyncio.gather(*self._asking)

    async def close(self) -> None:
        """End our own work; what is playing is left playing."""
        self._id = ""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _ask(self, old: str, new: str) -> None:
        self._id = new
        task = asyncio.create_task(self._renew(old, new))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _renew(self, old: str, new: str) -> None:
        """One after the other: a stop that overtook its start would find nothing to stop."""
        async with self._order:
            try:
                if old:
                    await self._ari.stop_playback(old)
                if new:
                    await self._ari.play(self._channel_id, new, [SILENCE])
            except ChannelGone:
                return
            except TelephonyError as error:
                log.warning("silence_not_played", channel=self._channel_id, why=str(error))
