"""`saldo capture` as a child of `saldo serve`: started, watched, started again, stopped with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

PARENT_VARIABLE = "SALDO_CAPTURE_PARENT"
"""tells the child whose death ends it too (capture/hardening.py)"""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 30.0
"""a child that lived this long was well: the next pause is short again"""
STOP_SECONDS = 15.0


class Child:
    """One `saldo <command>` process of our own user, kept running by `run()`."""

    def __init__(self, command: str, config: Path | None) -> None:
        self._command = command
        self._arguments = [sys.executable, "-m", "ivr.cli.main", command]
        if config:
            self._arguments += ["--config", str(config)]
        self._process: asyncio.subprocess.Process | None = None

    def is_alive(self) -> bool:
        """Whether the process runs now."""
        return self._process is not None and self._process.returncode is None

    async def run(self) -> None:
        """Keep it running until cancelled, then end it: SIGTERM, and SIGKILL after 15 s."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_SECONDS
        while True:
            since = loop.time()
            status = await self._live()
            log.error("child_ended", command=self._command, status=status)
            steady = loop.time() - since > STEADY_SECONDS
            pause = FIRST_PAUSE_SECONDS if steady else min(pause * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, no secret

    async def _live(self) -> int | str:
        """Its exit status, or why it could not be started."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, PARENT_VARIABLE: str(os.getpid())},
                # Ctrl-C in a terminal is for us: running calls still need the child until they end.
                start_new_session=True,
            )
        except OSError as error:  # too many processes, no memory: calls go on without cards
            return error.strerror or type(error).__name__
        try:
            return await self._process.wait()
        finally:
            if self.is_alive():
                await self._end(self._process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            log.warning("child_killed", command=self._command)
            process.kill()
            await process.wait()
