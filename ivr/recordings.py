"""What hears a call besides the conversation: our recording, if wanted, and the PBX's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ivr.billing.proving import Clip
from ivr.settings import Settings
from ivr.storage.recordings import RecordingFolder
from ivr.telephony.ami import Ami
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from ivr.telephony.muting import Muting
from ivr.telephony.recording import Recording, Recordings
from ivr.telephony.router import OnCall
from ivr.telephony.stream import EventStream


class KeptClips:
    """`billing.mandating.Clips` and `billing.proving.KeptRecordings`, in the folder of recordings.

    Its methods raise OSError.
    """

    def __init__(self, shelf: RecordingFolder, has_begun: Callable[[str], Awaitable[bool]]) -> None:
        self._shelf = shelf
        self._has_begun = has_begun

    async def is_recorded(self, call_id: str) -> bool:
        return await self._has_begun(call_id)

    async def spare(self, call_id: str) -> None:
        await asyncio.to_thread(self._shelf.spare, call_id)

    async def has(self, clip: Clip) -> bool | None:
        return await asyncio.to_thread(self._shelf.has_between, clip.call_id, clip.begin, clip.end)


class Recorder:
    """Records calls where [recordings] is on; mutes the PBX's recordings for the secure part.

    Raises RecordingNotKept when recordings are wanted and can be kept nowhere.
    """

    def __init__(self, settings: Settings) -> None:
        own = settings.recordings
        self._shelf = (
            RecordingFolder(own.folder, own.key.get_secret_value(), own.keep_days)
            if own.on
            else None
        )
        self._recordings: Recordings | None = None
        self._muting: Muting | None = None

    @property
    def clips(self) -> KeptClips | None:
        """The recordings as proof of mandates; None where calls are not recorded."""
        if self._shelf is None:
            return None
        return KeptClips(self._shelf, self._has_begun)

    async def _has_begun(self, call_id: str) -> bool:
        return self._recordings is not None and await self._recordings.has_begun(call_id)

    def connect(self, ari: Ari, stream: EventStream, ami: Ami, secure_app: str) -> Muting:
        """From now on calls come from there; what mutes the PBX's recordings of any."""
        self._muting = Muting(ari, ami, stream.app, secure_app)
        if self._shelf is not None:
            self._recordings = Recordings(ari, stream, self._shelf)
        return self._muting

    def work(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs as long as the daemon, by name."""
        named = {"muting": self._muting, "recordings": self._recordings}
        return {name: one.run() for name, one in named.items() if one is not None}

    def recorded(self, take_call: OnCall) -> OnCall:
        """The same, with its recording from beginning to end, the secure part left out."""

        async def take(line: AsteriskLine) -> None:
            if self._muting is not None:
                line.heard_by(self._muting.of(line.channel_id))
            if self._recordings is None:
                await take_call(line)
            else:
                await self._record(self._recordings.of(line.arrived), line, take_call)

        return take

    async def _record(self, recording: Recording, line: AsteriskLine, take_call: OnCall) -> None:
        line.heard_by(recording)
        recording.begin()
        try:
            await take_call(line)
        finally:
            await recording.end()

    async def finish(self) -> None:
        """Return when the recordings of calls that are over are kept, or it takes too long."""
        if self._recordings is not None:
            await self._recordings.finish()
