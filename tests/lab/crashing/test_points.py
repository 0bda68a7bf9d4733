"""The points of a task, and the matrix that is made of them."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from ivr.lab.crashing.mutants import MUTANTS
from ivr.lab.crashing.points import Watch
from ivr.lab.crashing.trials import (
    GATEWAYS,
    SHARES,
    Action,
    Caller,
    Points,
    Trial,
    chosen,
    every,
)

PARTS = ("captured.row", "gateway.answer.after", "begin_charging.row")
PLACES = tuple(f"{PARTS[number % 3]}.{number}" for number in range(30))
POINTS = Points(
    dict.fromkeys(GATEWAYS, PLACES),
    dict.fromkeys(GATEWAYS, PLACES[:5]),
    dict.fromkeys(GATEWAYS, PLACES[:2]),
)


async def waits_twice() -> str:
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    return "done"


async def watched(watch: Watch) -> asyncio.Task[str]:
    watch.watch_tasks(asyncio.get_running_loop())
    watch.is_on.set(True)
    task = asyncio.create_task(waits_twice())
    watch.is_on.set(False)
    await asyncio.wait({task})
    return task


async def test_each_await_of_a_task_is_two_points() -> None:
    watch = Watch("", lambda _: None)
    assert (await watched(watch)).result() == "done"
    assert watch.seen == [
        "waits_twice.__sleep0.waits.1",
        "waits_twice.__sleep0.goes-on.1",
        "waits_twice.sleep.waits.1",
        "waits_twice.sleep.goes-on.1",
    ]


async def test_a_point_is_struck_once_and_before_anything_follows() -> None:
    struck: list[str] = []
    watch = Watch("waits_twice.sleep.waits.1", struck.append)
    await watched(watch)
    assert struck == ["waits_twice.sleep.waits.1"]


async def test_an_error_and_a_cancelling_pass_through_a_watched_task() -> None:
    watch = Watch("", lambda _: None)
    watch.watch_tasks(asyncio.get_running_loop())
    watch.is_on.set(True)
    endless = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    endless.cancel()
    with pytest.raises(asyncio.CancelledError):
        await endless


async def test_tasks_that_are_not_of_the_charge_have_no_points() -> None:
    watch = Watch("", lambda _: None)
    watch.watch_tasks(asyncio.get_running_loop())
    await asyncio.create_task(waits_twice())
    assert watch.seen == []


def test_a_seed_is_the_same_trials_again_and_another_one_others() -> None:
    first = chosen(POINTS, 500, 1)
    assert first == chosen(POINTS, 500, 1)
    assert first != chosen(POINTS, 500, 2)
    assert len(set(first)) == 500


def test_every_column_is_in_a_choice_and_every_kill_in_the_full_one() -> None:
    kills = {(t.gateway, t.point) for t in chosen(POINTS, 3000, 1) if t.action is Action.KILL}
    assert len(kills) == len(GATEWAYS) * len(PLACES)
    assert set(Counter(trial.action for trial in chosen(POINTS, 100, 1))) == set(SHARES)
    assert sum(SHARES.values()) == 100


def test_more_trials_than_there_are_is_all_of_them() -> None:
    everything = [trial for column in every(POINTS).values() for trial in column]
    assert len(chosen(POINTS, 10**6, 1)) == len(everything) == len(set(everything))


def test_a_trial_is_known_by_its_name() -> None:
    trial = Trial(Action.KILL_RESOLVER, "late", Caller.STAYS, 2, "charge.waits.1", "look.waits.2")
    assert Trial.of(trial.id) == trial


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_has_trials_that_can_find_it(name: str) -> None:
    assert sum(map(MUTANTS[name].shows, chosen(POINTS, 10**6, 1))) > 20
