"""docs/security.md names only tests and findings that exist, and claims no more than it may."""

from __future__ import annotations

import re

import pytest

from ivr.settings import PROJECT
from tests.capture.doctor.test_page import checks

PAGE = (PROJECT / "docs/security.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| requirement |")
]
QUOTED = re.compile(r"`([^`]+)`")
SHOWN = sorted({quoted for row in ROWS for quoted in QUOTED.findall(row[2])})
FILES = sorted({one for one in QUOTED.findall(PAGE) if "/" in one and not one.startswith("/")})


def test_every_row_says_what_does_it_what_shows_it_and_what_remains() -> None:
    assert len(ROWS) > 30
    assert {len(row) for row in ROWS} == {4}
    assert [row[0] for row in ROWS if not row[1] and not row[2] and not row[3]] == []


@pytest.mark.parametrize("quoted", SHOWN)
def test_what_shows_it_is_a_test_or_a_finding_there_is(quoted: str) -> None:
    path, _, test = quoted.partition("::")
    if "/" not in quoted:
        assert quoted in checks()
        return
    assert path.startswith("tests/")
    text = (PROJECT / path).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {test or 'test_'}", text, re.MULTILINE)


@pytest.mark.parametrize("path", FILES)
def test_every_file_that_is_named_exists(path: str) -> None:
    assert (PROJECT / path.partition("::")[0]).exists()


def test_only_a_smaller_scope_is_claimed_and_the_source_is_told() -> None:
    assert not re.search(r"PCI(?: |-)(?:DSS )?(?:compliant|certified)", PAGE, re.IGNORECASE)
    assert "scope reduction, with these tests" in PAGE
    assert "none of\nthis was checked against it" in PAGE


@pytest.mark.parametrize(
    "requirement",
    ["1.2", "2.2", "3.3.1", "3.4.1", "4.2.1", "6.3.1", "7.2", "8.3.2", "10.2", "12.8", "12.10"],
)
def test_every_requirement_that_touches_the_product_has_a_row(requirement: str) -> None:
    named = {one for row in ROWS for one in re.findall(r"\d+(?:\.\d+)+", row[0])}
    assert any(one == requirement or one.startswith(f"{requirement}.") for one in named)
