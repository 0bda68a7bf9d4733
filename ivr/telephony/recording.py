"""Calls recorded by the PBX, part by part, with nobody listening while a card is asked for.

A part is a snoop on the caller's channel, in our application, that the PBX records. The secure part
refuses a channel with a snoop: the part ends before the caller is lent, and the next one begins
when they are back. A part's name holds all that is needed to put a call together, so that parts
which we left behind when we were cut off are found and kept by whoever starts next.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import NoReturn, Protocol, Self
from uuid import uuid4

import structlog

from ivr.billing.calls import CallArrived
from ivr.billing.errors import BillingError
from ivr.billing.recordings import RATE
from ivr.dialogue.endings import SecurePartAway
from ivr.telephony.ari import Ari
from ivr.telephony.errors import NothingThere, PbxUnreachable, TelephonyError
from ivr.telephony.events import ChannelDestroyed, Event, StasisEnd, StasisStart
from ivr.telephony.media import EAR, PREFIX, gone, until_off
from ivr.telephony.stream import EventStream

log = structlog.get_logger(__name__)

ENTER_SECONDS = 2.0
"""how long a snoop may take to reach our application"""
FETCH_SECONDS = 120.0
WRITTEN_SECONDS = 5.0
"""how long the PBX may take to end a recording whose channel is gone"""
WRITTEN_PAUSE_SECONDS = 0.05
LOOK_SECONDS = 60.0
"""how often parts that could not be kept are tried again, and old recordings looked for"""
FINISH_SECONDS = 60.0

_NAME = re.compile(r"saldo_(?P<app>.+)_(?P<call>[0-9a-f]{32})_(?P<epoch>\d+)_(?P<offset>\d+)")


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A part as its name at the PBX tells it; times in milliseconds."""

    app: str
    call_id: str
    epoch: int
    """when the call arrived, since 1970"""
    offset: int
    """from then to the beginning of the part"""

    @property
    def name(self) -> str:
        return f"saldo_{self.app}_{self.call_id}_{self.epoch}_{self.offset}"

    @property
    def start(self) -> int:
        """In samples."""
        return self.offset * RATE // 1000

    @classmethod
    def named(cls, name: str) -> Self | None:
        """None when it is no part of a call."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        return cls(found["app"], found["call"], int(found["epoch"]), int(found["offset"]))


@dataclass(frozen=True, slots=True)
class Course:
    """How a call went, in samples from its arrival."""

    secure: tuple[tuple[int, int], ...]
    length: int


class Shelf(Protocol):
    """Where recordings are kept (storage/recordings.py); its methods take their time."""

    def has(self, call_id: str) -> bool:
        """Whether that call's recording is kept already."""
        ...

    def room_for(self, call_id: str, number: int) -> Path:
        """A new file for a part, until the recording is whole. Raises OSError."""
        ...

    def keep(
        self,
        call_id: str,
        began: datetime,
        parts: Mapping[Path, int],
        secure: Iterable[tuple[int, int]] | None,
        samples: int | None,
    ) -> Path:
        """Write one recording of the parts, each with its start; None is unknown.

        Raises BillingError.
        """
        ...

    def tidy(self) -> int:
        """Delete what was kept long enough; how many recordings. Raises OSError."""
        ...


class Recordings:
    """The recordings of all calls; `run()` keeps what could not be kept at once."""

    def __init__(self, ari: Ari, stream: EventStream, shelf: Shelf) -> None:
        self._ari = ari
        self._stream = stream
        self._shelf = shelf
        self._running: dict[str, Recording] = {}
        """of calls that are not over"""
        self._under_way: set[str] = set()
        """calls whose parts are still being made or put together"""
        self._courses: dict[str, Course] = {}
        """calls that are over and not kept yet"""
        self._keeping: set[asyncio.Task[None]] = set()

    def of(self, call: CallArrived) -> Recording:
        """The recording of a call that has just arrived; it begins with `begin()`."""
        self._under_way.add(call.id)
        recording = Recording(self, self._ari, self._stream, call)
        self._running[call.id] = recording
        return recording

    async def has_begun(self, call_id: str) -> bool:
        """Whether that call is being recorded now; waits for a part that is just beginning."""
        recording = self._running.get(call_id)
        return recording is not None and await recording.has_begun()

    def take_over(self, call_id: str, parts: list[Part], course: Course) -> None:
        """A call is over: put its recording together, in a task of ours."""
        self._running.pop(call_id, None)
        if not parts:
            log.error("call_not_recorded", call=call_id)
            self._under_way.discard(call_id)
            return
        self._courses[call_id] = course
        task = asyncio.create_task(self._keep(call_id, parts), name=f"recording {call_id}")
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def finish(self) -> None:
        """Return when no recording is being put together any more, or it takes too long."""
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=FINISH_SECONDS)

    async def run(self) -> NoReturn:
        """Keep, for ever, the parts at the PBX that belong to no call under way, and tidy up."""
        while True:
            await self._stream.connected.wait()
            try:
                await self._keep_left_over()
                if gone_now := await asyncio.to_thread(self._shelf.tidy):
                    log.info("recordings_deleted", recordings=gone_now)
            except (TelephonyError, OSError) as error:
                log.warning("recordings_not_looked_after", why=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def _keep_left_over(self) -> None:
        named = [Part.named(name) for name in await self._ari.recordings()]
        ours = [part for part in named if part and part.app == self._stream.app]
        left = sorted(part for part in ours if part.call_id not in self._under_way)
        for call_id, parts in groupby(left, key=lambda part: part.call_id):
            log.warning("recording_left_over", call=call_id)
            self._under_way.add(call_id)
            await self._keep(call_id, list(parts))

    async def _keep(self, call_id: str, parts: list[Part]) -> None:
        """Fetch, put together, and only then delete at the PBX; `run` tries again what failed."""
        files: dict[Path, int] = {}
        try:
            # Kept, but cut off before its parts were deleted: those are all that is left to do.
            if not await asyncio.to_thread(self._shelf.has, call_id):
                await self._fetch(parts, files)
                await self._put_together(call_id, parts[0], files)
            for part in parts:
                await self._ari.delete_recording(part.name)
            self._courses.pop(call_id, None)
        except (TelephonyError, BillingError, OSError) as error:
            log.error("recording_not_kept", call=call_id, why=str(error))  # noqa: TRY400 - its trace says nothing more
        finally:
            self._under_way.discard(call_id)
            for file in files:
                await asyncio.to_thread(file.unlink, missing_ok=True)

    async def _fetch(self, parts: Iterable[Part], files: dict[Path, int]) -> None:
        """Bring the parts here; `files` says which file begins when."""
        for number, part in enumerate(parts):
            await self._written_there(part)
            file = await asyncio.to_thread(self._shelf.room_for, part.call_id, number)
            files[file] = part.start
            try:
                # Not in a thread: what that opens once we were cancelled nobody would close.
                with file.open("wb") as into:
                    await self._ari.fetch_recording(part.name, into, FETCH_SECONDS)
            except NothingThere:
                log.warning("part_missing", call=part.call_id, at_seconds=part.start / RATE)
                del files[file]
                await asyncio.to_thread(file.unlink)

    async def _written_there(self, part: Part) -> None:
        """Return when the PBX is done with it."""
        until = _now() + WRITTEN_SECONDS
        while await self._ari.is_recording(part.name):
            if _now() > until:
                raise PbxUnreachable(f"the PBX still records {part.name}")
            await asyncio.sleep(WRITTEN_PAUSE_SECONDS)

    async def _put_together(self, call_id: str, first: Part, files: Mapping[Path, int]) -> None:
        if not files:
            log.error("call_not_recorded", call=call_id)
            return
        began = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=first.epoch)
        course = self._courses.get(call_id)
        secure, length = (course.secure, course.length) if course else (None, None)
        await asyncio.to_thread(self._shelf.keep, call_id, began, files, secure, length)
        log.info("recording_kept", call=call_id, parts=len(files), whole=course is not None)


class Recording:
    """One call's recording (`lending.Witness`): what cannot be recorded costs no caller a call."""

    def __init__(
        self, recordings: Recordings, ari: Ari, stream: EventStream, call: CallArrived
    ) -> None:
        self._recordings = recordings
        self._ari = ari
        self._stream = stream
        self._call = call
        self._arrived_at = _now()
        self._parts: list[Part] = []
        self._secure: list[tuple[int, int]] = []
        self._secure_since: int | None = None
        self._snoop = ""
        """the id of the snoop that is, or may be, on the caller's channel"""
        self._entered = asyncio.Event()
        self._beginning: asyncio.Task[None] | None = None
        self._has_begun = False

    def begin(self) -> None:
        """Begin a part; does not wait."""
        self._beginning = asyncio.create_task(self._begin(), name=f"record {self._call.id}")

    async def has_begun(self) -> bool:
        """Whether it records now; of a part that is just beginning, once that is known."""
        if self._beginning is not None:
            await asyncio.wait({self._beginning})
        return self._has_begun

    async def leave(self) -> None:
        self._secure_since = self._at()
        if not await self._stop():
            raise SecurePartAway("the recording of this call cannot be stopped")

    async def back(self, *, here: bool) -> None:
        if here:
            self._secure_over()
            self.begin()

    async def end(self) -> None:
        """The call is over, for us: record no more, and have what there is put together."""
        length = self._at()
        await self._stop()
        self._secure_over()
        course = Course(tuple(self._secure), length)
        self._recordings.take_over(self._call.id, self._parts, course)

    def _secure_over(self) -> None:
        if self._secure_since is not None:
            self._secure.append((self._secure_since, self._at()))
            self._secure_since = None

    async def _begin(self) -> None:
        self._entered.clear()
        self._snoop = f"{PREFIX}{self._stream.app}-{uuid4().hex}-r"
        self._stream.open(self._snoop, self._take)
        try:
            await self._ari.snoop(
                self._call.channel_id, self._snoop, self._stream.app, (EAR,), spy="both"
            )
            async with asyncio.timeout(ENTER_SECONDS):
                await self._entered.wait()
            part = self._part()
            self._parts.append(part)  # first: an order that is not answered may be carried out
            await self._ari.record(self._snoop, part.name)
            self._has_begun = True
        except (TelephonyError, TimeoutError) as error:
            why = str(error) or "its snoop did not reach our application in time"
            log.warning("not_recorded", call=self._call.id, why=why)

    def _part(self) -> Part:
        """That begins now."""
        epoch = round(self._call.at.timestamp() * 1000)
        offset = round((_now() - self._arrived_at) * 1000)
        return Part(self._stream.app, self._call.id, epoch, offset)

    async def _stop(self) -> bool:
        """Whether nobody listens on our behalf any more."""
        self._has_begun = False
        if self._beginning is not None:
            await asyncio.wait({self._beginning})
            self._beginning = None
        if not self._snoop:
            return True
        snoop, self._snoop = self._snoop, ""
        await gone(self._ari.hang_up(snoop))
        is_off = await until_off(self._ari, snoop)
        self._stream.close(snoop)
        return is_off

    def _take(self, event: Event) -> None:
        """Be told of an event of the snoop; never waits."""
        if isinstance(event, StasisStart):
            self._entered.set()
        elif isinstance(event, StasisEnd | ChannelDestroyed):
            self._has_begun = False
            log.info("part_over", call=self._call.id)

    def _at(self) -> int:
        """Now, in samples from the arrival."""
        return round((_now() - self._arrived_at) * RATE)


def _now() -> float:
    return asyncio.get_running_loop().time()
