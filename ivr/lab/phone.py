"""A caller's telephone: dials, presses keys, speaks, hangs up, and hears what is said."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from ivr.lab import dialpad
from ivr.lab.dialpad import KEYS, KeyWay
from ivr.lab.hearing import Hearing
from ivr.lab.packages import Tree
from ivr.lab.phrasebook import Phrasebook
from ivr.lab.processes import LOOPBACK
from ivr.lab.sip_headers import HeaderRelay, as_it_is
from ivr.lab.softphone import PhoneError, Softphone
from ivr.lab.speaking import Speech

__all__ = ["KEYS", "KeyWay", "NotAnswered", "Phone", "PhoneError", "Press", "Said"]

LIMIT_SECONDS = 900.0
"""the longest call"""
ANSWER_SECONDS = 30.0
HANG_UP_SECONDS = 5.0
_LISTEN_SECONDS = 0.005
_RECOGNISE_SECONDS = 0.25
_KEY_SECONDS = 5.0
_WAV_HEADER = 44
_MOST_BYTES = 1 << 20
_FRAME_BYTES = 320  # 20 ms: the softphone sends a packet each
_FRAME_SECONDS = 0.02
_FRAMES_DOWN = 10  # the softphone holds each key for nine packets, then says three times
_FRAMES_A_KEY = 12  # that it is up; the next key waits for that
_SIP_URI = re.compile(r"sip:(?P<user>[^@;:]+)@(?P<host>[^:;]+)(:(?P<port>\d+))?")


class NotAnswered(PhoneError):
    """The call did not come about."""


@dataclass(frozen=True, slots=True)
class Press:
    """When the first key went down and the last one up, on the event loop's clock."""

    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Said:
    """When the first sound of an utterance left and the last one had left, on the same clock."""

    began: float
    ended: float


class Phone:
    """One telephone for one call. Use it with `async with`: it always hangs up and cleans up.

    Times are those of the event loop's clock. `keys` is how it sends them: RFC 4733 events are held
    for 180 ms each, tones for 120, both 240 ms from one to the next. Neither the keys nor anything
    the softphone prints is kept.
    """

    def __init__(
        self,
        tree: Tree,
        phrasebook: Phrasebook,
        limit_seconds: float = LIMIT_SECONDS,
        keys: KeyWay = KeyWay.RFC4733,
    ) -> None:
        self.heard = Hearing(phrasebook)
        self._keys = keys
        self._background = np.zeros(0, np.int16)
        self.closed = asyncio.Event()
        """set when the call is over; `reason` says how"""
        self.reason = ""
        self.sip_call_id = ""
        self.established_at: float | None = None
        self.closed_at: float | None = None
        self._clock = asyncio.get_running_loop().time
        self._softphone = Softphone(tree, limit_seconds, self._on_event)
        self._established = asyncio.Event()
        self._relay: HeaderRelay | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._read = 0
        self._one_recognises = asyncio.Lock()
        self._incoming: BinaryIO | None = None
        self._outgoing: BinaryIO | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._established.is_set() and not self.closed.is_set():
                with contextlib.suppress(PhoneError):
                    await self.hang_up()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._relay is not None:
                await self._relay.close()
            for file in (self._incoming, self._outgoing):
                if file is not None:
                    file.close()
            await self._softphone.close()

    async def dial(
        self, uri: str, caller: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Call; returns when it was answered.

        `caller` is the number shown, None hides it. Raises NotAnswered with the reason, PhoneError.
        """
        sent = dict(headers or {})
        if caller is None:
            sent["Privacy"] = "id"
        await self._softphone.start(_account(caller) + dialpad.account_parameter(self._keys))
        self._tasks.append(asyncio.create_task(self._listening()))
        self._tasks.append(asyncio.create_task(self._recognising()))
        answer = await self._softphone.command("dial", await self._through_relay(uri, sent))
        self.sip_call_id = answer.partition("call id:")[2].strip()
        ways = [asyncio.create_task(way.wait()) for way in (self._established, self.closed)]
        try:
            await asyncio.wait(ways, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
        if not self._established.is_set():
            why = self.reason or f"nobody answered within {ANSWER_SECONDS:.0f} s"
            raise NotAnswered(f"{uri} could not be called ({why}): is the lab up?")

    async def press(self, keys: str, gap: float = 0.0) -> Press:
        """Press keys one after the other, `gap` more seconds apart than need be.

        Returns when the last one is up. Raises PhoneError, also when the call is over.
        """
        if set(keys) - set(KEYS):
            raise PhoneError(f"a telephone has no such key: use only {KEYS}")
        if self._keys is KeyWay.INBAND:
            tones = dialpad.sound_of(keys, gap, self._background)
            sent = await self.say(Speech(tones, self._background))
            return Press(sent.began, sent.ended)
        began = ended = self._clock()
        for key in keys:
            ended = await self._press(key)
            if gap:
                await asyncio.sleep(gap)
        return Press(began, ended)

    async def say(self, speech: Speech) -> Said:
        """Say something, whatever is being heard; returns when it has been said.

        Raises PhoneError, also when the call is over.
        """
        self._background = speech.background
        await self._softphone.send(speech.samples.tobytes(), speech.background.tobytes())
        began, before = self._clock(), self._frames_sent()
        frames = -(-speech.samples.nbytes // _FRAME_BYTES)
        until = began + frames * _FRAME_SECONDS + _KEY_SECONDS
        while self._frames_sent() - before < frames:
            self._still_sends(until, "something was said")
            await asyncio.sleep(_LISTEN_SECONDS)
        # A busy machine may tell us late; the softphone itself sends a packet every 20 ms.
        return Said(began, min(self._clock(), began + frames * _FRAME_SECONDS))

    async def hang_up(self) -> None:
        """End the call. Nothing happens when it is over already."""
        if self.closed.is_set():
            return
        await self._softphone.command("hangup")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closed.wait(), HANG_UP_SECONDS)

    async def listen_to_the_end(self) -> None:
        """Take in the last sounds after the call is over."""
        self._take()
        await self._recognise()

    async def _through_relay(self, uri: str, headers: Mapping[str, str]) -> str:
        found = _SIP_URI.fullmatch(uri)
        if found is None:
            raise NotAnswered(f"{uri} is no SIP address such as sip:pay@127.0.0.1:5060")
        in_the_voice = self._keys is KeyWay.INBAND
        if not headers and not in_the_voice:
            return uri
        host = await asyncio.to_thread(_address, found["host"])
        change = dialpad.without_telephone_event if in_the_voice else as_it_is
        self._relay = await HeaderRelay.open((host, int(found["port"] or 5060)), headers, change)
        return f"sip:{found['user']}@{LOOPBACK}:{self._relay.port}"

    async def _press(self, key: str) -> float:
        """When the key was up: its first end packet was sent."""
        before = self._frames_sent()
        await self._softphone.command("sndcode", key)
        ended: float | None = None
        until = self._clock() + _KEY_SECONDS
        while (sent := self._frames_sent() - before) < _FRAMES_A_KEY:
            if ended is None and sent >= _FRAMES_DOWN:
                ended = self._clock()
            self._still_sends(until, "keys were pressed")
            await asyncio.sleep(_LISTEN_SECONDS)
        return ended or self._clock()

    def _still_sends(self, until: float, what: str) -> None:
        if self.closed.is_set():
            raise PhoneError(f"the call was over while {what} ({self.reason})")
        if self._clock() > until:
            raise PhoneError("the softphone has stopped sending: try again")

    def _frames_sent(self) -> int:
        """Packets sent so far; keys go out with them, so this is the clock of a key."""
        self._outgoing = self._outgoing or self._open("enc")
        if self._outgoing is None:
            return 0
        return max(0, os.fstat(self._outgoing.fileno()).st_size - _WAV_HEADER) // _FRAME_BYTES

    async def _listening(self) -> None:
        while True:
            self._take()
            await asyncio.sleep(_LISTEN_SECONDS)

    def _take(self) -> None:
        """Read what came since; a few hundred bytes of a file in memory, so no thread."""
        self._incoming = self._incoming or self._open("dec")
        if self._incoming is None:
            return
        now = self._clock()
        sound = os.pread(self._incoming.fileno(), _MOST_BYTES, _WAV_HEADER + self._read)
        whole = len(sound) - len(sound) % 2
        self._read += whole
        self.heard.add(np.frombuffer(sound[:whole], "<i2"), now)

    def _open(self, way: str) -> BinaryIO | None:
        recording = self._softphone.recording(way)
        return recording.open("rb", buffering=0) if recording else None

    async def _recognising(self) -> None:
        while True:
            await self._recognise()
            await asyncio.sleep(_RECOGNISE_SECONDS)

    async def _recognise(self) -> None:
        """In a thread, so that packets are looked for meanwhile; one at a time."""
        async with self._one_recognises:
            await asyncio.to_thread(self.heard.recognise)

    def _on_event(self, kind: str, event: dict[str, Any]) -> None:
        match kind:
            case "CALL_ESTABLISHED":
                self.established_at = self._clock()
                self.sip_call_id = str(event.get("id") or self.sip_call_id)
                self._established.set()
            case "CALL_CLOSED":
                self._over(str(event.get("param") or "ended"))
            case "EXITED":
                self._over("the softphone has ended")

    def _over(self, reason: str) -> None:
        if not self.closed.is_set():
            self.reason = reason
            self.closed_at = self._clock()
            self.closed.set()


def _account(caller: str | None) -> str:
    who = f"<sip:{caller}@{LOOPBACK}>"
    if caller is None:
        who = '"Anonymous" <sip:anonymous@anonymous.invalid>'
    return f"{who};regint=0;ptime=20;audio_codecs=PCMU"


def _address(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError:
        raise NotAnswered(f"{host} is not a known host: write its address") from None


def save_recording(phone: Phone, file: Path) -> None:
    """Keep what the caller heard, from the answer on, as a WAV file."""
    if phone.established_at is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        phone.heard.save(file, phone.established_at)
