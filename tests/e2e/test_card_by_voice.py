"""Cards that are said, in whole calls: paid, and nowhere to be found afterwards in any form."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from ivr.lab import database
from ivr.lab.lab import Lab
from ivr.lab.scenario_report import Report
from ivr.settings import PROJECT
from tests.e2e.all_at_once import goes_as_written, no_card_number_is_left, play_all
from tests.e2e.conftest import a_lab

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("machine_to_itself"),
]

FILES = sorted((PROJECT / "tests/scenarios/card_by_voice").glob("*.yaml"))
BY_VOICE = {
    "SALDO_CAPTURE__VOICE": "true",
    "SALDO_SPEECH__MODELS__EN": "shipped",
    "SALDO_SPEECH__MODELS__ES": "shipped",
}
BETWEEN = rb"[\s\"',.:;\[\]{}_-]{1,12}"
"""what may stand between two words of a number, one a line included"""
NOTHING_BETWEEN = rb"[\s\"',.:;\[\]{}_-]{0,4}"
FORMS = [
    *(
        re.compile(BETWEEN.join(words.split()))
        for words in (
            b"four one one one one one",
            b"cuarenta y uno once once",
            b"december twenty thirty",
            b"diciembre de dos mil treinta",
        )
    ),
    re.compile(NOTHING_BETWEEN.join([b"4", *[b"1"] * 15])),
]


def has_a_card(data: bytes) -> bool:
    """In words or digits, in UTF-8 or UTF-16."""
    plain = data.replace(b"\0", b"").lower()
    return any(form.search(plain) for form in FORMS)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with mock.patch.dict(os.environ, BY_VOICE), a_lab() as (_, running):
        yield running


@pytest.fixture(scope="module")
def reports(lab: Lab) -> dict[str, Report]:
    return asyncio.run(play_all(lab, FILES, len(FILES)))


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_the_call_goes_as_written(reports: dict[str, Report], name: str) -> None:
    goes_as_written(reports[name])


def test_no_card_is_left_anywhere_in_digits_or_in_words(
    reports: dict[str, Report], lab: Lab
) -> None:
    assert any(report.passed for report in reports.values())
    no_card_number_is_left(lab)
    data = database.running(Path(lab.config).parent)
    assert data
    found = [
        path
        for root in (Path(lab.config).parent, data.data)
        for path in root.rglob("*")
        if path.is_file() and has_a_card(path.read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        b'{"text": "Four one one one one one"}',
        b"four\none\none\none\none\none",
        "four one one one one one".encode("utf-16"),
        b"diciembre de dos mil treinta",
        b"4111-1111-1111-1111",
    ],
)
def test_a_spoken_card_that_is_left_would_be_found(text: bytes) -> None:
    assert has_a_card(b"before " + text + b" after")
