"""A telephone line whose caller follows a script, in virtual time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ivr.billing.calls import CallArrived
from ivr.dialogue.endings import HungUp, LineError, NobodyAvailable
from tests.fakes.voice import Said, said

SECONDS_A_PHRASE = 3.0
REACTION_SECONDS = 0.5
"""from the first word of a phrase to the first key of the caller's answer"""
KEY_SECONDS = 0.2


@dataclass
class Heard:
    """A phrase whose first word reached the caller."""

    at: float
    said: Said
    until: float | None = None
    """when it ended or was hushed"""


class FakePlayback:
    """Sounds of SECONDS_A_PHRASE each."""

    def __init__(self, line: FakeLine, sounds: Sequence[str]) -> None:
        self._line = line
        self._over = asyncio.Event()
        self.breaks: Exception | None = None
        """what `finished` raises instead of ending"""
        self._playing = asyncio.create_task(self._play(list(sounds)))

    async def _play(self, sounds: list[str]) -> None:
        for sound in sounds:
            heard = Heard(self._line.now(), said(sound))
            self._line.hear(heard)
            try:
                await asyncio.sleep(SECONDS_A_PHRASE)
            finally:
                heard.until = self._line.now()
        self._over.set()

    async def finished(self) -> None:
        self._line.check()
        await self._over.wait()
        self._line.check()
        if self.breaks:
            raise self.breaks

    async def stop(self) -> None:
        self.cut()
        self._line.check()

    def cut(self) -> None:
        self._playing.cancel()
        self._over.set()


Script = Sequence[tuple[str, str]]
"""When this phrase is heard → what the caller does: keys, "hangs up", or "" for nothing."""
HANGS_UP = "hangs up"


class FakeLine:
    """A caller who does the next thing of the script when its phrase begins."""

    def __init__(self, script: Script = (), *, hints: Mapping[str, str] | None = None) -> None:
        self._hints = hints or {}
        self._arrived = CallArrived(
            id="call-1", channel_id="1.1", sip_call_id="sip-1", caller="+34600111222",
            dialled="pay", node="test", at=datetime(2026, 11, 22, tzinfo=UTC),
        )  # fmt: skip
        self.script = list(script)
        self.heard: list[Heard] = []
        self.gone = False
        self.transferred = False
        self.hung_up_by_us = False
        self.words: dict[str, str] = {}
        """what was left for whoever takes the call next"""
        self.agents: Exception | None = None
        """what a transfer raises; None when an agent answers"""
        self.word_lost: Exception | None = None
        """what leaving word raises"""
        self.secure_part: Callable[[UUID], Awaitable[None]] | None = None
        self._keys: deque[str] = deque()
        self._stirred = asyncio.Event()
        """set by a key and by a hang-up"""
        self._playbacks: list[FakePlayback] = []
        self._doing: set[asyncio.Task[None]] = set()

    # What the test sees and does

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def phrases(self) -> list[str]:
        """Ids of what was heard, in order."""
        return [each.said.phrase for each in self.heard]

    def said(self, phrase: str) -> Said:
        """The last time that phrase was heard."""
        return [each.said for each in self.heard if each.said.phrase == phrase][-1]

    def press(self, keys: str) -> None:
        """All at once, as typed ahead."""
        self._keys.extend(keys)
        self._stirred.set()

    @property
    def keys_left(self) -> int:
        return len(self._keys)

    def leave(self) -> None:
        """The caller hangs up."""
        self.gone = True
        self._stirred.set()
        for playback in self._playbacks:
            playback.cut()
        for task in self._doing:
            task.cancel()

    async def quiet(self) -> None:
        """Wait until the caller's own doings are over, so that leaked tasks can be told apart."""
        self.leave()
        await asyncio.gather(*self._doing, return_exceptions=True)
        await asyncio.gather(*[each._playing for each in self._playbacks], return_exceptions=True)

    def hear(self, heard: Heard) -> None:
        self.heard.append(heard)
        if self.script and self.script[0][0] == heard.said.phrase:
            task = asyncio.create_task(self._do(self.script.pop(0)[1]))
            self._doing.add(task)

    async def _do(self, doing: str) -> None:
        await asyncio.sleep(REACTION_SECONDS)
        if doing == HANGS_UP:
            asyncio.get_running_loop().call_soon(self.leave)
            return
        for key in doing:
            self.press(key)
            await asyncio.sleep(KEY_SECONDS)

    def check(self) -> None:
        if self.gone:
            raise HungUp

    # The port

    @property
    def arrived(self) -> CallArrived:
        return self._arrived

    @property
    def hints(self) -> Mapping[str, str]:
        return self._hints

    async def answer(self) -> None:
        self.check()

    async def play(self, sounds: Sequence[str]) -> FakePlayback:
        self.check()
        assert all(playback._over.is_set() for playback in self._playbacks), "two things at once"
        playback = FakePlayback(self, sounds)
        self._playbacks.append(playback)
        return playback

    async def next_key(self) -> str:
        self.check()
        while not self._keys:
            self._stirred.clear()
            await self._stirred.wait()
            self.check()
        return self._keys.popleft()

    def forget_keys(self) -> None:
        self.check()
        self._keys.clear()

    async def enter_secure_part(self, capture_id: UUID) -> None:
        self.check()
        if self.secure_part is None:
            raise LineError("this test has no secure part")
        await self.secure_part(capture_id)
        self.check()

    async def leave_word(self, words: Mapping[str, str]) -> None:
        self.check()
        if self.word_lost:
            raise self.word_lost
        self.words |= words

    async def somebody_is_there(self) -> bool:
        self.check()
        return not isinstance(self.agents, NobodyAvailable)

    async def transfer_to_agent(self) -> None:
        self.check()
        if self.agents:
            raise self.agents
        self.transferred = True

    async def hang_up(self) -> None:
        self.check()
        self.hung_up_by_us = True
