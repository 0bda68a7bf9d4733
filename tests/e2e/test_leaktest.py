"""`saldo leaktest` in its short form: real calls, nothing found, a few mutants caught."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ivr.lab.dialpad import KeyWay
from ivr.lab.leaktest import report, running, sinks
from ivr.lab.leaktest.endings import ACCOUNT_KEYS, ON_PAGE
from ivr.settings import PROJECT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def test_no_card_is_left_anywhere_and_every_mutant_of_the_short_form_is_caught(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "ivr.cli.main", "leaktest", "--short"]
    done = subprocess.run(
        [*command, "--report", str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / report.JSON_FILE).read_text(encoding="utf-8"))
    assert told["passed"] is True
    assert told["found"] == []
    assert told["calls"]["as_planned"] == sum(running.SHORT_CALLS.values())
    assert set(told["calls"]["by_way"]) == {*KeyWay, ACCOUNT_KEYS, ON_PAGE}
    assert len(told["calls"]["accounts"]) == 1
    assert {one["name"] for one in told["mutants"] if one["caught"]} == set(running.SHORT_MUTANTS)
    searched = {one["name"]: one["items"] for one in told["searched"]}
    for place in (
        *("Postgres, every row", "logs of saldo", "AMI, as a client with all rights"),
        *(sinks.POST_OFFICE, "what browsers are answered"),
    ):
        assert searched[place] > 0
    assert (tmp_path / report.HTML_FILE).read_text(encoding="utf-8").startswith("<!doctype html>")
