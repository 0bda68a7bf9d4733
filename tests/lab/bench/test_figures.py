"""What the bench's tables say: shares, percentiles, goals."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from ivr.lab.bench.figures import (
    Figure,
    Part,
    at_least,
    at_most,
    milliseconds,
    percentile,
    save,
    share,
    show,
    silences,
    wilson,
    written,
)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (29, 29, 0.8830, 1),
    ],
)
def test_an_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    # The first three are Newcombe's examples of 1998.
    assert wilson(count, of) == pytest.approx((low, high), abs=0.0001)


def test_a_share_of_nothing_was_not_measured_and_meets_no_goal() -> None:
    nothing = share("calls", 0, 0, at_least(0.9))
    assert (nothing.value, nothing.met) == (None, False)
    assert written(nothing.value, nothing.unit) == "not measured"


def test_goals_may_be_reached_exactly() -> None:
    assert share("right", 9, 10, at_least(0.9)).met is True
    assert share("right", 8, 10, at_least(0.9)).met is False
    assert milliseconds("late", [0.4], 0.5, at_most(400)).met is True
    assert milliseconds("late", [0.401], 0.5, at_most(400)).met is False
    assert Figure("calls", 3).met is None


def test_a_silence_in_any_call_misses_the_goal() -> None:
    assert silences([[], []]).met is True
    spoilt = silences([[], [(3.0, 2.5)]])
    assert (spoilt.value, spoilt.of, spoilt.met) == (1, 2, False)


def test_a_percentile_is_one_of_the_values() -> None:
    values = [number / 100 for number in range(100, 0, -1)]
    assert percentile(values, 0.5) == pytest.approx(0.51)
    assert percentile(values, 0.99) == pytest.approx(1.0)
    assert percentile([], 0.5) is None


def test_a_part_is_met_when_no_goal_of_it_is_missed() -> None:
    good, bad = share("one", 1, 1, at_least(1)), share("two", 0, 1, at_least(1))
    assert Part("both", [good, Figure("three", 3)]).met
    assert not Part("both", [good, bad]).met


def test_a_table_shows_the_goal_beside_the_figure(capsys: pytest.CaptureFixture[str]) -> None:
    figures = [share("digits right", 990, 1000, at_least(0.99)), Figure("at once", 48.0)]
    show(Part("Answers", figures), Console(width=120))
    line = next(each for each in capsys.readouterr().out.splitlines() if "digits" in each)
    shown = [cell.strip() for cell in line.strip("│").split("│")]
    assert shown == [
        "digits right", "99.0 %", "98.2 % to 99.5 %", "1,000", "at least 99.0 %", "yes",
    ]  # fmt: skip


def test_figures_are_kept_as_json_with_their_goals(tmp_path: Path) -> None:
    part = Part("Names", [milliseconds("look-up", [0.06], 0.99, at_most(50))], [{"said": "ann"}])
    save("names", part, tmp_path)
    kept = json.loads((tmp_path / "names.json").read_text())
    assert kept["figures"][0]["value"] == 60
    assert kept["figures"][0]["goal"] == {"direction": "at most", "value": 50}
    assert kept["figures"][0]["met"] is False
    assert kept["faults"] == [{"said": "ann"}]
    assert len(kept["load"]) == 3
