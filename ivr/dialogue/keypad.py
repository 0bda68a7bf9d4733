"""Collecting keys for one answer: what `*`, `**`, `#`, the timers and a full length do.

Pure: keys and seconds come in, a step comes out; no clock, no line. Used for account numbers here
and for card digits in `saldo capture`, which brings a buffer of its own that can be wiped.
Rules: capture.md, "Fields".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, Protocol, TypeVar


class KeyBuffer(Protocol):
    """Keys entered so far."""

    def append(self, key: str) -> None: ...

    def clear(self) -> None: ...

    def is_only_zeros(self) -> bool: ...

    def __len__(self) -> int: ...


class PlainKeys:
    """A buffer for keys that are no secret."""

    def __init__(self) -> None:
        self.text = ""

    def append(self, key: str) -> None:
        self.text += key

    def clear(self) -> None:
        self.text = ""

    def is_only_zeros(self) -> bool:
        return not self.text.strip("0")

    def __len__(self) -> int:
        return len(self.text)


BufferT = TypeVar("BufferT", bound=KeyBuffer)


class Step(Enum):
    """What a key or an expired timer led to."""

    MORE = auto()
    """go on listening"""
    CLEARED = auto()
    """`*`: the field is empty again; say so and go on"""
    LEFT = auto()
    """`**`: the caller leaves this question"""
    SUBMITTED = auto()
    """the answer is in the buffer"""
    TIMED_OUT = auto()
    """nothing, or not enough, was keyed in time"""
    AGENT = auto()
    """`0` twice and nothing else: a person is wanted"""


@dataclass(frozen=True, slots=True)
class EntryRule(Generic[BufferT]):
    """When an entry is over. Seconds; double them for slow callers with `slower()`."""

    is_full: Callable[[BufferT], bool]
    """no further key can belong to it: submitted without waiting"""
    is_enough: Callable[[BufferT], bool]
    """long enough to be submitted when the caller stops keying"""
    first_key_seconds: float = 10.0
    between_keys_seconds: float = 5.0

    def slower(self) -> EntryRule[BufferT]:
        return EntryRule(
            self.is_full, self.is_enough, self.first_key_seconds * 2, self.between_keys_seconds * 2
        )


ZEROS_FOR_AGENT = 2


class KeyEntry(Generic[BufferT]):
    """One entry. Call `listen` when the prompt ends or is hushed, then `press` and `expire`."""

    def __init__(
        self, rule: EntryRule[BufferT], buffer: BufferT, begun: Callable[[], None] = lambda: None
    ) -> None:
        """`begun` is told when the first digit is in the buffer."""
        self.rule = rule
        self.buffer = buffer
        self.deadline: float | None = None
        """seconds on the caller's clock at which `expire` is due; None before `listen`"""
        self._begun = begun
        self._starred = False

    def listen(self, now: float) -> None:
        """Start waiting for the first key, unless one came already."""
        if self.deadline is None:
            self.deadline = now + self.rule.first_key_seconds

    def press(self, key: str, now: float) -> Step:
        """Take one key: 0-9, *, #. Others (A-D), and # before any digit, change nothing."""
        if key == "#":
            return self._submit()
        if key == "*":
            return self._star()
        if key not in "0123456789":
            return Step.MORE
        self._starred = False
        self.deadline = now + self.rule.between_keys_seconds
        self.buffer.append(key)
        if len(self.buffer) == 1:
            self._begun()
        return Step.SUBMITTED if self.rule.is_full(self.buffer) else Step.MORE

    def expire(self) -> Step:
        """The deadline has passed."""
        if len(self.buffer) and self.rule.is_enough(self.buffer):
            return Step.SUBMITTED
        return self._agent_or(Step.TIMED_OUT)

    def _star(self) -> Step:
        if self._starred:
            return Step.LEFT
        self._starred = True
        self.buffer.clear()
        self.deadline = None  # `listen` starts the first-key timer when "cleared" has been said
        return Step.CLEARED

    def _submit(self) -> Step:
        return self._agent_or(Step.SUBMITTED if len(self.buffer) else Step.MORE)

    def _agent_or(self, otherwise: Step) -> Step:
        zeros = len(self.buffer) == ZEROS_FOR_AGENT and self.buffer.is_only_zeros()
        return Step.AGENT if zeros else otherwise
