"""Which customer a spoken name means: names ranked by distance, and when to be sure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from math import inf, isclose
from typing import TypeAlias

from ivr.billing.customers import CustomerKind

Near: TypeAlias = Mapping[str, float]
"""Folded words of the directory that a heard word may be, with their distances."""

UNSAID = 0.3
"""a word of the name that the caller left out: a second surname, a middle name"""
UNKNOWN_WORD = 0.8
"""a word heard that is not in the name"""
TURNED = 0.2
"""surname first"""
SPELLED_OTHERWISE = 0.03
"""the same sound, other letters"""
NICKNAME = 0.3
JOINED = 0.1
"""two words heard that are one in the name"""
NEARLY_AS_GOOD = 0.3
"""cost of a hypothesis that may as well be what was said"""
SAME = 1e-9
"""costs that differ by less came of adding up in another order"""
CALLING_NUMBER_KNOWN = 0.3
OWES = 0.05


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One thing the recogniser may have heard, and how much worse than its best one: 0 is best."""

    text: str
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Said:
    """One reading of a hypothesis: its words in order, each as words of the directory."""

    near: tuple[Near, ...]
    cost: float = 0.0
    hypothesis: int = 0
    """which one it is a reading of"""


@dataclass(frozen=True, slots=True)
class Named:
    """A name that one or more customers bear, as far as the caller said it."""

    name: str
    """what is read out to confirm, as on an invoice but for the words that were not said"""
    customers: tuple[int, ...]
    """ids of all of whom this may be said; the second factor tells them apart"""
    distance: float
    """between what was heard and this name; 0 is the same"""
    known: float = 0.0
    """how much speaks for it besides its sound"""
    dissent: float = 0.0
    """how far it is from the farthest thing that may as well have been said"""

    @property
    def rank(self) -> float:
        """What names are ordered by."""
        return self.distance - self.known


@dataclass(frozen=True, slots=True)
class Sure:
    """The name that was said: confirm it by saying it."""

    named: Named


@dataclass(frozen=True, slots=True)
class Choose:
    """One of these, at most three, the likeliest first; or none of them."""

    names: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Unsure:
    """Nothing near enough, or too much: ask to spell by keys, then for the account number."""


Decision: TypeAlias = Sure | Choose | Unsure


@dataclass(frozen=True, slots=True)
class MarginRule:
    """When a name is taken for the one that was said; tuned with ivr.lab.bench.names."""

    sure: float = 0.25
    """farther than this nothing is sure"""
    margin: float = 0.5
    """how much farther the next name must be"""
    dissent: float = 0.6
    """nor is anything sure if something this far from it may as well have been said"""
    far: float = 2.0
    """farther than this nothing is offered"""
    span: float = 1.2
    """what is offered is at most this much farther than the best"""
    tie: float = 0.02
    """names closer together than this cannot be told apart by what was heard"""


MOST_OFFERED = 3


def decide(names: Iterable[Named], rule: MarginRule = MarginRule()) -> Decision:
    """Sure of one, up to three to choose from, or neither. The order of `names` does not matter."""
    ranked = sorted(names, key=lambda named: (named.rank, named.distance, named.name))
    near = [named for named in ranked if named.distance <= rule.far]
    if not near:
        return Unsure()
    best = near[0]
    second = near[1].rank if len(near) > 1 else inf
    alone = second - best.rank >= rule.margin and best.dissent <= rule.dissent
    if best.distance <= rule.sure and alone:
        return Sure(best)
    offered = [named for named in near if named.rank - best.rank <= rule.span]
    if len(offered) > MOST_OFFERED and offered[MOST_OFFERED].rank - best.rank < rule.tie:
        return Unsure()
    return Choose(tuple(offered[:MOST_OFFERED]))


def dissent(said: Iterable[Said], words: Sequence[str], kind: CustomerKind) -> float:
    """How far a name is from the farthest hypothesis that is nearly as good as the best one."""
    nearest: dict[int, float] = {}
    for one in said:
        if one.cost <= NEARLY_AS_GOOD:
            apart = name_distance(one, words, kind) - one.cost
            nearest[one.hypothesis] = min(apart, nearest.get(one.hypothesis, inf))
    return max(nearest.values(), default=0.0)


def name_distance(said: Said, words: Sequence[str], kind: CustomerKind) -> float:
    """How far a name is from what was said; infinite if a word said and its own are unrelated."""
    return min(_turned(said, words, turn) for turn in _turns(words, kind))


def words_said(said: Iterable[Said], words: Sequence[str], kind: CustomerKind) -> tuple[int, ...]:
    """The places of a name's words that stand for words said, in the reading nearest to it.

    A word so far from every one heard that it may as well be another does not stand for any.
    """
    ways = ((one, turn) for one in said for turn in _turns(words, kind))
    nearest, turn = min(ways, key=lambda way: _turned(way[0], words, way[1]))
    places = _counterparts(nearest.near, [*words[turn:], *words[:turn]])
    return tuple(sorted((place + turn) % len(words) for place in places))


def _turns(words: Sequence[str], kind: CustomerKind) -> range:
    """How many of a name's first words may be said last."""
    return range(len(words)) if kind is CustomerKind.PERSON else range(1)


def _turned(said: Said, words: Sequence[str], turn: int) -> float:
    costs = _alignments(said.near, [*words[turn:], *words[:turn]])
    unrelated = UNKNOWN_WORD * len(said.near) + UNSAID * len(words)
    if costs[-1][-1] >= unrelated:  # at least one word must be the name's
        return inf
    return said.cost + costs[-1][-1] + (TURNED if turn else 0.0)


def _alignments(near: Sequence[Near], words: Sequence[str]) -> list[list[float]]:
    """What the cheapest alignment in order costs, of each beginning of both; the last is all."""
    costs = [[UNSAID * place for place in range(len(words) + 1)]]
    for at, likely in enumerate(near, start=1):
        above, row = costs[-1], [UNKNOWN_WORD * at]
        for place, word in enumerate(words):
            row.append(
                min(
                    row[place] + UNSAID,
                    above[place + 1] + UNKNOWN_WORD,
                    above[place] + likely.get(word, inf),
                )
            )
        costs.append(row)
    return costs


def _counterparts(near: Sequence[Near], words: Sequence[str]) -> Iterator[int]:
    """The places of the words that stand for one that was said, in a cheapest alignment."""
    costs = _alignments(near, words)
    at, place = len(near), len(words)
    while at and place:
        cost, likely, word = costs[at][place], near[at - 1], words[place - 1]
        if isclose(cost, costs[at - 1][place - 1] + likely.get(word, inf), abs_tol=SAME):
            at, place = at - 1, place - 1
            yield place
        elif isclose(cost, costs[at][place - 1] + UNSAID, abs_tol=SAME):
            place -= 1
        else:
            at -= 1


def likely_combinations(readings: Sequence[Said], limit: int) -> list[tuple[str, ...]]:
    """The word combinations most likely said, likeliest first: what candidates are looked up by.

    All words of a reading and, of three or more, all but one.
    """
    ways = heapq.merge(*(_combinations(said) for said in readings))
    found: dict[tuple[str, ...], None] = {}
    for _, words in islice(ways, limit * 2):
        found.setdefault(tuple(sorted(words)))
        if len(found) >= limit:
            break
    return list(found)


def _combinations(said: Said) -> Iterator[tuple[float, tuple[str, ...]]]:
    places = range(len(said.near))
    ways = [_best_first(said.near, said.cost)]
    if len(places) > 2:  # noqa: PLR2004 - what is left must be two words
        ways += [
            _best_first([said.near[place] for place in part], said.cost + UNKNOWN_WORD)
            for part in combinations(places, len(places) - 1)
        ]
    return heapq.merge(*ways)


def _best_first(near: Sequence[Near], cost: float) -> Iterator[tuple[float, tuple[str, ...]]]:
    """Every choice of one word a place by rising cost, made only as far as it is asked for."""
    lists = [sorted((apart, word) for word, apart in likely.items()) for likely in near]
    if not all(lists):
        return
    start = cost + sum(ways[0][0] for ways in lists)
    heap = [(start, (0,) * len(lists), 0)]
    while heap:
        total, chosen, last = heapq.heappop(heap)
        yield total, tuple(ways[index][1] for ways, index in zip(lists, chosen, strict=True))
        for place in range(last, len(lists)):
            index = chosen[place] + 1
            if index < len(lists[place]):
                farther = total - lists[place][index - 1][0] + lists[place][index][0]
                step = (*chosen[:place], index, *chosen[place + 1 :])
                heapq.heappush(heap, (farther, step, place))
