"""The report says what was searched and found, and never shows a card."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.lab.errors import LabError
from ivr.lab.leaktest import report
from ivr.lab.leaktest.calls import Planned
from ivr.lab.leaktest.canaries import Account, Canary
from ivr.lab.leaktest.endings import ACCOUNT_KEYS, Ending
from ivr.lab.leaktest.matching import Hit, Matcher
from ivr.lab.leaktest.mutants import MUTANTS
from ivr.lab.leaktest.playing import Played
from ivr.lab.leaktest.running import SHORT_MUTANTS, Asked, Result, named
from ivr.lab.leaktest.sinks import Found
from ivr.lab.leaktest.trying import Tried
from ivr.lab.scenario_file import Scenario

CARD = Canary("371449635398431", "amex", "0931", "4827")
CALL = Planned(0, "rfc4733", Ending.PAID, CARD, Scenario("rfc4733 paid", ()))
ACCOUNT = Account.of("739518246075")
LOG_DTMF = next(one for one in MUTANTS if one.name == "log-dtmf")


def good() -> Result:
    result = Result(Asked(calls=1), datetime(2026, 11, 23, 3, 0, tzinfo=UTC), 61.5)
    result.played = [Played(CALL, as_planned=True)]
    result.searched.of("logs of saldo").take("serve.log", (), 1234)
    hit = Found("/lab/leaktest.log", Hit(CARD.label, "one digit a line"))
    result.tried = [Tried(LOG_DTMF, CARD.label, [hit], ["log-levels: dtmf"], "refused")]
    result.versions = {"Asterisk": "22.10.1"}
    return result


def test_a_run_without_finds_whose_mutants_were_caught_has_passed() -> None:
    assert good().passed


def test_a_find_is_a_failure() -> None:
    result = good()
    result.searched.of("logs of saldo").take("serve.log", [Hit(CARD.label, "plain")], 1)
    assert not result.passed


def test_a_mutant_that_was_not_found_is_a_failure() -> None:
    result = good()
    result.tried[0].found = []
    assert not result.passed


@pytest.mark.parametrize("guard", ["", "let it pass"])
def test_a_mutant_that_the_guard_let_pass_is_a_failure(guard: str) -> None:
    result = good()
    result.tried[0].guard = guard
    assert not result.passed


def test_a_mutant_that_could_not_be_tried_is_a_failure() -> None:
    result = good()
    result.tried[0].trouble = "the PBX did not answer"
    assert not result.passed


def test_a_call_that_did_not_go_as_planned_is_a_failure() -> None:
    result = good()
    result.played.append(Played(CALL, as_planned=False, why="hears paid: not in time"))
    assert not result.passed


def test_no_calls_at_all_is_a_failure() -> None:
    result = good()
    result.played = []
    assert not result.passed


def test_both_files_tell_everything_but_the_card(tmp_path: Path) -> None:
    page = report.write(good(), tmp_path)
    told = json.loads((tmp_path / report.JSON_FILE).read_text())
    assert told["passed"] is True
    assert told["calls"]["by_way"] == {"rfc4733": 1}
    assert told["calls"]["by_ending"] == {"paid": 1}
    assert told["searched"][0] == {
        "name": "logs of saldo", "items": 1, "unit": "files", "bytes": 1234, "found": 0,
    }  # fmt: skip
    assert told["mutants"][0]["guard"] == "refused"
    text = page.read_text()
    for wanted in ("passed", "log-dtmf", "log-levels", "one digit a line", "22.10.1", "1,234"):
        assert wanted in text
    for secret in (CARD.number, CARD.code):
        assert secret not in text
        assert secret not in json.dumps(told)
    assert "http" not in text.replace("HTTP", "")  # nothing is fetched from elsewhere


def test_bank_accounts_are_told_by_their_last_four_and_not_as_cards(tmp_path: Path) -> None:
    result = good()
    call = Planned(1, ACCOUNT_KEYS, Ending.PAID, ACCOUNT, Scenario("bank account paid", ()))
    result.played.append(Played(call, as_planned=True))
    page = report.write(result, tmp_path).read_text()
    calls = json.loads((tmp_path / report.JSON_FILE).read_text())["calls"]
    assert (calls["cards"], calls["accounts"]) == (["amex …8431"], ["account …6075"])
    assert calls["by_way"] == {"bank account, rfc4733": 1, "rfc4733": 1}
    assert "account …6075" in page
    assert ACCOUNT.number not in page


def test_what_was_found_is_escaped_on_the_page() -> None:
    result = good()
    result.searched.of("x").take("<script>", [Hit(CARD.label, "plain")], 1)
    page = report.as_html(report.as_json(result))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_find_is_told_with_its_place_and_shape(tmp_path: Path) -> None:
    lines = (f"12:00 end '{digit}' received" for digit in CARD.number)
    hits = Matcher([CARD]).search_lines(lines)
    result = good()
    result.searched.of("logs of saldo").take("serve.log", hits, 1)
    page = report.write(result, tmp_path).read_text()
    told = json.loads((tmp_path / report.JSON_FILE).read_text())
    assert told["found"] == [{
        "where": "serve.log", "canary": CARD.label, "form": "one digit a line",
        "place": "from line 1 on, in 15 digits", "shape": "#:# end '<#>' received",
    }]  # fmt: skip
    assert "from line 1 on, in 15 digits" in page
    assert "&#x27;&lt;#&gt;&#x27; received" in page


def test_at_least_thirty_leaks_are_known_each_by_a_name_of_its_own() -> None:
    names = [one.name for one in MUTANTS]
    assert len(names) >= 30
    assert len(set(names)) == len(names)
    assert set(SHORT_MUTANTS) <= set(names)


def test_mutants_are_chosen_by_name() -> None:
    assert named("all") == MUTANTS
    assert named("none") == ()
    assert [one.name for one in named("hep, cdr")] == ["hep", "cdr"]
    with pytest.raises(LabError, match="there is no mutant nonsense"):
        named("nonsense")


def test_no_mutant_of_the_short_form_keeps_the_others_from_their_cards() -> None:
    chosen = named(",".join(SHORT_MUTANTS))
    assert not any(one.guarded or one.restarts or one.statements for one in chosen)
