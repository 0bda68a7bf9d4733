"""Calls that went otherwise are placed again; what cannot be tried here is said."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.lab.leaktest import running
from ivr.lab.leaktest.calls import Planned, plan
from ivr.lab.leaktest.canaries import DECLINED, Account
from ivr.lab.leaktest.endings import ACCOUNT_TONES, Ending
from ivr.lab.leaktest.house import House
from ivr.lab.leaktest.listening import Listening
from ivr.lab.leaktest.mutants import MUTANTS
from ivr.lab.leaktest.playing import Played, Told
from ivr.lab.leaktest.running import Asked, Result

HOUSE = House(Path("/nowhere"))


def result() -> Result:
    return Result(Asked(), datetime.now(UTC))


def fails(rounds: int) -> tuple[list[list[Planned]], object]:
    """A `play_all` in which the first call goes wrong so many times."""
    placed: list[list[Planned]] = []

    async def play_all(
        _house: House, calls: Sequence[Planned], _at_once: int, told: Told
    ) -> list[Played]:
        placed.append(list(calls))
        wrong = len(placed) <= rounds
        played = [Played(one, not (wrong and not place)) for place, one in enumerate(calls)]
        for one in played:
            told(one)
        return played

    return placed, play_all


async def go(monkeypatch: pytest.MonkeyPatch, rounds: int) -> tuple[Result, list[list[Planned]]]:
    placed, play_all = fails(rounds)
    monkeypatch.setattr(running, "play_all", play_all)
    told = result()
    luck = random.Random(1)
    turns = {"rfc4733": (Ending.DECLINED, Ending.PAID)}
    group = plan({"rfc4733": 4}, luck, turns=turns)
    lines: list[str] = []
    every = await running._until_as_planned(HOUSE, "keyed", group, told, luck, lines.append)
    assert every == [one for batch in placed for one in batch]
    assert len(lines) == len(every)
    return told, placed


async def test_a_call_that_went_otherwise_is_placed_again_as_somebody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, placed = await go(monkeypatch, rounds=1)
    assert [len(batch) for batch in placed] == [4, 1]
    (again,) = placed[1]
    assert again.ending is Ending.DECLINED
    assert again.canary.number in DECLINED
    assert again.place not in {one.place for one in placed[0]}
    assert (len(told.played), told.missing, told.repeated) == (4, [], 1)


async def test_a_bank_account_is_placed_again_with_another_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    placed, play_all = fails(1)
    monkeypatch.setattr(running, "play_all", play_all)
    luck = random.Random(1)
    group = plan({ACCOUNT_TONES: 1}, luck)
    await running._until_as_planned(HOUSE, "keyed", group, result(), luck, lambda _: None)
    (first,), (again,) = placed
    assert isinstance(again.canary, Account)
    assert again.canary.number != first.canary.number
    assert (again.way, again.ending) == (first.way, first.ending)


async def test_one_that_never_goes_as_planned_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    told, placed = await go(monkeypatch, rounds=9)
    assert [len(batch) for batch in placed] == [4, 1, 1]
    assert len(told.missing) == 1
    assert len({one.place for batch in placed for one in batch}) == 6
    assert not told.passed


@pytest.mark.parametrize("packets", [None, Path("/seen")])
def test_what_only_packets_show_is_tried_only_where_they_may_be_seen(packets: Path | None) -> None:
    ears = Listening(Path("/seen"), packets=packets)
    (mutant,) = (one for one in MUTANTS if one.name == "code-user-event")
    assert bool(running._why_not(mutant, ears)) is (packets is None)


@pytest.mark.parametrize(
    ("pattern", "beside"), [("core", True), ("core.%p", True), ("|/usr/bin/apport", False)]
)
def test_core_files_are_looked_for_only_where_they_lie_beside_programs(
    monkeypatch: pytest.MonkeyPatch, pattern: str, *, beside: bool
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: pattern + "\n")
    assert running._cores_lie_beside() is beside
