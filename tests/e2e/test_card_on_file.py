"""A card left in one call and paid with in the next, on real telephones."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from ivr.lab.gateway_ledger import transactions
from ivr.lab.lab import Lab
from ivr.lab.scenario_report import Report
from ivr.settings import PROJECT
from tests.e2e.all_at_once import goes_as_written, no_card_number_is_left, play_all
from tests.e2e.conftest import a_lab

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("lines_to_itself"),
]

KEEPS_CARDS = {"SALDO_PAYMENTS__KEEP_CARDS": "true"}
FOLDER = PROJECT / "tests/scenarios/card_on_file"
CALLS = [FOLDER / "leaves_a_card.yaml", FOLDER / "pays_with_the_card_left.yaml"]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with mock.patch.dict(os.environ, KEEPS_CARDS), a_lab() as (_, running):
        yield running


@pytest.fixture(scope="module")
def reports(lab: Lab) -> dict[str, Report]:
    """One after the other: the second needs the card of the first."""
    found: dict[str, Report] = {}
    for call in CALLS:
        found |= asyncio.run(play_all(lab, [call], 1))
    return found


@pytest.mark.parametrize("name", [file.stem for file in CALLS])
def test_the_call_goes_as_written(reports: dict[str, Report], name: str) -> None:
    goes_as_written(reports[name])


def test_the_second_sale_was_of_the_card_in_the_vault(reports: dict[str, Report], lab: Lab) -> None:
    assert all(report.passed for report in reports.values())
    first, second = transactions(Path(lab.gateway_ledger))
    assert first.vault_token
    assert second.vault_token == first.vault_token
    assert (first.source, second.source) == ("moto", "moto")


def test_no_card_number_is_left_anywhere(reports: dict[str, Report], lab: Lab) -> None:
    assert any(report.passed for report in reports.values())
    no_card_number_is_left(lab)
