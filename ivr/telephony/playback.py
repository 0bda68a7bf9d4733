"""The sounds that are being played on one channel, each under an id of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import structlog

from ivr.telephony.ari import Ari
from ivr.telephony.errors import AnswerLate, TelephonyError

log = structlog.get_logger(__name__)

CHECK_SECONDS = 60.0
"""how long a prompt may last before we ask the PBX whether it is over"""

Wait = Callable[[Callable[[], bool]], Awaitable[None]]
"""Returns when the condition holds; raises HungUp when the caller has left."""


class Playbacks:
    """What the PBX has not finished playing on a channel.

    Stopping does not wait for the PBX, so that the next prompt need not wait either: the PBX plays
    what is queued behind a stopped playback whichever request it read first. `changed` is called
    whenever a playback is over.
    """

    def __init__(
        self, ari: Ari, channel_id: str, *, wait: Wait, changed: Callable[[], None]
    ) -> None:
        self._ari = ari
        self._channel_id = channel_id
        self._wait = wait
        self._changed = changed
        self._unfinished: set[str] = set()
        self._hushed: set[str] = set()
        """of those, what is being stopped: over for us, not yet for the PBX"""
        self._stopping: set[asyncio.Task[None]] = set()
        self._checking: set[asyncio.Task[None]] = set()

    async def start(self, sounds: Sequence[str]) -> AsteriskPlayback:
        """Queue the sounds; returns when the PBX has accepted them."""
        playback_id = str(uuid4())
        self._unfinished.add(playback_id)
        request = asyncio.create_task(self._ari.play(self._channel_id, playback_id, sounds))
        try:
            await asyncio.shield(request)
        except asyncio.CancelledError:
            # The request is on its way: a stop that overtook it would find nothing to stop.
            self._hush_after(playback_id, request)
            raise
        except AnswerLate:
            # It may have been carried out, and its end may even have been reported already.
            is_known = playback_id not in self._unfinished
            if not is_known and not await self._ari.is_playing(playback_id):
                self.ended(playback_id)
                raise
        except BaseException:
            self.ended(playback_id)
            raise
        return AsteriskPlayback(self, playback_id)

    def is_over(self, playback_id: str) -> bool:
        """Whether the caller hears nothing of it any more."""
        return playback_id not in self._unfinished or playback_id in self._hushed

    async def until_over(self, playback_id: str) -> None:
        """Return when it has ended; the PBX is asked now and then, should its word get lost."""
        while not self.is_over(playback_id):
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._wait(lambda: self.is_over(playback_id))
            except TimeoutError:
                await self._check(playback_id)

    def hush(self, playback_id: str) -> None:
        """Have it stopped; does not wait."""
        if not self.is_over(playback_id):
            self._hush_after(playback_id, None)
            self._changed()

    def ended(self, playback_id: str) -> None:
        """The PBX reported its end."""
        self._unfinished.discard(playback_id)
        self._hushed.discard(playback_id)
        self._changed()

    def check_all(self) -> None:
        """Ask the PBX for each whether it is over: its word may have been lost."""
        for playback_id in self._unfinished - self._hushed:
            _keep(self._checking, asyncio.create_task(self._check(playback_id)))

    async def silence(self) -> None:
        """Return when the PBX was told to stop everything."""
        for playback_id in list(self._unfinished):
            self.hush(playback_id)
        await asyncio.gather(*self._stopping)

    async def close(self) -> None:
        """End our own work; what is playing is left playing."""
        tasks = self._stopping | self._checking
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hush_after(self, playback_id: str, request: asyncio.Task[None] | None) -> None:
        self._hushed.add(playback_id)
        _keep(self._stopping, asyncio.create_task(self._stop(playback_id, request)))

    async def _stop(self, playback_id: str, request: asyncio.Task[None] | None) -> None:
        try:
            if request is not None:
                await request
            await self._ari.stop_playback(playback_id)
        except TelephonyError as error:
            log.warning("prompt_not_stopped", channel=self._channel_id, why=str(error))

    async def _check(self, playback_id: str) -> None:
        try:
            if not await self._ari.is_playing(playback_id):
                self.ended(playback_id)
        except TelephonyError as error:
            log.warning("prompt_not_found", channel=self._channel_id, why=str(error))


class AsteriskPlayback:
    """Sounds that are being played to the caller (`dialogue.line.Playback`)."""

    def __init__(self, playbacks: Playbacks, playback_id: str) -> None:
        self._playbacks = playbacks
        self._id = playback_id

    async def finished(self) -> None:
        """Return when the last sound has ended or was stopped."""
        await self._playbacks.until_over(self._id)

    async def stop(self) -> None:
        """Hush now; the PBX is told, but not waited for."""
        self._playbacks.hush(self._id)


def _keep(owner: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    owner.add(task)
    task.add_done_callback(owner.discard)
