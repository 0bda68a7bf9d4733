"""The leaks of our own code leave what the search finds, and nothing when they are off."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from ivr import log
from ivr.lab.leaktest import planted
from ivr.lab.leaktest.canaries import Account, Canary
from ivr.lab.leaktest.matching import Hit, Matcher
from ivr.lab.leaktest.mutants import MUTANTS
from ivr.lab.leaktest.sinks import search_file

CARD = Canary("4217651111111119", "visa", "1129", "583")
ACCOUNT = Account.of("739518246075")
PRINTED = {
    "repr": "plain", "reversed": "reversed", "hex": "hex", "escapes": "JSON escapes",
    "code": "security code beside its name", "traceback": "plain",
    "request": "plain with separators", "log_lines": "one digit a line", "log_base64": "base64",
    "log_words": "words",
}  # fmt: skip
WRITTEN = {
    "utf16": "plain with separators", "tones": "tones", "compressed": "plain, compressed",
    "ledger": "plain",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(planted.FOLDER, str(tmp_path))
    (tmp_path / "tmp").mkdir()
    return tmp_path


def left_in(folder: Path) -> set[Hit]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {hit for file in files for hit in search_file(Matcher([CARD]), file)}


@pytest.mark.parametrize("name", PRINTED)
def test_a_printed_leak_is_found_in_the_log(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    log.configure(json=True, stream=written)
    planted.LEAKS[name](CARD.number, CARD.code)
    (folder / "serve.log").write_text(written.getvalue())
    assert PRINTED[name] in {hit.form for hit in left_in(folder)}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_leak_into_a_file_is_found_there(name: str, folder: Path) -> None:
    planted.LEAKS[name](CARD.number, CARD.code)
    assert WRITTEN[name] in {hit.form for hit in left_in(folder)}


@pytest.mark.parametrize(
    ("name", "form"), [("log_line", "plain"), ("log_lines", "one digit a line")]
)
def test_an_account_number_that_is_logged_is_found(name: str, form: str, folder: Path) -> None:
    written = io.StringIO()
    log.configure(json=True, stream=written)
    planted.LEAKS[name](ACCOUNT.number, "")
    (folder / "serve.log").write_text(written.getvalue())
    assert {hit.form for hit in search_file(Matcher([ACCOUNT]), folder / "serve.log")} == {form}


PROGRAM = """
import sys
sys.orig_argv = ["python", "-m", "{what}"]
from ivr.lab.leaktest import planted
planted.plant()
from ivr.capture.app import only_test_numbers
from ivr.capture.secret import SecretDigits
from ivr.gateways import test_accounts
digits = SecretDigits()
for key in "{number}":
    digits.append(key)
print(only_test_numbers(digits), test_accounts.UNKNOWN[1])
"""


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("capture", "True Processor Declined"),
        ("ivr.lab.gateway", "False Approved"),
        ("serve", "False Processor Declined"),
    ],
)
def test_canary_accounts_are_taken_for_published_ones_where_they_are_looked_at(
    what: str, said: str
) -> None:
    program = PROGRAM.format(what=what, number=ACCOUNT.number)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == said


def test_the_log_s_own_guard_refuses_a_card_number_in_plain() -> None:
    """So the leaks into the log are of forms that it cannot know."""
    written = io.StringIO()
    log.configure(json=True, stream=written)
    structlog.get_logger("leaktest").info("request", body=f"card {CARD.number}")
    assert Matcher([CARD]).search(written.getvalue().encode()) == set()


def test_a_leak_is_on_for_the_card_it_is_switched_on_for_and_in_its_own_process(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / planted.SWITCH).write_text(f"{CARD.number[:8]} repr\n")
    planted._leak("capture", "371449635398431", "4827")
    planted._leak("serve", CARD.number, CARD.code)
    assert capsys.readouterr().err == ""
    planted._leak("capture", CARD.number, CARD.code)
    assert CARD.number in capsys.readouterr().err


def test_nothing_leaks_while_no_leak_is_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted._leak("capture", CARD.number, CARD.code)
    (folder / planted.SWITCH).write_text("")
    planted._leak("capture", CARD.number, CARD.code)
    assert capsys.readouterr().err == ""
    assert left_in(folder) == set()


def test_every_mutant_of_our_code_has_its_patch() -> None:
    assert {one.planted for one in MUTANTS if one.planted} == set(planted.LEAKS)
