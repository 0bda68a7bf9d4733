"""A part of many cases that has some of every kind, and is the same in every run."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def every_nth(every: int, things: Iterable[T], kind_of: Callable[[T], Hashable]) -> Iterator[T]:
    """Every so manieth thing of each kind, in order; the first kind's first, the next's second."""
    first: dict[Hashable, int] = {}
    met: dict[Hashable, int] = {}
    for thing in things:
        kind = kind_of(thing)
        first.setdefault(kind, len(first) % every)
        place = met.get(kind, 0)
        met[kind] = place + 1
        if place % every == first[kind]:
            yield thing
