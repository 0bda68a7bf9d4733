"""Every call of tests/scenarios/spoken, and the demo's: synthetic voices, heard by our models."""

from __future__ import annotations

import asyncio

import pytest

from ivr.lab import demo
from ivr.lab.lab import Lab
from ivr.lab.scenario_report import Report
from ivr.settings import PROJECT
from tests.e2e.all_at_once import goes_as_written, no_card_number_is_left, play_all

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("machine_to_itself"),
]

FILES = sorted((PROJECT / "tests/scenarios/spoken").glob("*.yaml"))
AT_ONCE = 4
"""callers; their words are made before they dial, and all of them are listened to at once"""


@pytest.fixture(scope="module")
def played(lab: Lab) -> tuple[dict[str, Report], demo.Shown]:
    """All of them, and beside them the call that the demo shows."""

    async def both() -> tuple[dict[str, Report], demo.Shown]:
        return await asyncio.gather(play_all(lab, FILES, AT_ONCE), demo.show(lab))

    return asyncio.run(both())


@pytest.fixture(scope="module")
def reports(played: tuple[dict[str, Report], demo.Shown]) -> dict[str, Report]:
    return played[0]


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_the_spoken_call_goes_as_written(reports: dict[str, Report], name: str) -> None:
    goes_as_written(reports[name])


def test_the_call_of_the_demo_is_understood_and_pays_in_both_ledgers(
    played: tuple[dict[str, Report], demo.Shown],
) -> None:
    shown = played[1]
    goes_as_written(shown.report)
    assert shown.passed
    assert shown.report.transcript


def test_no_card_number_is_left_anywhere(reports: dict[str, Report], lab: Lab) -> None:
    """Every file of the lab, and a dump of its database, after calls that were listened to."""
    assert any(report.passed for report in reports.values())
    no_card_number_is_left(lab)
