"""Misbehaviour on request: what the stand-in does wrong, to which operation, how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODES = (
    "delay",  # wait `seconds`, then work and answer
    "hang",  # never work and never answer; the connection is cut after `seconds`
    "reset-before",  # cut the connection; nothing was done
    "reset-after",  # do the work, then cut the connection
    "500-after-capture",  # do the work, then answer 500
    "hang-after",  # do the work and never answer; the connection is cut after `seconds`
    "twice",  # the request arrives twice, as through a proxy that repeats it; the second answer
    "search-lag",  # a search does not see what is younger than `seconds`
    "refuse-keys",  # request keys are not allowed for this merchant (915231)
    "refuse-moto",  # the merchant account takes no telephone orders (91558)
)
WIRE_MODES = MODES[:7]
OPERATIONS = (
    "sale", "find", "search", "void", "settle", "refund", "reverse",
    "customer", "remove", "tokenize", "vault", "ping",
)  # fmt: skip
HANGING = ("hang", "hang-after")
HANG_SECONDS = 3600.0


class NoSuchFault(ValueError):
    """A request for misbehaviour that is not one of ours."""


@dataclass(slots=True)
class Fault:
    """One misbehaviour."""

    mode: str
    seconds: float
    left: int | None
    """how many more times; None is until it is taken back"""
    on: tuple[str, ...]
    """the operations it befalls"""


class Faults:
    """All misbehaviour that was asked for and is not used up."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def ask(self, wish: Mapping[str, Any]) -> None:
        """`{"mode": …, "seconds": 3, "count": 1, "on": ["sale"]}`; only the mode is needed.

        Raises:
            NoSuchFault: the sentence says what is allowed.
        """
        mode = wish.get("mode")
        if mode not in MODES:
            raise NoSuchFault(f"mode must be one of {', '.join(MODES)}")
        try:
            seconds = float(wish.get("seconds", HANG_SECONDS if mode in HANGING else 1))
            count = None if wish.get("count") is None else int(wish["count"])
            on = tuple(wish.get("on", ("sale",)))
        except (TypeError, ValueError):
            raise NoSuchFault("seconds and count are numbers, on is a list") from None
        if not set(on) <= set(OPERATIONS) or seconds < 0 or (count is not None and count < 1):
            raise NoSuchFault(f"count and seconds are positive, on is of {', '.join(OPERATIONS)}")
        self._faults.append(Fault(mode, seconds, count, on))

    def clear(self) -> None:
        """Behave again."""
        self._faults.clear()

    def strike(self, operation: str) -> Fault | None:
        """The fault on the wire that befalls this request, counted down; None for none."""
        for fault in self._faults:
            if fault.mode in WIRE_MODES and operation in fault.on:
                return self._count_down(fault)
        return None

    def refuses(self, mode: str) -> bool:
        """Whether refuse-keys or refuse-moto is on; counted down."""
        fault = self._find(mode)
        return fault is not None and self._count_down(fault) is fault

    def lag_seconds(self) -> float:
        """How old a transaction must be to be found by this search; counted down."""
        fault = self._find("search-lag")
        return self._count_down(fault).seconds if fault else 0.0

    def _find(self, mode: str) -> Fault | None:
        return next((fault for fault in self._faults if fault.mode == mode), None)

    def _count_down(self, fault: Fault) -> Fault:
        if fault.left is not None:
            fault.left -= 1
            if fault.left == 0:
                self._faults.remove(fault)
        return fault
