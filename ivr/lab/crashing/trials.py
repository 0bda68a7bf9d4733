"""What is tried: what goes wrong, at which point of a charge, under which misbehaviour."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any, Self

GOOD, BAD = "42.50", "2001.00"
"""amounts: the second one the stand-in declines"""
TIMEOUT_SECONDS = 0.8
"""the gateway client's, 65 in the product"""


class Action(StrEnum):
    """What happens when the point is reached."""

    NOTHING = "nothing"
    KILL = "kill"
    """SIGKILL to the process that charges"""
    HANG_UP = "hang-up"
    """the caller leaves: the task of the call is cancelled"""
    FREEZE = "freeze"
    """the process stands still until another daemon, which takes it for dead, has resolved all"""
    TERMINATE = "terminate"
    """Postgres ends its backends, during their COMMIT if one is on its way"""
    CUT = "cut"
    """the connections to Postgres break; what was sent is still carried out"""
    FULL = "full"
    """the database's disk is full for a while: SQLSTATE 53100 in statements"""
    FULL_AT_COMMIT = "full-at-commit"
    """the same, when they are committed"""
    CRASH = "crash"
    """SIGKILL to all of Postgres, which is then started again"""
    KILL_RESOLVER = "kill-resolver"
    """the charge is killed, and so is the process that then resolves it"""


class Caller(StrEnum):
    """What the caller does."""

    STAYS = "stays"
    LEFT = "left"
    """hung up as soon as the charge had begun"""
    CALLS_BACK = "calls-back"
    """pays the same invoices again at once"""


@dataclass(frozen=True, slots=True)
class Gateway:
    """How the gateway behaves."""

    what: str
    wishes: tuple[Mapping[str, Any], ...] = ()
    amount: str = GOOD
    has_keys: bool = True
    """whether the account allows request keys"""
    is_known: bool = False
    """that it allows none is known to the client already"""
    is_away: bool = False
    """it cannot be reached by who charges"""


def _once(mode: str, **more: object) -> Mapping[str, Any]:
    return {"mode": mode, "count": 1, **more}


_NO_KEYS = {"mode": "refuse-keys"}

GATEWAYS: dict[str, Gateway] = {
    "ok": Gateway("answers"),
    "decline": Gateway("declines", amount=BAD),
    "slow": Gateway("answers slowly", ({"mode": "delay", "seconds": 0.15},)),
    "late": Gateway("charges after the time-out", (_once("delay", seconds=1.2),)),
    "hang": Gateway("never answers and never charges", (_once("hang", seconds=30),)),
    "hang-after": Gateway("charges and never answers", (_once("hang-after", seconds=30),)),
    "reset-before": Gateway("breaks off before it charges", (_once("reset-before"),)),
    "reset-after": Gateway("charges and breaks off", (_once("reset-after"),)),
    "reset-twice": Gateway(
        "charges and breaks off, and breaks off when asked again",
        ({"mode": "reset-after", "count": 2},),
    ),
    "500": Gateway("charges and answers 500", (_once("500-after-capture"),)),
    "away": Gateway("refuses connections", is_away=True),
    "no-keys": Gateway("refuses request keys", (_NO_KEYS,), has_keys=False),
    "duplicate": Gateway(
        "gets the request twice and rejects the second",
        (_NO_KEYS, _once("twice")),
        has_keys=False,
        is_known=True,
    ),
    "search-lag": Gateway(
        "refuses keys, charges, breaks off, and its search lags",
        (_NO_KEYS, _once("reset-after"), {"mode": "search-lag", "seconds": 0.6, "on": ["search"]}),
        has_keys=False,
        is_known=True,
    ),
    "lost": Gateway(
        "refuses keys and breaks off before it charges",
        (_NO_KEYS, _once("reset-before")),
        has_keys=False,
        is_known=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One way for one charge to go wrong."""

    action: Action
    gateway: str
    caller: Caller = Caller.STAYS
    resolvers: int = 1
    """so many daemons resolve at the same time"""
    point: str = ""
    """where in the charge"""
    then: str = ""
    """where in the resolving, for who is killed there"""

    @property
    def id(self) -> str:
        return "/".join(
            (self.action, self.gateway, self.caller, str(self.resolvers), self.point, self.then)
        )

    @classmethod
    def of(cls, name: str) -> Self:
        """The trial with this id. Raises ValueError: it is none."""
        action, gateway, caller, resolvers, point, then = name.split("/")
        if gateway not in GATEWAYS:
            raise ValueError(f"no gateway {gateway}")
        return cls(Action(action), gateway, Caller(caller), int(resolvers), point, then)


SHARES: dict[Action, int] = {
    Action.KILL: 44,
    Action.KILL_RESOLVER: 12,
    Action.FREEZE: 12,
    Action.HANG_UP: 8,
    Action.TERMINATE: 7,
    Action.CUT: 7,
    Action.FULL: 4,
    Action.FULL_AT_COMMIT: 3,
    Action.CRASH: 3,
}
"""per cent of the trials"""


@dataclass(frozen=True, slots=True)
class Points:
    """Where a charge and its resolving can be struck, for each gateway."""

    charging: Mapping[str, Sequence[str]]
    resolving: Mapping[str, Sequence[str]]
    deaths: Mapping[str, Sequence[str]]
    """of charging: where it is killed before the resolving that is killed"""


def every(points: Points) -> dict[Action, list[Trial]]:
    """The whole matrix."""
    return {action: list(_column(action, points)) for action in SHARES}


def _column(action: Action, points: Points) -> Iterator[Trial]:
    for gateway, places in points.charging.items():
        if action is Action.KILL_RESOLVER:
            for death, then in product(points.deaths[gateway], points.resolving[gateway]):
                yield from (
                    Trial(action, gateway, Caller.STAYS, many, death, then) for many in (1, 2)
                )
        elif action is Action.KILL:
            for caller, many, place in product(Caller, (1, 2), places):
                yield Trial(action, gateway, caller, many, place)
        else:
            callers = (Caller.STAYS, Caller.CALLS_BACK)
            for caller, place in product(callers, places):
                yield Trial(action, gateway, caller, 1, place)


def chosen(points: Points, number: int, seed: int) -> list[Trial]:
    """`number` different trials in the shares above, drawn by `seed`; all there are if fewer.

    Of the kills, each point under each gateway comes first; then other callers and more daemons.
    """
    draw = random.Random(seed)  # noqa: S311 - a choice that can be made again
    columns = every(points)
    for action, column in columns.items():
        draw.shuffle(column)
        if action is Action.KILL:
            column.sort(key=lambda trial: (trial.caller, trial.resolvers) != (Caller.STAYS, 1))
    wanted = {action: max(1, number * share // 100) for action, share in SHARES.items()}
    picked = [trial for action in SHARES for trial in columns[action][: wanted[action]]]
    rest = [trial for action in SHARES for trial in columns[action][wanted[action] :]]
    draw.shuffle(rest)
    picked += sorted(rest, key=lambda trial: trial.action is Action.CRASH)[: number - len(picked)]
    draw.shuffle(picked)
    return picked
