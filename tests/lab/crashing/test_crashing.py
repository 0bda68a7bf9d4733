"""The crash matrix in its short form, as `make crash-test` runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 110


@pytest.mark.usefixtures("tree")
def test_no_crash_loses_a_payment_or_makes_it_twice(tmp_path: Path) -> None:
    """And two mistakes planted in the code are caught, or the matrix would prove nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "ivr.lab.crashing", "--short", "--report", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "crashtest.json").read_text())
    assert told["violations"] == []
    assert told["trials"] >= 20
    assert len(told["by_action"]) >= 8
    assert [one["caught"] for one in told["mutants"]] == [True, True]
    assert "passed" in (tmp_path / "crashtest.html").read_text()


def test_a_trial_that_does_not_exist_is_said_in_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ivr.lab.crashing", "--only", "kill/nobody/stays/1//"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert "no such trial" in done.stderr
    assert "Traceback" not in done.stderr
