"""`saldo` as a person types it: its exit status, and what it printed where."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ivr.cli.main import app

LIMIT_SECONDS = 60
ALONE = [sys.executable, "-m", "ivr.cli.main"]
NOBODY = "127.0.0.1:9"
"""the discard port: nothing listens there"""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on standard error; more of them, or none, fails the test."""
        (line,) = self.err.strip().splitlines()
        return line


Typed = Callable[..., Ran]
"""typed("lab", "status"): runs it in this process, in a folder of the test's own."""


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Ours without settings of its user's, with a lab folder that does not exist."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SALDO_")}
    return clean | {"SALDO_LAB_DIR": str(folder / "lab")} | dict(more)


def saldo(*words: str, folder: Path, more: Mapping[str, str]) -> Ran:
    """Run it as a process of its own, for commands that take signals over."""
    done = subprocess.run(
        [*ALONE, *words],
        cwd=folder,
        env=environment(folder, more),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def every_command() -> Iterator[tuple[str, ...]]:
    """The words of each command there is."""
    for one in app.registered_commands:
        yield (one.name or str(getattr(one.callback, "__name__", "")),)
    for group in app.registered_groups:
        for one in group.typer_instance.registered_commands if group.typer_instance else ():
            yield (str(group.name), one.name or str(getattr(one.callback, "__name__", "")))
