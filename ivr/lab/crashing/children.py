"""Processes that are made to be killed: forked from the lane, each with a wire to it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ivr.lab.crashing.node import Job, Wire

News = dict[str, Any]


class Child:
    """One process; `news` is what it has told."""

    def __init__(self, work: Callable[[Job, Wire], None], job: Job, log: Path) -> None:
        """Start it. What it prints is appended to `log`."""
        self._end, theirs = socket.socketpair()
        self._rest = b""
        self.news: list[News] = []
        self.job = job
        self.pid = os.fork()
        if self.pid == 0:
            self._end.close()
            _become(work, job, Wire(theirs), log)
        theirs.close()

    def listen(self, seconds: float) -> Iterator[News]:
        """What it tells, as it tells it; ends when it has died, or after `seconds`."""
        until = time.monotonic() + seconds
        while self._end.fileno() >= 0 and (left := until - time.monotonic()) > 0:
            while b"\n" in self._rest:
                line, _, self._rest = self._rest.partition(b"\n")
                self.news.append(json.loads(line))
                yield self.news[-1]
            if not select.select([self._end], [], [], left)[0]:
                return
            try:
                data = self._end.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return
            self._rest += data

    def hear(self, what: str, seconds: float) -> News | None:
        """The first news of this kind; None when it has died or said none in time."""
        told = next((news for news in self.news if what in news), None)
        if told is not None:
            return told
        return next((news for news in self.listen(seconds) if what in news), None)

    @property
    def is_dead(self) -> bool:
        """Whether it runs no more."""
        if self.pid and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.pid = 0
        return self.pid == 0

    def go_on(self) -> None:
        """Let it leave the point that it stands at."""
        self._end.send(b"g")

    def send(self, number: signal.Signals) -> None:
        """A signal to it and to nobody else."""
        if not self.is_dead:
            os.kill(self.pid, number)

    def end(self) -> None:
        """Kill it, whatever it does, and read what it told last."""
        if not self.is_dead:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        for _ in self.listen(0.5):
            pass
        self._end.close()


def _become(work: Callable[[Job, Wire], None], job: Job, wire: Wire, log: Path) -> None:
    """Do the work as this process; never return."""
    code = 1
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        work(job, wire)
        code = 0
    except BaseException as error:  # noqa: BLE001 - the end of the process
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
        wire.tell(broken=f"the process ended with {type(error).__name__}: {error}")
    finally:
        os._exit(code)
