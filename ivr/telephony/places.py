"""Where a caller can be, and be sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SecurePart:
    """Where card digits are collected."""

    app: str
    limit_seconds: float
    """how long a caller may stay there"""
    is_alive: Callable[[], bool] = lambda: True
    """False when the secure process is known to be dead; the PBX lists its application as long as
    a caller is in it, so it cannot tell"""


@dataclass(frozen=True, slots=True)
class Agents:
    """Where a caller who wants a person goes in the dial plan, and the queue behind it."""

    context: str
    extension: str
    queue: str


class Queues(Protocol):
    """Who waits for callers (ami.Ami)."""

    async def queue_members_available(self, queue: str) -> int | None: ...


class Place(Enum):
    """Where the caller is."""

    HERE = auto()
    LENT = auto()
    """in the secure part"""
    LEFT = auto()
