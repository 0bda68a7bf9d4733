"""All listeners of a lab at once, for as long as calls are placed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ivr import settings
from ivr.lab.leaktest import listeners, packets
from ivr.lab.leaktest.house import LISTENER, House
from ivr.lab.leaktest.listeners import Stream
from ivr.settings import PROJECT

UNREFUSED = ("bridge:", "deviceState:")
"""what an application may subscribe to without being refused a card: all bridges, all devices"""
MANAGER, ARI = "AMI, as a client with all rights", "ARI, as a client that is not refused"
PROCESSES, QUERIES = "command lines and environments", "statements that Postgres shows"
RECORDER_SECONDS = 10.0


@dataclass
class Listening:
    """Where each listener writes, and what the lab's processes were."""

    folder: Path
    streams: dict[str, Stream] = field(default_factory=dict)
    packets: Path | None = None
    """None: this user may not look at packets"""

    @property
    def files(self) -> dict[str, Path]:
        return {name: stream.file for name, stream in self.streams.items()}

    def marks(self) -> dict[str, int]:
        """How far each stream has come."""
        return {name: file.stat().st_size for name, file in self.files.items()}


@asynccontextmanager
async def listening(house: House, folder: Path) -> AsyncIterator[Listening]:
    """Listen until the end of the block; `folder` is there."""
    names = (MANAGER, ARI, PROCESSES, QUERIES)
    found = Listening(folder, {n: Stream(folder / f"{i}.txt") for i, n in enumerate(names)})
    streams = found.streams
    tasks = [
        asyncio.create_task(work)
        for work in (
            listeners.listen_to_manager(
                lambda: (house.pbx.ami_host, house.pbx.ami_port),
                LISTENER,
                house.secret,
                streams[MANAGER],
            ),
            listeners.listen_to_ari(
                lambda: house.pbx.ari_url,
                lambda: (house.pbx.ari_user, house.pbx.ari_password),
                LISTENER,
                streams[ARI],
                sources=UNREFUSED,
            ),
            listeners.watch_processes(house.pids, streams[PROCESSES], set()),
            listeners.watch_queries(lambda: house.database.admin_url, streams[QUERIES]),
        )
    ]
    recorder = await asyncio.to_thread(_record, house, found)
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if recorder is not None:
            await asyncio.to_thread(_stop, recorder)
        for stream in streams.values():
            stream.close()


def _record(house: House, found: Listening) -> subprocess.Popen[bytes] | None:
    if not packets.may_record():
        return None
    found.packets = found.folder / "packets"
    config = settings.load(Path(house.lab.config))
    ari = urlsplit(house.pbx.ari_url).port or 0
    gateway = urlsplit(house.lab.gateway).port or 0
    words = ("--sip", house.pbx.sip_port, "--secret", ari, "--gateway", gateway)
    others = ("--ports", house.pbx.ami_port, config.web.port)
    recorder = subprocess.Popen(
        [
            *(sys.executable, "-m", "ivr.lab.leaktest.packets"),
            *(str(house.folder), str(found.packets)),
            *map(str, (*words, *others)),
        ],
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    )
    if recorder.stdout is not None:
        recorder.stdout.readline()
    return recorder


def _stop(recorder: subprocess.Popen[bytes]) -> None:
    recorder.send_signal(signal.SIGTERM)
    try:
        recorder.wait(RECORDER_SECONDS)
    except subprocess.TimeoutExpired:
        recorder.kill()
        recorder.wait()
    with contextlib.suppress(OSError):
        if recorder.stdout is not None:
            recorder.stdout.close()
