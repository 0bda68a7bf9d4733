"""An event loop whose clock jumps to the next timer when nothing else is left to do.

`loop_factories` in a conftest.py makes every async test of that folder run in it:

    def pytest_asyncio_loop_factories(config, item):
        return {"virtual": VirtualTimeLoop}

Minutes of waiting take no time. A test that waits for nothing at all fails, rather than hangs.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable

REAL_SECONDS_FOR_THREADS = 1.0
"""how long a thread's result is really waited for when no timer is set"""


class NothingWillHappen(Exception):
    """Every task waits and no timer is set: the call would hang for ever."""


class _Jumping(selectors.DefaultSelector):
    """Never sleeps for a timer: it adds the time to `now`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.turns = 0
        self.at_turn: dict[int, Callable[[], None]] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        if act := self.at_turn.pop(self.turns, None):
            act()
            timeout = 0
        ready = super().select(REAL_SECONDS_FOR_THREADS if timeout is None else 0)
        if timeout is None and not ready:
            raise NothingWillHappen
        if timeout and not ready:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0 and moves by jumps."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    @property
    def turns(self) -> int:
        """How often the loop has gone round: every await that waited ended at one of them."""
        return self._jumping.turns

    def at_turn(self, turn: int, act: Callable[[], None]) -> None:
        """Call `act` when the loop goes round for the `turn`th time from now."""
        self._jumping.at_turn[self._jumping.turns + turn] = lambda: self._soon(act)

    def _soon(self, act: Callable[[], None]) -> None:
        self.call_soon(act)
