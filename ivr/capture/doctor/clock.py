"""Whether a time service holds this machine's clock, as the kernel tells."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

from ivr.capture.doctor.finding import Check, Finding, Problem, slight

UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2)"""
FAULTY = 5
"""TIME_ERROR of adjtimex(2)"""
LATE_SECONDS, WRONG_SECONDS = 1.0, 60.0
MICROSECONDS = 1_000_000

SYNCHRONISED = Check(
    "clock-service",
    "a clock that nobody sets goes wrong by seconds a week: then logs, due dates and the gateway's "
    "records cannot be laid side by side",
    "run a time service (chrony, systemd-timesyncd) and wait until it has set the clock",
)


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What the kernel knows of its clock."""

    synchronised: bool
    error_seconds: float
    """how wrong it may be at most"""


class _Timex(ctypes.Structure):
    """`struct timex` of Linux with 64 bits, as far as it is read; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("greatest_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


def read() -> KernelClock | None:
    """What the kernel says; None where this machine has no such question."""
    asked = _Timex()  # modes 0: nothing is set
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    held = state != FAULTY and not asked.status & UNSYNCHRONISED
    return KernelClock(held, asked.greatest_error / MICROSECONDS)


def look_at(clock: KernelClock | None) -> list[Finding]:
    """The finding about the clock."""
    if clock is None:
        return [SYNCHRONISED.unknown("this machine does not tell whether its clock is set")]
    return SYNCHRONISED.judge("a time service holds this machine's clock", _problems(clock))


def _problems(clock: KernelClock) -> Iterator[Problem]:
    if not clock.synchronised:
        yield slight("no time service holds this machine's clock")
    elif clock.error_seconds > LATE_SECONDS:
        kind = Problem if clock.error_seconds > WRONG_SECONDS else slight
        yield kind(f"this machine's clock may be {clock.error_seconds:.0f} s wrong")
