"""An agent's telephone: rings and answers by itself, speaks, and tells what reached it."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any, Self

import numpy as np

from ivr.lab.packages import Tree
from ivr.lab.phrasebook import Samples
from ivr.lab.processes import LOOPBACK
from ivr.lab.rtp_tap import RtpTap
from ivr.lab.softphone import PhoneError, Softphone
from ivr.lab.speaking import Speech

LIMIT_SECONDS = 900.0
RING_SECONDS = 20.0
HANG_UP_SECONDS = 5.0
_WAV_HEADER = 44
_SAMPLE_BYTES = 2


class AgentPhone:
    """One telephone for one call. Use it with `async with`; the PBX calls `sip:agent@…:port`.

    The lab's dial plan has the extensions that call it (asterisk-config/lab/extensions_lab.conf).
    """

    def __init__(self, tree: Tree, limit_seconds: float = LIMIT_SECONDS) -> None:
        self.closed = asyncio.Event()
        """set when the call is over"""
        self._softphone = Softphone(tree, limit_seconds, self._on_event)
        self._established = asyncio.Event()
        self._tap: RtpTap | None = None

    async def __aenter__(self) -> Self:
        account = f"<sip:agent@{LOOPBACK}>;regint=0;ptime=20;audio_codecs=PCMU;answermode=auto"
        await self._softphone.start(account)
        self._tap = await RtpTap.open(self._softphone.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._tap is not None:
            self._tap.close()
        await self._softphone.close()

    @property
    def port(self) -> int:
        """Where the PBX calls it."""
        return self._tap.port if self._tap else 0

    @property
    def digit_packets(self) -> int:
        """RFC 4733 packets that reached it so far."""
        return self._tap.digit_packets if self._tap else 0

    @property
    def voice_packets(self) -> int:
        """Other RTP packets that reached it so far."""
        return self._tap.voice_packets if self._tap else 0

    async def answered(self) -> None:
        """Return when it was called and has answered. Raises PhoneError when nobody calls."""
        try:
            await asyncio.wait_for(self._established.wait(), RING_SECONDS)
        except TimeoutError:
            raise PhoneError(f"nobody called the agent within {RING_SECONDS:.0f} s") from None

    async def say(self, speech: Speech) -> None:
        """Begin to say something; its background follows, again and again."""
        await self._softphone.send(speech.samples.tobytes(), speech.background.tobytes())

    def heard(self) -> Samples:
        """Everything it has heard so far, at 8 kHz, from its own recording."""
        file = self._softphone.recording("dec")
        if file is None:
            return np.zeros(0, np.int16)
        sound = file.read_bytes()[_WAV_HEADER:]
        return np.frombuffer(sound[: len(sound) - len(sound) % _SAMPLE_BYTES], "<i2")

    async def hang_up(self) -> None:
        """End the call; nothing happens when it is over already."""
        if self.closed.is_set():
            return
        await self._softphone.command("hangup")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closed.wait(), HANG_UP_SECONDS)

    def _on_event(self, kind: str, _event: dict[str, Any]) -> None:
        match kind:
            case "CALL_ESTABLISHED":
                self._established.set()
            case "CALL_CLOSED" | "EXITED":
                self.closed.set()
