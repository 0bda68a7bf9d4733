"""A baresip process of our own: its files, its ports, and the commands and events of ctrl_tcp.

What it prints is thrown away: it would show every key that is pressed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import shutil
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ivr.lab.errors import LabError
from ivr.lab.packages import Tree
from ivr.lab.processes import LOOPBACK, ProcessId, free_port, owns

START_SECONDS = 10.0
ANSWER_SECONDS = 5.0
STOP_SECONDS = 3.0
ATTEMPTS = 3
RTP_PORTS = 40
"""so many are tried; they lie below the system's own choices"""
_RTP_FIRST, _RTP_LAST = 20_000, 32_000
_SILENCE = "silence.wav"
_RATE = 8000


class PhoneError(LabError):
    """The softphone could not do what was asked; the text says what to do."""


class Softphone:
    """One baresip in one temporary folder; `close` ends it and removes everything.

    `on_event(type, event)` is called for each of its events (CALL_ESTABLISHED, CALL_CLOSED, …)
    and once with EXITED when the process has ended.
    """

    def __init__(
        self, tree: Tree, limit_seconds: float, on_event: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._tree = tree
        self._limit = limit_seconds
        self._on_event = on_event
        self.folder = Path(tempfile.mkdtemp(prefix="saldo-phone-"))
        self.port = 0
        """where it can be called, once it is started"""
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._asking = asyncio.Lock()
        self._numbers = itertools.count(1)

    async def start(self, account: str) -> None:
        """Start it with one account line. Raises PhoneError."""
        for _ in range(ATTEMPTS):
            sip, control = free_port(transport="udp"), free_port()
            self._configure(account, sip, control)
            self._process = await asyncio.create_subprocess_exec(
                self._tree.program("baresip"),
                *("-f", str(self.folder), "-t", str(int(self._limit))),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            if await self._ready(self._process.pid, sip, control):
                self.port = sip
                reader, self._writer = await asyncio.open_connection(LOOPBACK, control)
                self._listening = asyncio.create_task(self._listen(reader, self._process))
                return
            await self._end_process()
        raise PhoneError(
            f"the softphone did not start within {START_SECONDS:.0f} s: "
            f"try again, or delete {self._tree.root} so that it is unpacked anew"
        )

    async def command(self, name: str, parameters: str = "") -> str:
        """Do it; what it answered. Raises PhoneError (which never shows the parameters)."""
        if self._writer is None:
            raise PhoneError("the softphone is not running: start it first")
        asked: dict[str, str] = {"command": name}
        if parameters:
            asked["params"] = parameters
        text = json.dumps(asked)
        async with self._asking:
            self._writer.write(f"{len(text)}:{text},".encode())
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._writer.drain()
                    answer = await self._answers.get()
            except (TimeoutError, ConnectionError):
                raise PhoneError(f"the softphone does not answer to {name}: try again") from None
        if not answer.get("ok"):
            raise PhoneError(f"the softphone refused {name}: is the call still up?")
        return str(answer.get("data", ""))

    async def send(self, sound: bytes, background: bytes = b"") -> None:
        """Send this sound (16 bits, 8 kHz) from now on, in place of what is sent.

        After it comes `background`, again and again; silence if there is none. Raises PhoneError.
        """
        file = self.folder / f"said-{next(self._numbers)}.wav"
        await asyncio.to_thread(self._write_sound, file, sound, background)
        await self.command("ausrc", f"aufile,{file}")
        # All of it has been read by now.
        await asyncio.to_thread(file.unlink)

    def recording(self, way: str) -> Path | None:
        """Its own recording of what it hears ("dec") or sends ("enc"), once there is one."""
        return next(self.folder.glob(f"dump-*-{way}.wav"), None)

    async def close(self) -> None:
        """End it whatever state it is in, and remove its folder."""
        try:
            await self._end_process()
            if self._writer is not None:
                self._writer.close()
                with contextlib.suppress(ConnectionError):
                    await self._writer.wait_closed()
            if self._listening is not None:
                self._listening.cancel()
                await asyncio.wait((self._listening,))
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _configure(self, account: str, sip: int, control: int) -> None:
        rtp = random.randrange(_RTP_FIRST, _RTP_LAST, 2)  # noqa: S311 - only to differ from others
        settings = {
            "poll_method": "epoll",
            "sip_listen": f"{LOOPBACK}:{sip}",
            "net_interface": LOOPBACK,
            "ctrl_tcp_listen": f"{LOOPBACK}:{control}",
            "rtp_ports": f"{rtp}-{rtp + RTP_PORTS}",
            "call_max_calls": "1",
            # Each packet is recorded when it comes: no buffer hides how late it was.
            "jitter_buffer_type": "off",
            "audio_player": "aufile,/dev/null",
            "audio_alert": "aufile,/dev/null",
            "audio_source": f"aufile,{self.folder / _SILENCE}",
            "snd_path": str(self.folder),
            "module_path": str(self._tree.baresip_modules),
        }
        lines = [f"{key} {value}" for key, value in settings.items()]
        lines += [f"module {name}.so" for name in ("g711", "aufile", "sndfile")]
        lines += [f"module_app {name}.so" for name in ("account", "menu", "ctrl_tcp")]
        (self.folder / "config").write_text("\n".join([*lines, ""]))
        (self.folder / "accounts").write_text(f"{account}\n")
        (self.folder / "contacts").touch()
        self._write_sound(self.folder / _SILENCE, b"", b"")

    def _write_sound(self, file: Path, sound: bytes, background: bytes) -> None:
        """What it sends: the call would end with this file, so it lasts to the limit."""
        length = 2 * _RATE * int(self._limit)
        times = length // len(background) + 1 if background else 0
        after = background * times if background else bytes(length)
        with wave.open(str(file), "wb") as sent:
            sent.setnchannels(1)
            sent.setsampwidth(2)
            sent.setframerate(_RATE)
            sent.writeframes(sound + after)

    async def _ready(self, pid: int, sip: int, control: int) -> bool:
        """Whether it holds both its ports; somebody else may have taken one of them first."""
        process = ProcessId.of(pid)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while process is not None and process == ProcessId.of(pid):
                    if owns(process, control) and owns(process, sip, "udp"):
                        return True
                    await asyncio.sleep(0.01)
        return False

    async def _listen(
        self, reader: asyncio.StreamReader, process: asyncio.subprocess.Process
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                message = json.loads(await reader.readexactly(length))
                await reader.readexactly(1)
                if message.get("response"):
                    self._answers.put_nowait(message)
                elif message.get("event"):
                    self._on_event(str(message.get("type")), message)
        await process.wait()
        self._on_event("EXITED", {})

    async def _end_process(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
