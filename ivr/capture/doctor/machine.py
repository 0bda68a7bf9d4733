"""What this machine allows the secure process to do against being looked into."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ivr.capture.doctor.finding import Check, Finding, Problem, slight, unseen
from ivr.capture.hardening import NO_CORE, NO_DEBUGGER, NO_RIGHTS, NO_SWAP

SWAPS = Path("/proc/swaps")
TRIAL_SECONDS = 30.0
TRIAL = "import json; from ivr.capture import hardening as h; print(json.dumps(h.not_allowed()))"

CORES = Check(
    "capture-core-dumps",
    "a core dump of saldo capture would hold the digits of running calls",
    "let the unit of saldo capture set its limits (LimitCORE=0)",
)
DEBUGGERS = Check(
    "capture-debugger",
    "another process of the same user could read the digits from memory",
    "run saldo capture on Linux, without a seccomp filter that forbids prctl",
)
SWAP = Check(
    "capture-swap",
    "memory that is swapped out lies on the disk, digits included",
    "set LimitMEMLOCK=infinity for saldo capture (systemd), or turn swap off",
)


RIGHTS = Check(
    "capture-rights",
    "a program that it starts, set to run as somebody else, could read its memory",
    "run saldo capture on Linux, without a seccomp filter that forbids prctl",
)


def look_at(not_allowed: Sequence[str] | None, *, has_swap: bool | None) -> list[Finding]:
    """Findings about the measures that this user may not take here; None: it was not learnt."""
    if not_allowed is None:
        return [
            one.unknown("hardening could not be tried") for one in (CORES, DEBUGGERS, SWAP, RIGHTS)
        ]
    return [
        *CORES.judge(
            "no core dumps",
            [Problem("core dumps cannot be switched off")] if NO_CORE in not_allowed else [],
        ),
        *DEBUGGERS.judge(
            "no debugger gets in",
            [Problem("debuggers cannot be kept out")] if NO_DEBUGGER in not_allowed else [],
        ),
        *RIGHTS.judge(
            "it can gain no rights",
            [Problem("it may gain rights")] if NO_RIGHTS in not_allowed else [],
        ),
        *SWAP.judge("digits are never swapped out", _swap(not_allowed, has_swap=has_swap)),
    ]


def _swap(not_allowed: Sequence[str], *, has_swap: bool | None) -> list[Problem]:
    if NO_SWAP not in not_allowed or has_swap is False:
        return []
    if has_swap is None:
        return [unseen("memory cannot be locked, and whether there is swap is not known")]
    return [slight("memory cannot be locked, and this machine swaps")]


def try_hardening() -> list[str] | None:
    """The measures that this user is not allowed, tried in a process that ends at once."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", TRIAL],
            env={"PYTHONPATH": str(Path(__file__).resolve().parents[3]), "PYTHONUTF8": "1"},
            capture_output=True,
            timeout=TRIAL_SECONDS,
            check=True,
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return [str(one) for one in found] if isinstance(found, list) else None


def has_swap() -> bool | None:
    """Whether this machine may write memory to a disk; None where it does not say."""
    try:
        return len(SWAPS.read_text(encoding="ascii").splitlines()) > 1
    except OSError:
        return None
