"""Who is calling: always both factors, one answer for every mistake, three tries."""

from __future__ import annotations

import pytest

from ivr.billing.calls import CallOutcome
from tests.dialogue.company import SMITH, Company
from tests.dialogue.conversation import KNOWN, converse
from tests.fakes.line import FakeLine, Script

WRONG_CODE: Script = [("ask_account_again", "1042#"), ("ask_postal_code", "11111#")]
AGAIN: Script = [("ask_account_again", "1042#"), ("ask_postal_code", "28013#")]


async def heard_with_a_mistake(account: str, code: str) -> list[tuple[float, str]]:
    """Seconds since the call began, and the phrase."""
    script: Script = [("ask_account_number", account), ("ask_postal_code", code), *AGAIN]
    ended = await converse(Company(), script)
    assert ended.outcome is CallOutcome.NOTHING_OWED
    began = ended.line.heard[0].at
    return [(round(each.at - began, 3), each.said.phrase) for each in ended.line.heard]


async def test_a_wrong_account_and_a_wrong_code_are_told_alike_and_after_as_long() -> None:
    wrong_account = await heard_with_a_mistake("9999#", "28013#")
    wrong_code = await heard_with_a_mistake("1042#", "11111#")
    assert wrong_account == wrong_code
    assert "account_not_confirmed" in [said for _, said in wrong_code]


async def test_three_wrong_postal_codes_lead_to_a_person() -> None:
    script: Script = [
        ("ask_account_number", "1042#"),
        ("ask_postal_code", "11111#"),
        *WRONG_CODE,
        *WRONG_CODE,
    ]
    ended = await converse(Company(), script)
    assert ended.outcome is CallOutcome.AGENT
    assert ended.phrases[-3:] == ["account_not_confirmed", "too_many_tries", "transferring"]
    assert ended.line.transferred
    assert ended.call.customer is None


async def test_an_account_passed_on_is_not_asked_but_the_postal_code_is() -> None:
    line = FakeLine([("ask_postal_code", "28013#")], hints={"account": "1042"})
    ended = await converse(Company(), line=line)
    assert ended.outcome is CallOutcome.NOTHING_OWED
    assert "ask_account_number" not in ended.phrases


async def test_a_passed_on_account_that_does_not_fit_is_asked_for() -> None:
    line = FakeLine([("ask_postal_code", "28013#"), *AGAIN], hints={"account": "7777"})
    ended = await converse(Company(), line=line)
    assert ended.outcome is CallOutcome.NOTHING_OWED


@pytest.mark.parametrize("hint", ["James", "", "10-42", "12345678901", "١٠٤٢"])
async def test_a_hint_that_is_no_account_number_is_ignored(hint: str) -> None:
    ended = await converse(Company(), line=FakeLine(KNOWN, hints={"account": hint}))
    assert ended.outcome is CallOutcome.NOTHING_OWED


async def test_silence_three_times_leads_to_a_person() -> None:
    ended = await converse(Company())
    assert ended.outcome is CallOutcome.AGENT
    assert ended.phrases == [
        "welcome",
        "ask_account_number",
        "are_you_there",
        "ask_account_again",
        "are_you_there",
        "ask_account_again",
        "too_many_tries",
        "transferring",
    ]


async def test_too_short_a_number_is_asked_again() -> None:
    script: Script = [("ask_account_number", "12#"), *AGAIN[:1], *KNOWN[1:]]
    ended = await converse(Company(), script)
    assert ended.outcome is CallOutcome.NOTHING_OWED
    assert "not_understood" in ended.phrases


async def test_a_star_clears_a_mistyped_number() -> None:
    script: Script = [("ask_account_number", "999*"), ("field_cleared", "1042#"), *KNOWN[1:]]
    ended = await converse(Company(), script)
    assert ended.outcome is CallOutcome.NOTHING_OWED


async def test_a_number_without_a_pound_is_taken_after_a_pause() -> None:
    ended = await converse(
        Company(), [("ask_account_number", "1042"), ("ask_postal_code", "28013")]
    )
    assert ended.outcome is CallOutcome.NOTHING_OWED


@pytest.mark.parametrize("prompt", ["ask_account_number", "ask_postal_code"])
async def test_zero_twice_asks_for_a_person(prompt: str) -> None:
    before = KNOWN[: [phrase for phrase, _ in KNOWN].index(prompt)]
    ended = await converse(Company(), [*before, (prompt, "00#")])
    assert ended.outcome is CallOutcome.AGENT
    assert ended.phrases[-1] == "transferring"
    assert "too_many_tries" not in ended.phrases


async def test_what_was_typed_ahead_by_an_unknown_caller_is_dropped() -> None:
    line = FakeLine(AGAIN)
    line.press("1042#11111#1111")
    ended = await converse(Company(), line=line)
    assert ended.phrases[0] == "account_not_confirmed"
    assert ended.outcome is CallOutcome.NOTHING_OWED


async def test_a_slow_look_up_is_filled() -> None:
    company = Company()
    company.look_up_seconds = 9.0
    ended = await converse(company, KNOWN)
    assert ended.phrases[3:6] == ["hold_on", "still_working", "hold_on"]
    assert ended.outcome is CallOutcome.NOTHING_OWED


async def test_a_postal_code_of_known_length_needs_no_pound_and_no_pause() -> None:
    script: Script = [("ask_account_number", "1042#"), ("ask_postal_code", "28013")]
    waits = await converse(Company(), script)
    quick = await converse(Company(), script, postal_code_length=5)
    assert quick.call.customer == waits.call.customer == SMITH
    times = [float(ended.call.trail[-1].split()[0]) for ended in (quick, waits)]
    assert times[0] <= times[1] - 4
