"""A promise to pay: the day by keys and by voice, its limits, and what is written down."""

from __future__ import annotations

from datetime import date

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.payments import DeclineBucket
from ivr.billing.promises import Promise, PromiseRules
from ivr.billing.promising import Promising
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import KNOWN, converse
from tests.dialogue.saying import CODE, QUIET, says
from tests.dialogue.saying import YES as SAID_YES
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script
from tests.fakes.promises import FakePromises

TODAY = date(2026, 11, 23)
ASKED: Script = [
    *KNOWN,
    ("pay_one_or_leave", "1"),
    ("confirm_charge", "1"),
    ("declined", "2"),
]
YES: Script = [("confirm_promise", "1")]


def a_company(days_ahead: int = 14) -> tuple[Company, FakePromises]:
    company = Company(invoice(7, "42.50"))
    promises = FakePromises(company.rows, lambda: TODAY)
    rules = PromiseRules(days_ahead=days_ahead)
    company.promising = Promising(promises, rules, lambda: TODAY)
    company.declines(DeclineBucket.SOFT)
    return company, promises


@pytest.mark.parametrize(
    ("keys", "day"),
    [
        ("1#", date(2026, 11, 24)),
        ("9#", date(2026, 12, 2)),
        ("3", date(2026, 11, 26)),
        ("0512", date(2026, 12, 5)),
        ("2311#", TODAY),
    ],
)
async def test_a_day_is_keyed(keys: str, day: date) -> None:
    company, promises = a_company()
    ended = await converse(company, [*ASKED, ("ask_promise_day", keys), *YES])
    assert ended.outcome is CallOutcome.PROMISED
    assert [(each.day, str(each.amount)) for each in promises.made] == [(day, "42.50 EUR")]
    assert ended.line.said("promise_made").values == f"amount=42.50 EUR date={day}"
    assert company.rows.events == ["payment.declined", "promise.made", "promise"]


@pytest.mark.parametrize("keys", ["55#", "3102#", "123#"])
async def test_what_is_no_day_is_asked_again(keys: str) -> None:
    company, promises = a_company()
    script: Script = [*ASKED, ("ask_promise_day", keys), ("ask_promise_day", "2#"), *YES]
    ended = await converse(company, script)
    assert "not_understood" in ended.phrases
    assert [each.day for each in promises.made] == [date(2026, 11, 25)]


async def test_a_day_that_is_too_far_is_answered_with_the_last_one() -> None:
    company, promises = a_company(days_ahead=7)
    script: Script = [*ASKED, ("ask_promise_day", "0112"), ("ask_promise_day", "7#"), *YES]
    ended = await converse(company, script)
    assert ended.line.said("promise_day_not_possible").values == "date=2026-11-30"
    assert [each.day for each in promises.made] == [date(2026, 11, 30)]


async def test_a_day_past_this_year_is_next_years() -> None:
    company, _ = a_company()
    script: Script = [*ASKED, ("ask_promise_day", "2211"), ("ask_promise_day", "1#"), *YES]
    ended = await converse(company, script)
    assert "promise_day_not_possible" in ended.phrases


async def test_who_never_names_a_day_in_time_gets_a_person() -> None:
    company, promises = a_company()
    late: Script = [("ask_promise_day", "2412")] * 3
    ended = await converse(company, [*ASKED, *late])
    assert ended.outcome is CallOutcome.AGENT
    assert promises.made == []


async def test_another_day_may_be_wanted_when_it_is_read_back() -> None:
    company, promises = a_company()
    script: Script = [*ASKED, ("ask_promise_day", "1#"), ("confirm_promise", "2")]
    ended = await converse(company, [*script, ("ask_promise_day", "2#"), *YES])
    assert ended.outcome is CallOutcome.PROMISED
    assert [each.day for each in promises.made] == [date(2026, 11, 25)]


async def test_a_day_is_said() -> None:
    company, promises = a_company()
    ears = ScriptedEars(
        QUIET, QUIET, CODE, says("pay_or_leave", "yes"), SAID_YES,
        says("after_decline", "promise"), says("date", "2026-11-27"), SAID_YES,
    )  # fmt: skip
    line = FakeLine([("ask_account_number_voice", "1042#")])
    ended = await converse(company, line=line, ears=ears)
    assert ended.outcome is CallOutcome.PROMISED
    assert [each.day for each in promises.made] == [date(2026, 11, 27)]


async def test_what_is_promised_already_is_not_offered_to_be_promised_again() -> None:
    company, promises = a_company()
    await converse(company, [*ASKED, ("ask_promise_day", "1#"), *YES])
    company.declines(DeclineBucket.SOFT)
    ended = await converse(company, ASKED[:-1], whole_script=False)
    assert "option_promise" not in ended.phrases
    assert len(promises.made) == 1


async def test_a_promise_that_cannot_be_kept_in_writing_leads_to_a_person() -> None:
    company, promises = a_company()
    line = FakeLine([*ASKED, ("ask_promise_day", "1#"), *YES])

    async def paid_elsewhere(promise: Promise) -> None:
        company.pay_elsewhere()
        await FakePromises.make(promises, promise)

    promises.make = paid_elsewhere  # type: ignore[method-assign] # paid on the web, this moment
    ended = await converse(company, line=line)
    assert ended.outcome is CallOutcome.AGENT
    assert promises.made == []
