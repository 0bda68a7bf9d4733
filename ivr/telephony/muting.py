"""The PBX's own recordings of a call (MixMonitor), silent while its caller is in the secure part.

The dial plan may have begun one before the call came to us. The PBX mutes it on request (AMI
MixMonitorMute) and never says whether it did, so what is known is kept on the channel, where it
outlives us: the variable SALDO_MIXMONITOR says in turn "muting", "muted" with the file that
MIXMONITOR_FILENAME named before and after the muting, "unmuting", and nothing. The guard of the
secure part trusts "muted" with the file that is named now; whoever starts next un-mutes the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NoReturn, Protocol

import structlog

from ivr.dialogue.endings import SecurePartAway
from ivr.telephony.ari import Ari
from ivr.telephony.errors import Refused, TelephonyError
from ivr.telephony.media import is_ear

log = structlog.get_logger(__name__)

FILENAME = "MIXMONITOR_FILENAME"
MARK = "SALDO_MIXMONITOR"
MUTING, MUTED, UNMUTING = "muting", "muted", "unmuting"
LOOK_SECONDS = 2.0
"""how often what is still muted is looked after"""
COMING_SECONDS = 15.0
"""so long a channel of the dial plan may take into the secure part: else it will not come"""
TRIES = 3


def is_muted(mark: str, file: str) -> bool:
    """Whether by its SALDO_MIXMONITOR a channel's recording to that file is muted."""
    state, *more = mark.split(" ", 2)
    return state == MUTED and more[1:] == [file]


class Manager(Protocol):
    """The PBX's manager interface (ami.Ami). Raises PbxUnreachable, Refused."""

    connected: asyncio.Event

    async def variable(self, channel: str, name: str) -> str: ...

    async def set_variable(self, channel: str, name: str, value: str) -> None: ...

    async def mute_recordings(self, channel: str, *, muted: bool) -> None: ...


class Muting:
    """Mutes and un-mutes the PBX's recordings of callers; `run()` looks after what is left over.

    `app` is ours, by which our marks are told from those of others; in `secure_app` nothing is ever
    un-muted.
    """

    def __init__(self, ari: Ari, manager: Manager, app: str, secure_app: str) -> None:
        self._ari = ari
        self._manager = manager
        self._app = app
        self._secure_app = secure_app
        self._muted: set[str] = set()
        """channels that may be muted"""
        self._held: set[str] = set()
        """of those, whose callers are about to be lent, or are"""
        self._coming: dict[str, float] = {}
        """of those, which go to the secure part from the dial plan, and when we give that up"""
        self._one_by_one = asyncio.Lock()
        """what is on its way to be un-muted is not muted in between, nor the other way round"""

    def of(self, channel_id: str) -> MutedCaller:
        """One caller, for their line."""
        return MutedCaller(self, channel_id)

    async def mute(self, channel_id: str) -> None:
        """Mute every MixMonitor of the channel, until `release`.

        Raises:
            SecurePartAway: there is one, and it cannot be muted; or nobody can say.
        """
        self._held.add(channel_id)
        self._muted.add(channel_id)
        try:
            async with self._one_by_one:
                await self._mute(channel_id)
        except TelephonyError as error:
            if await self._is_recorded(channel_id):
                raise SecurePartAway(
                    f"the PBX records this call and cannot be asked to mute that: {error}"
                ) from None

    async def release(self, channel_id: str, *, at_once: bool) -> None:
        """Un-mute, at once or when the caller is found out of the secure part; never raises."""
        self._held.discard(channel_id)
        if at_once:
            await self._unmute(channel_id)

    def sent(self, channel_id: str) -> None:
        """`release` it once it has been in the secure part, or if it does not get there."""
        self._coming[channel_id] = asyncio.get_running_loop().time() + COMING_SECONDS
        self._held.discard(channel_id)

    async def run(self) -> NoReturn:
        """Un-mute, for ever, what is muted and need not be, also what we left when we were cut off.

        Waits for the manager interface.
        """
        await self._manager.connected.wait()
        were_found = False
        while True:
            were_found = were_found or await self._find_left_over()
            await asyncio.sleep(LOOK_SECONDS)
            await self._look_after(self._muted - self._held)

    async def _mute(self, channel_id: str) -> None:
        for _ in range(TRIES):
            file = await self._manager.variable(channel_id, FILENAME)
            await self._mark(channel_id, MUTING)
            await self._manager.mute_recordings(channel_id, muted=True)
            # One that began meanwhile may not be muted.
            if file == await self._manager.variable(channel_id, FILENAME):
                await self._mark(channel_id, MUTED, file)
                return
        raise SecurePartAway("the PBX begins one recording of this call after the other")

    async def _is_recorded(self, channel_id: str) -> bool:
        """Also when nobody can say."""
        try:
            return bool(await self._ari.variable(channel_id, FILENAME))
        except TelephonyError:
            return True

    async def _unmute(self, channel_id: str) -> None:
        async with self._one_by_one:
            if channel_id in self._held:  # wanted again meanwhile
                return
            self._coming.pop(channel_id, None)
            try:
                await self._mark(channel_id, UNMUTING)
                await self._manager.mute_recordings(channel_id, muted=False)
                await self._manager.set_variable(channel_id, MARK, "")
            except Refused:
                self._muted.discard(channel_id)  # the channel is no more
            except TelephonyError as error:
                log.warning("recording_still_muted", channel=channel_id, why=str(error))
            else:
                self._muted.discard(channel_id)

    async def _mark(self, channel_id: str, state: str, file: str = "") -> None:
        await self._manager.set_variable(channel_id, MARK, f"{state} {self._app} {file}".rstrip())

    async def _look_after(self, channel_ids: Iterable[str]) -> None:
        channels = frozenset(channel_ids)
        if not channels or not self._manager.connected.is_set():
            return
        try:
            secure = await self._ari.application(self._secure_app)
        except TelephonyError as error:
            log.warning("muted_not_looked_after", why=str(error))
            return
        there = secure.channel_ids if secure else frozenset()
        for channel_id in there:
            self._coming.pop(channel_id, None)
        now = asyncio.get_running_loop().time()
        for channel_id in channels - there:
            if self._coming.get(channel_id, now) <= now:
                await self._unmute(channel_id)

    async def _find_left_over(self) -> bool:
        """Whether everything was looked at."""
        try:
            for channel in await self._ari.channels():
                if not is_ear(channel.id) and await self._is_marked(channel.id):
                    self._muted.add(channel.id)
        except TelephonyError as error:
            log.warning("muted_not_looked_for", why=str(error))
            return False
        return True

    async def _is_marked(self, channel_id: str) -> bool:
        try:
            mark = await self._manager.variable(channel_id, MARK)
        except Refused:  # it has just ended
            return False
        return mark.split(" ")[1:2] == [self._app]


class MutedCaller:
    """One caller whom the PBX itself may record (`lending.Witness`)."""

    def __init__(self, muting: Muting, channel_id: str) -> None:
        self._muting = muting
        self._channel_id = channel_id

    async def leave(self) -> None:
        await self._muting.mute(self._channel_id)

    async def back(self, *, here: bool) -> None:
        await self._muting.release(self._channel_id, at_once=here)
