"""`saldo import` on a real database: what it prints, and its exit status."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.terminal import Typed, saldo

GOOD = "C1,1042,person,James Smith,en,28013"
NO_ACCOUNT = "C2,12x4,person,Ann Jones,en,28013"


@pytest.fixture(autouse=True)
def _database(database_url: str, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set after `typed` took the user's settings away."""
    monkeypatch.setenv("SALDO_DATABASE__URL", database_url)


def customers(folder: Path, *rows: str) -> str:
    """A biller's file of customers."""
    columns = "external_id,account_number,kind,name,language,postal_code"
    (folder / "customers.csv").write_text("\n".join([columns, *rows, ""]), encoding="utf-8")
    return "customers.csv"


def test_a_bad_row_is_told_by_row_column_value_and_reason(typed: Typed, tmp_path: Path) -> None:
    ran = typed("import", customers(tmp_path, GOOD, NO_ACCOUNT))
    assert (ran.status, ran.out) == (1, "")
    refused, problem = ran.err.splitlines()
    assert refused == "customers.csv: refused, nothing of it was taken"
    for word in ("row 3", "account_number", "12x4"):
        assert word in problem
    _, reason = problem.split("12x4", 1)
    assert len(reason.split()) > 2


def test_a_file_that_is_not_there_is_told(typed: Typed) -> None:
    ran = typed("import", "nowhere.csv")
    assert ran.status == 1
    says = "saldo: nowhere.csv cannot be read: No such file or directory: nothing was taken"
    assert ran.complaint == says


def test_where_one_file_is_not_there_no_other_is_taken(typed: Typed, tmp_path: Path) -> None:
    file = customers(tmp_path, "C77,1077,person,James Smith,en,28013")
    assert typed("import", file, "nowhere.csv").status == 1
    assert "1 new" in typed("import", file, "--dry-run").out


def test_a_file_may_come_through_a_pipe(database_url: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    text = (tmp_path / customers(tmp_path, GOOD)).read_text(encoding="utf-8")
    Thread(target=pipe.write_text, args=(text,), daemon=True).start()
    settings = {"SALDO_DATABASE__URL": database_url}
    ran = saldo("import", "pipe.csv", "--dry-run", folder=tmp_path, more=settings)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("pipe.csv: 1 customers")


def test_a_dry_run_keeps_nothing(typed: Typed, tmp_path: Path) -> None:
    file = customers(tmp_path, GOOD)
    for _ in range(2):
        ran = typed("import", file, "--dry-run")
        assert (ran.status, ran.err) == (0, "")
        assert ran.out.splitlines() == [
            "customers.csv: 1 customers: 1 new, 0 changed, 0 as before",
            "dry run: nothing was kept",
        ]


def test_a_good_file_is_taken_once(typed: Typed, tmp_path: Path) -> None:
    file = customers(tmp_path, GOOD)
    assert "1 new" in typed("import", file).out
    assert "0 new, 0 changed, 1 as before" in typed("import", file).out


def test_tables_that_are_up_to_date_need_nothing(typed: Typed) -> None:
    assert typed("db", "migrate").out == "nothing to do\n"
