"""docs/doctor.md holds every check there is, with its reason and what to change."""

from __future__ import annotations

import importlib

import pytest

from ivr.capture.doctor.finding import Check
from ivr.settings import PROJECT

ROOMS = (
    *("files", "written_down", "let_in", "calls", "certificates", "running", "ledger"),
    *("machine", "processes", "clock", "checkup", "back", "ways"),
)
PAGE = (PROJECT / "docs/doctor.md").read_text(encoding="utf-8")


def checks() -> dict[str, Check]:
    rooms = (importlib.import_module(f"ivr.capture.doctor.{room}") for room in ROOMS)
    return {one.id: one for room in rooms for one in vars(room).values() if isinstance(one, Check)}


def test_every_room_of_the_doctor_is_looked_at() -> None:
    folder = PROJECT / "ivr/capture/doctor"
    assert {path.stem for path in folder.glob("*.py")} == {*ROOMS, "__init__", "finding"}


@pytest.mark.parametrize("id_", checks())
def test_every_finding_is_on_the_page_as_the_command_says_it(id_: str) -> None:
    check = checks()[id_]
    assert f"| `{id_}` | {check.why} | {check.change} |" in PAGE


def test_the_page_has_no_other_findings() -> None:
    assert PAGE.count("\n| `") == len(checks())
