"""Which calls of tests/e2e are made once more: those that met deaf ears, and no others."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ivr.lab.lab import Lab
from ivr.lab.scenario_report import Report, StepReport
from ivr.settings import PROJECT
from tests.e2e import all_at_once

CALL = PROJECT / "tests/scenarios/silence.yaml"
LAB = Lab("", "", "", "", "", "", "", "", "", {}, "", "")
HEARD, DEAF = ["0.1 say welcome", "4.0 heard name"], ["0.1 say welcome", "4.0 deaf"]

Calls = Callable[[list[str], bool, bool], tuple[Report, int]]
"""trail, whether the first and the second time are right → what came of it, calls made"""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What came of a call with this trail, whose first and second time are right or not."""

    def called(trail: list[str], *right: bool) -> tuple[Report, int]:
        went = list(right)

        async def play(*_: Any, **__: Any) -> Report:
            return Report("a call", [StepReport("hears welcome", went.pop(0))])

        async def trail_of(*_: Any) -> list[str]:
            return trail

        monkeypatch.setattr(all_at_once, "play", play)
        monkeypatch.setattr(all_at_once, "trail_of", trail_of)
        reports = asyncio.run(all_at_once.play_all(LAB, [CALL], 1))
        return reports["silence"], len(right) - len(went)

    return called


def test_a_call_that_met_deaf_ears_is_made_once_more_and_says_so(calls: Calls) -> None:
    report, made = calls(DEAF, False, True)
    assert made == 2
    assert "4.0 deaf" in report.name
    all_at_once.goes_as_written(report)


def test_ears_that_are_always_deaf_fail(calls: Calls) -> None:
    report, made = calls(DEAF, False, False)
    assert made == 2
    with pytest.raises(AssertionError, match=" deaf"):
        all_at_once.goes_as_written(report)


def test_a_call_that_failed_otherwise_is_not_made_again(calls: Calls) -> None:
    report, made = calls(HEARD, False, True)
    assert made == 1
    with pytest.raises(AssertionError):
        all_at_once.goes_as_written(report)


def test_a_call_that_went_as_written_is_not_made_again(calls: Calls) -> None:
    assert calls(DEAF, True, True)[1] == 1


def test_long_silences_fail_and_short_ones_are_the_machines(calls: Calls) -> None:
    report, _ = calls(HEARD, True, True)
    report.dead_air = [(3.0, 2.4)]
    all_at_once.goes_as_written(report)
    report.dead_air = [(3.0, 5.1)]
    with pytest.raises(AssertionError):
        all_at_once.goes_as_written(report)
