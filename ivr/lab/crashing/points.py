"""Finds every await of a task and every step of a request, and strikes at one of them."""

from __future__ import annotations

import asyncio
import contextvars
import http.client
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from types import CodeType
from typing import Any

import urllib3.connection

Strike = Callable[[str], None]
MANY = 400
"""more points than a charge has: rounds that never end are not counted further"""
OUTSIDE = ("ivr/billing/paying", "ivr/lab/", "ivr/owning", "asyncio/")
"""parts that a point's name need not tell"""


class Watch:
    """Counts the points of one process, and calls `strike` once at the one it aims at."""

    def __init__(self, aim: str, strike: Strike) -> None:
        self._aim = aim
        self._strike = strike
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.seen: list[str] = []
        self.is_on = contextvars.ContextVar("is_on", default=False)
        """whether tasks that begin here are watched"""

    def at(self, place: str) -> None:
        """The process is at this place now."""
        with self._lock:
            self._counts[place] += 1
            point = f"{place}.{self._counts[place]}"
            if len(self.seen) < MANY:
                self.seen.append(point)
        if point == self._aim:
            self._strike(point)

    def watch_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        """Each suspension of a task that is watched becomes two points, one on either side."""

        def factory(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
            stepped = _Stepped(work, self) if self.is_on.get() else work
            return asyncio.Task(stepped, loop=loop, **more)

        loop.set_task_factory(factory)

    def watch_requests(self) -> None:
        """Each part of each HTTP request becomes points: none, some and all of its bytes sent."""
        connection: Any = urllib3.connection.HTTPConnection
        plain: Any = http.client.HTTPConnection
        connection.connect = self._around("connect", connection.connect)
        connection.getresponse = self._around("answer", connection.getresponse)
        send = plain.send

        def in_parts(self_: Any, data: Any) -> None:
            self.at("gateway.send.none")
            half = len(data) // 2
            send(self_, data[:half])
            self.at("gateway.send.some")
            send(self_, data[half:])
            self.at("gateway.send.all")

        plain.send = in_parts

    def _around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*values: Any, **named: Any) -> Any:
            self.at(f"gateway.{name}.before")
            result = work(*values, **named)
            self.at(f"gateway.{name}.after")
            return result

        return watched


class _Stepped(Coroutine[Any, Any, Any]):
    """A coroutine whose suspensions are points."""

    def __init__(self, work: Coroutine[Any, Any, Any], watch: Watch) -> None:
        self._work = work
        self._watch = watch
        self._waits_in = ""

    def send(self, value: Any) -> Any:
        return self._step(lambda: self._work.send(value))

    def throw(self, *error: Any) -> Any:
        return self._step(lambda: self._work.throw(*error))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()

    def _step(self, step: Callable[[], Any]) -> Any:
        if self._waits_in:
            self._watch.at(f"{self._waits_in}.goes-on")
        waited_for = step()
        self._waits_in = _where(self._work)
        self._watch.at(f"{self._waits_in}.waits")
        return waited_for


def _where(work: Any) -> str:
    """What a coroutine is waiting in: the part of ours, and the innermost of all."""
    codes = list(_codes(work))
    ours = [
        code
        for code in codes
        if "/ivr/" in code.co_filename and not any(part in code.co_filename for part in OUTSIDE)
    ]
    outer = ours[0] if ours else codes[0]
    return f"{outer.co_name}.{codes[-1].co_name}"


def _codes(work: Any) -> Generator[CodeType, None, None]:
    while work is not None:
        for kind in ("cr", "gi", "ag"):
            code = getattr(work, f"{kind}_code", None)
            if code is not None:
                yield code
                work = getattr(work, f"{kind}_await", None) or getattr(work, "gi_yieldfrom", None)
                break
        else:
            return
