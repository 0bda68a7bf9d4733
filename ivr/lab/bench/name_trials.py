"""What callers said and what was heard of it, and how often the right customer came of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ivr.billing.matches import Decision, Hypothesis, MarginRule, Named, Sure, decide
from ivr.billing.names import form
from ivr.lab.bench.name_population import Somebody
from ivr.storage.names import SPOKEN_RULE, PostgresNames

SLOWEST_SHARE = 0.99
OFFERED = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """One caller."""

    language: str
    heard: tuple[Hypothesis, ...]
    """what the recogniser gave, best first"""
    customer: int | None
    """who called; None for somebody who is no customer"""


def read(path: Path, ids: dict[str, int]) -> Iterator[Trial]:
    """Trials from JSON lines, such as a recogniser's output over recorded or synthetic calls.

    `{"account": "1042" or null, "language": "en", "heard": ["james smith", ["jane smith", 0.4]]}`;
    `ids` are the customers by account number. Without a cost of its own, each hypothesis costs 0.15
    more than the one before. Raises ValueError, naming the line.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            account = row["account"]
            heard = [
                Hypothesis(each, 0.15 * rank) if isinstance(each, str) else Hypothesis(*each)
                for rank, each in enumerate(row["heard"])
            ]
            customer = None if account is None else ids[account]
            yield Trial(row["language"], tuple(heard), customer)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path.name}, line {number}: is no trial ({error})") from error


@dataclass(slots=True)
class Score:
    """Counts over trials; shares are of the callers who are customers."""

    customers: int = 0
    strangers: int = 0
    first: int = 0
    in_three: int = 0
    sure: int = 0
    wrong_accepted: int = 0
    """sure of a name that the caller does not bear, strangers included: must be 0"""
    offered: int = 0
    """sure of the right one, or right one among the three offered"""
    seconds: list[float] = field(default_factory=list)
    missed: list[Trial] = field(default_factory=list)
    """of which the right customer was not first"""

    def add(
        self, trial: Trial, ranked: Sequence[Named], decision: Decision, seconds: float
    ) -> None:
        """Count one trial."""
        self.seconds.append(seconds)
        if isinstance(decision, Sure):
            self.sure += 1
            self.wrong_accepted += trial.customer not in decision.named.customers
        if trial.customer is None:
            self.strangers += 1
            return
        self.customers += 1
        right = [trial.customer in named.customers for named in ranked[:OFFERED]]
        self.first += any(right[:1])
        self.in_three += any(right)
        if not any(right[:1]):
            self.missed.append(trial)
        self.offered += any(trial.customer in named.customers for named in _offered(decision))

    def milliseconds(self, share: float) -> float:
        """The time that this share of the look-ups took at most."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    def figures(self) -> dict[str, float]:
        """For the table and for var/bench."""
        customers = max(self.customers, 1)
        return {
            "trials": len(self.seconds),
            "top1": round(self.first / customers, 4),
            "top3": round(self.in_three / customers, 4),
            "offered": round(self.offered / customers, 4),
            "sure": round(self.sure / max(len(self.seconds), 1), 4),
            "wrong_accepted": self.wrong_accepted,
            "p50_ms": round(self.milliseconds(0.5), 1),
            "p99_ms": round(self.milliseconds(SLOWEST_SHARE), 1),
        }


def _offered(decision: Decision) -> Sequence[Named]:
    if isinstance(decision, Sure):
        return (decision.named,)
    return getattr(decision, "names", ())


async def evaluate(
    names: PostgresNames,
    trials: Sequence[Trial],
    at_once: int = 1,
    rule: MarginRule = SPOKEN_RULE,
) -> Score:
    """Look every trial up, so many at once."""
    score = Score()
    left = iter(trials)

    async def work() -> None:
        for trial in left:
            began = time.perf_counter()
            ranked = await names.ranked(trial.heard, trial.language)
            decision = decide(ranked, rule)
            score.add(trial, ranked, decision, time.perf_counter() - began)

    await asyncio.gather(*(work() for _ in range(at_once)))
    return score


def perfect(somebody: Somebody, customer: int) -> Trial:
    """The full name, every word recognised; a company without its legal form."""
    words = form(somebody.name, somebody.kind).written
    return Trial(somebody.language, (Hypothesis(" ".join(words)),), customer)


def edits(one: str, other: str) -> int:
    """Levenshtein's distance."""
    costs = list(range(len(other) + 1))
    for i, sign in enumerate(one, start=1):
        corner, costs[0] = costs[0], i
        for j, against in enumerate(other, start=1):
            corner, costs[j] = (
                costs[j],
                min(costs[j] + 1, costs[j - 1] + 1, corner + (sign != against)),
            )
    return costs[-1]
