"""Each command's exit status and its one line where there is no lab, PBX or database."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from ivr.cli import main as command_line
from ivr.cli import prompts
from ivr.lab.packages_apt import PackagesError
from ivr.lab.processes import ProcessError
from ivr.settings import PROJECT
from ivr.speech.errors import ModelError, SynthesisError
from tests.cli.terminal import NOBODY, Typed, every_command

SCENARIO = str(PROJECT / "tests/scenarios/silence.yaml")
WITH_SETTINGS = (
    *("serve", "capture", "doctor", "demo", "lab up", "import x.csv", "db migrate"),
    *("prompts build", "speech test"),
)


@pytest.mark.parametrize("command", list(every_command()), ids=" ".join)
def test_the_help_of_every_command_has_an_example_of_it(
    typed: Typed, command: tuple[str, ...]
) -> None:
    ran = typed(*command, "--help")
    assert ran.status == 0
    assert f"Example: saldo {' '.join(command)}" in ran.out


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_an_unknown_setting_is_named_by_every_command(
    typed: Typed, command: str, tmp_path: Path
) -> None:
    (tmp_path / "saldo.toml").write_text("[web]\nprot = 1\n", encoding="utf-8")
    ran = typed(*command.split())
    assert ran.status == 2
    assert "web.prot" in ran.complaint


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_settings_that_are_not_there_are_named_by_every_command(typed: Typed, command: str) -> None:
    ran = typed(*command.split(), "--config", "nowhere.toml")
    assert ran.status == 2
    assert ran.complaint == "saldo: nowhere.toml cannot be read: No such file or directory"


def test_settings_in_words_of_another_language_are_refused(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "saldo.toml").write_text("web:\n  port: 1\n", encoding="utf-8")
    ran = typed("db", "migrate")
    assert ran.status == 2
    assert ran.complaint.startswith("saldo: saldo.toml is not valid TOML")


def test_a_call_without_a_lab_tells_how_to_start_one(typed: Typed) -> None:
    ran = typed("call", SCENARIO)
    assert ran.status == 1
    assert ran.complaint == "saldo: no lab is running here: start one with `saldo lab up`"


def test_a_missing_scenario_is_a_wrong_use(typed: Typed) -> None:
    ran = typed("call", "missing.yaml")
    assert ran.status == 2
    assert ran.complaint == "saldo: missing.yaml cannot be read: give the path of a YAML file"


def test_a_wrong_scenario_names_file_and_line(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "call.yaml").write_text("name: x\nsteps:\n  - presses: 1\n", encoding="utf-8")
    ran = typed("call", "call.yaml")
    assert ran.status == 2
    assert ran.complaint.startswith("saldo: call.yaml, line 3: 'presses' is not known here")


def test_one_wrong_scenario_of_several_is_found_before_any_call(typed: Typed) -> None:
    assert typed("call", SCENARIO, "missing.yaml").status == 2


def test_no_lab_is_shown_part_by_part(typed: Typed) -> None:
    ran = typed("lab", "status")
    assert ran.status == 1
    for part in ("asterisk", "postgres", "gateway", "serve", "capture"):
        assert part in ran.out


@pytest.mark.parametrize(
    ("command", "says"),
    [("lab down", "nothing was running"), ("lab reset", "forgotten")],
)
def test_a_lab_that_never_was_can_be_stopped(typed: Typed, command: str, says: str) -> None:
    ran = typed(*command.split())
    assert (ran.status, ran.err) == (0, "")
    assert says in ran.out


CUSTOMERS = PROJECT / "ivr/lab/company/customers.csv"


def test_a_file_that_is_not_there_is_told_before_a_database_that_is_not(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_DATABASE__URL", f"postgresql://saldo@{NOBODY}/saldo")
    ran = typed("import", "x.csv")
    assert ran.status == 1
    assert ran.complaint.startswith("saldo: x.csv cannot be read: No such file")


@pytest.mark.parametrize("command", ["db migrate", f"import {CUSTOMERS}"])
def test_without_a_database_it_says_what_to_check(
    typed: Typed, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_DATABASE__URL", f"postgresql://saldo@{NOBODY}/saldo")
    ran = typed(*command.split())
    assert ran.status == 1
    assert "check that PostgreSQL is up" in ran.complaint


def test_sounds_that_cannot_be_written_name_the_setting(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("SALDO_SPEECH__SOUNDS", str(tmp_path / "a-file/sounds"))
    ran = typed("prompts", "build")
    assert ran.status == 2
    assert ran.complaint.endswith("set speech.sounds")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("nonsense", "saldo: no such command 'nonsense': see `saldo --help`"),
        ("lab sideways", "saldo: no such command 'sideways': see `saldo lab --help`"),
        ("call", "saldo: missing argument 'FILE.yaml...': see `saldo call --help`"),
        ("import", "saldo: missing argument 'FILE...': see `saldo import --help`"),
        ("serve --port 1", "saldo: no such option: --port: see `saldo serve --help`"),
        ("call --to", "saldo: option '--to' requires an argument: see `saldo --help`"),
        ("demo now", "saldo: got unexpected extra argument(s) (now): see `saldo demo --help`"),
    ],
)
def test_a_mistyped_command_is_one_line_that_says_where_help_is(
    typed: Typed, words: str, complaint: str
) -> None:
    ran = typed(*words.split())
    assert (ran.status, ran.out) == (2, "")
    assert ran.complaint == complaint


@pytest.mark.parametrize("words", ["", "lab", "db", "prompts", "speech"])
def test_a_command_left_out_brings_the_list_of_them(typed: Typed, words: str) -> None:
    ran = typed(*words.split())
    assert ran.status == 2
    assert "Commands:" in ran.err


@pytest.mark.parametrize("error", [PackagesError, ProcessError, SynthesisError, ModelError])
def test_what_a_user_can_do_something_about_is_one_line(
    typed: Typed, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error("plug the network in and try again")

    monkeypatch.setattr(prompts, "_build", fail)
    ran = typed("prompts", "build")
    assert ran.status == 1
    assert ran.complaint == "saldo: plug the network in and try again"


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt, typer.Abort])
def test_an_interrupted_command_ends_quietly(
    typed: Typed, stopped_by: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise stopped_by

    monkeypatch.setattr(prompts, "_build", stop)
    ran = typed("prompts", "build")
    assert (ran.status, ran.err) == (command_line.INTERRUPTED, "")


NO_PAYMENT = "payments refund 0244768 --reason wrong"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (NO_PAYMENT, "'0244768' is no payment's id or confirmation: `saldo payments list`"),
        ("payments void C1042 --reason wrong", "'C1042' is no payment's id or confirmation"),
        ("payments reconcile --since yesterday", "'yesterday' is no day such as 2026-11-30"),
        ("payments reconcile --until 2026-11-31", "'2026-11-31' is no day such as 2026-11-30"),
        ("payments reconcile --since 9999-01-01", "--since lies in the future"),
        (
            "payments reconcile --since 2026-02-01 --until 2026-01-01",
            "--since, 2026-02-01, lies after --until",
        ),
        ("payments reconcile --since 9999-12-31 --until 9999-12-31", "--since lies in the future"),
        ("payments reconcile --until 2026-01-01", "lies after --until"),
        ("payments link C1042 --tell pigeon", "'pigeon' is not one of 'text', 'mail'"),
    ],
)
def test_what_is_mistyped_about_payments_is_told_in_plain_words(
    typed: Typed, command: str, says: str
) -> None:
    ran = typed(*command.split())
    assert ran.status == 2
    assert says in ran.complaint
    assert "Value error" not in ran.complaint
