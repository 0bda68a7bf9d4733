"""What a check of the PBX, the database or this machine has found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARNING = "warning"
    """safe as it is, but no longer when something else goes wrong"""
    FAULT = "fault"
    """card digits, money or the PBX itself are in danger, or calls cannot be paid"""
    UNKNOWN = "unknown"
    """it could not be looked at; never taken for ok"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what `saldo doctor` says."""

    id: str
    grade: Grade
    found: str
    why: str
    change: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What is not as it must be, and how bad that is."""

    found: str
    grade: Grade = Grade.FAULT


def slight(found: str) -> Problem:
    """A problem that is a warning only."""
    return Problem(found, Grade.WARNING)


def unseen(found: str) -> Problem:
    """Something that could not be looked at."""
    return Problem(found, Grade.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at, why it matters, and what to change where it is wrong."""

    id: str
    why: str
    change: str

    def judge(self, fine: str, problems: Iterable[Problem]) -> list[Finding]:
        """A finding for each problem; where there is none, one that says `fine`."""
        return [self._finding(one.grade, one.found) for one in problems] or [
            self._finding(Grade.OK, fine)
        ]

    def unknown(self, reason: str) -> Finding:
        """It could not be looked at."""
        return self._finding(Grade.UNKNOWN, reason)

    def _finding(self, grade: Grade, found: str) -> Finding:
        return Finding(self.id, grade, found, self.why, self.change)
