"""What a bench found, beside what was to be reached; as a table, and as JSON in var/bench."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from ivr.settings import PROJECT

FOLDER = PROJECT / "var/bench"
NORMAL_95 = 1.959964
"""standard deviations to either side that hold 95 % of a normal distribution"""
Direction = Literal["at least", "at most"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach."""

    direction: Direction
    value: float

    def is_met(self, figure: float) -> bool:
        return figure >= self.value if self.direction == "at least" else figure <= self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    value: float | None
    """None: nothing was there to be measured"""
    unit: str = ""
    """"%" shows a share of 1 as per cent"""
    goal: Goal | None = None
    of: int | None = None
    """how many it was measured on"""
    low: float | None = None
    high: float | None = None
    """between these it is with a confidence of 95 %"""

    @property
    def met(self) -> bool | None:
        """None without a goal; a figure that could not be measured meets none."""
        if self.goal is None:
            return None
        return self.value is not None and self.goal.is_met(self.value)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the bench."""

    title: str
    figures: Sequence[Figure]
    faults: Sequence[dict[str, object]] = field(default_factory=tuple)
    """what went wrong, for whoever mends it: in the JSON only"""

    @property
    def met(self) -> bool:
        return all(figure.met is not False for figure in self.figures)


def at_least(value: float) -> Goal:
    """A goal for what should be high."""
    return Goal("at least", value)


def at_most(value: float) -> Goal:
    """A goal for what should be low."""
    return Goal("at most", value)


def share(what: str, count: int, of: int, goal: Goal | None = None) -> Figure:
    """So many of so many, with Wilson's interval; nothing of nothing is no figure."""
    if not of:
        return Figure(what, None, "%", goal, 0)
    low, high = wilson(count, of)
    return Figure(what, count / of, "%", goal, of, low, high)


def silences(found: Sequence[Sequence[object]]) -> Figure:
    """The silences of more than two seconds in so many calls in which it was our turn."""
    return Figure("silences of more than 2 s", sum(map(len, found)), "", at_most(0), len(found))


def wilson(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, 1927): right for shares near 0 and 1 too."""
    part, square = count / of, NORMAL_95**2
    middle = (part + square / (2 * of)) / (1 + square / of)
    half = (NORMAL_95 / (1 + square / of)) * (
        (part * (1 - part) / of + square / (4 * of**2)) ** 0.5
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def percentile(values: Sequence[float], part: float) -> float | None:
    """What this part of the values is at most; None of none."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else None


def milliseconds(
    what: str, seconds: Sequence[float], part: float, goal: Goal | None = None
) -> Figure:
    """A percentile of some times in seconds, as milliseconds."""
    found = percentile(seconds, part)
    value = None if found is None else round(1000 * found, 1)
    return Figure(f"{what}, p{100 * part:g}", value, "ms", goal, len(seconds))


def show(part: Part, console: Console) -> None:
    """A table: goal beside figure, and whether it is met."""
    table = Table("what", "figure", "95 %", "of", "goal", "met", title=part.title)
    for one in part.figures:
        goal = f"{one.goal.direction} {written(one.goal.value, one.unit)}" if one.goal else ""
        met = {True: "yes", False: "NO", None: ""}[one.met]
        between = ""
        if one.low is not None and one.high is not None:
            between = f"{written(one.low, one.unit)} to {written(one.high, one.unit)}"
        of = "" if one.of is None else f"{one.of:,}"
        table.add_row(one.what, written(one.value, one.unit), between, of, goal, met)
    console.print(table)


def written(value: float | None, unit: str) -> str:
    """A value with its unit."""
    if value is None:
        return "not measured"
    if unit == "%":
        return f"{100 * value:.1f} %"
    number = f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"
    return f"{number} {unit}".rstrip()


def save(name: str, part: Part, folder: Path = FOLDER) -> None:
    """Write var/bench/<name>.json, with the time and how busy the machine was."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = [{**asdict(one), "met": one.met} for one in part.figures]
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": [round(each, 2) for each in os.getloadavg()],
        "cores": os.cpu_count(),
        "title": part.title,
        "figures": figures,
        "faults": list(part.faults),
    }
    text = json.dumps(found, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
