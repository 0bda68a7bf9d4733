"""A call or demo that did not go as it should says so by its exit status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from ivr.cli import call, demo
from ivr.lab import demo as demonstration
from ivr.lab import lab
from ivr.lab.scenario_report import Report, StepReport
from ivr.settings import PROJECT
from tests.cli.terminal import Typed

SCENARIO = str(PROJECT / "tests/scenarios/silence.yaml")


def played(monkeypatch: pytest.MonkeyPatch, *, well: bool) -> None:
    async def play(*_: object) -> Report:
        return Report("a call", [StepReport("hears welcome", well, 1.0, "" if well else "late")])

    monkeypatch.setattr(call, "required", lambda _folder: None)
    monkeypatch.setattr(call, "play", play)


@pytest.mark.parametrize(("well", "status"), [(True, 0), (False, 1)])
def test_a_failed_call_fails_the_command(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, *, well: bool, status: int
) -> None:
    played(monkeypatch, well=well)
    assert typed("call", SCENARIO).status == status


@pytest.mark.parametrize(("well", "status"), [(True, 0), (False, 1)])
def test_a_report_in_json_is_alone_on_standard_output(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, *, well: bool, status: int
) -> None:
    played(monkeypatch, well=well)
    ran = typed("call", "--json", SCENARIO, SCENARIO)
    assert ran.status == status
    assert [json.loads(line)["passed"] for line in ran.out.splitlines()] == [well, well]


@dataclass(frozen=True)
class Shown:
    passed: bool
    payment: None = None

    @property
    def report(self) -> Report:
        return Report("the demo", [])


@pytest.mark.parametrize(("well", "status"), [(True, 0), (False, 1)])
def test_a_demo_without_a_payment_in_both_ledgers_fails(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, *, well: bool, status: int
) -> None:
    stopped: list[Path] = []

    async def show(*_: object) -> Shown:
        return Shown(well)

    @contextmanager
    def silent() -> Iterator[None]:
        yield None

    monkeypatch.setattr(lab, "up", lambda *_: SimpleNamespace())
    monkeypatch.setattr(lab, "down", stopped.append)
    monkeypatch.setattr(demonstration, "show", show)
    monkeypatch.setattr(demo, "TerminalProgress", silent)
    assert typed("demo", "--once").status == status
    assert len(stopped) == 1
