"""Every simulated call of tests/scenarios by keys, on real telephones, many at the same time."""

from __future__ import annotations

import asyncio

import pytest

from ivr.lab.lab import Lab
from ivr.lab.scenario_report import Report
from ivr.settings import PROJECT
from tests.e2e.all_at_once import goes_as_written, no_card_number_is_left, play_all

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("lines_to_itself"),
]

SCENARIOS = PROJECT / "tests/scenarios"
FILES = sorted([*SCENARIOS.glob("*.yaml"), *SCENARIOS.glob("with_a_fee/*.yaml")])
AT_ONCE = 10
"""telephones of one test process; with more, it is the telephones that come too late"""


@pytest.fixture(scope="module")
def reports(lab: Lab) -> dict[str, Report]:
    return asyncio.run(play_all(lab, FILES, AT_ONCE))


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_the_call_goes_as_written(reports: dict[str, Report], name: str) -> None:
    goes_as_written(reports[name])


def test_no_card_number_is_left_anywhere(reports: dict[str, Report], lab: Lab) -> None:
    """Every file of the lab, and a dump of its database, after cards were keyed in many calls."""
    assert any(report.passed for report in reports.values())
    no_card_number_is_left(lab)
