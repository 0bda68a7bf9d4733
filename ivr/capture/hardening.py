"""Makes the secure process hard to look into: no core dumps, debugger, swap or shared files."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
MCL_CURRENT_FUTURE_ONFAULT = 7
"""everything, now and later, as it is first used: thread stacks are not made whole in advance"""
PRIVATE_FILES = 0o077
NO_CORE, NO_DEBUGGER, NO_SWAP = "no core dumps", "no debugger", "no swap"
NO_RIGHTS = "no new rights"
PARENT_VARIABLE = "SALDO_CAPTURE_PARENT"
"""Set by `saldo serve`, to its own process id, for the child it starts."""


def harden() -> None:
    """Do what this machine allows; what it does not allow is logged once and is no error."""
    os.umask(PRIVATE_FILES)
    asyncio.get_running_loop().set_debug(False)  # debug mode logs what tasks return
    if missing := not_allowed():
        log.warning("hardening_incomplete", not_allowed=missing)


def not_allowed() -> list[str]:
    """Take every measure for this process; those that this machine does not allow."""
    measures: dict[str, Callable[[], None]] = {
        NO_CORE: _no_core,
        NO_DEBUGGER: lambda: _prctl(PR_SET_DUMPABLE, 0),
        NO_SWAP: _lock_memory,
        NO_RIGHTS: lambda: _prctl(PR_SET_NO_NEW_PRIVS, 1),
    }
    return [name for name, measure in measures.items() if not _done(measure)]


def die_with_parent() -> bool:
    """As a child of `saldo serve`: stop (SIGTERM) when it dies. False when it has died already.

    Call before hardening ends: the kernel forgets the wish when a program changes its user.
    """
    parent = os.environ.get(PARENT_VARIABLE, "")
    if not parent:
        return True
    if not _done(lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)):
        log.warning("hardening_incomplete", not_allowed=["stop with the parent"])
    return str(os.getppid()) == parent


def settle_memory() -> None:
    """After start-up: leave what was loaded out of later collections, so that they are quick."""
    gc.collect()
    gc.freeze()


def forget() -> None:
    """After a segment: free what only reference cycles still hold, such as tracebacks."""
    gc.collect()


def _no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _lock_memory() -> None:
    # Only where the limit is off: under a limit, later allocations would fail instead.
    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    if not unlimited and os.geteuid() != 0:
        raise PermissionError("RLIMIT_MEMLOCK is set")
    if _libc().mlockall(MCL_CURRENT_FUTURE_ONFAULT) != 0:
        raise OSError(ctypes.get_errno(), "mlockall")


def _prctl(option: int, value: int) -> None:
    if _libc().prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _libc() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError("only Linux has this")
    return ctypes.CDLL(None, use_errno=True)


def _done(measure: Callable[[], None]) -> bool:
    try:
        measure()
    except (OSError, ValueError, AttributeError):
        return False
    return True
