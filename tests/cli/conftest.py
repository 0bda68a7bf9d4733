"""The command line, typed in this process: quicker than starting one each time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ivr.cli import main as command_line
from tests.cli.terminal import Ran, Typed


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Typed:
    """A terminal in an empty folder, with no lab and none of the user's settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SALDO_")]:
        if name != "SALDO_CACHE_DIR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("SALDO_LAB_DIR", str(tmp_path / "lab"))

    def run(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["saldo", *words])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, *capsys.readouterr())

    return run
