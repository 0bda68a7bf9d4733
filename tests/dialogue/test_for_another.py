"""Paying for somebody else's account: what is asked, what is never heard, what is counted."""

from __future__ import annotations

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.errors import OutcomeUnknown
from ivr.billing.limiting import Limiting
from ivr.billing.messages import ToCustomer
from ivr.billing.payments import AttemptState, DeclineBucket
from ivr.billing.terms import Terms
from tests.dialogue.company import SMITH, Company, and_then, invoice
from tests.dialogue.conversation import Conversation, converse
from tests.dialogue.saying import QUIET, YES, commands, says
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script
from tests.fakes.tries import FakeTries

ACCOUNT: Script = [("ask_account_number", "1042#"), ("ask_postal_code", "1#")]
GOES_ON = [("confirm_for_another", "1")]
PAYS: Script = [("confirm_charge", "1"), ("repeat_or_end", "2")]
PRIVATE = {"owes_one", "owes_many", "invoice_line", "service_back", "nothing_owed", "already_paid"}


def amount(keys: str) -> list[tuple[str, str]]:
    return [("ask_amount_for_another", keys), *GOES_ON]


def a_company() -> Company:
    company = Company(invoice(7, "42.50"), invoice(8, "10.00"))
    company.for_another = "EUR"
    company.terms = Terms.written("1.00", {}, "EUR")
    company.limiting = Limiting(FakeTries(company.rows))
    company.suspend_all()
    return company


def failures(company: Company) -> int:
    """What counts against the number that calls."""
    assert company.limiting
    assert isinstance(company.limiting.tries, FakeTries)
    return sum(
        tries
        for (subject, _), tries in company.limiting.tries.identifications.items()
        if subject == "number 00111222"
    )


def hears_nothing_private(ended: Conversation) -> None:
    assert not PRIVATE & set(ended.phrases)
    said = " ".join(each.said.values for each in ended.line.heard)
    assert SMITH.name not in said
    assert "mobile" not in said


async def test_who_pays_for_another_hears_only_the_amount_and_a_number() -> None:
    company = a_company()
    ended = await converse(company, [*ACCOUNT, *amount("4500#"), *PAYS])
    assert ended.outcome is CallOutcome.PAID
    assert ended.line.said("confirm_for_another").values == "amount=45.00 EUR digits=42"
    assert "confirmation_number" in ended.phrases
    hears_nothing_private(ended)
    assert ended.call.customer is None


@pytest.mark.parametrize(
    ("owed", "currency", "shown", "keys"),
    [
        ("1980", "JPY", "amount=100 JPY digits=100", "1980#"),
        ("1.500", "KWD", "amount=100.000 KWD digits=100000", "1500#"),
    ],
)
async def test_how_an_amount_is_keyed_is_shown_where_it_has_no_cents(
    owed: str, currency: str, shown: str, keys: str
) -> None:
    company = Company(invoice(7, owed, currency))
    company.gateway.currencies.add(currency)
    company.for_another = currency
    asked = "ask_amount_for_another_as_shown"
    ended = await converse(company, [*ACCOUNT, (asked, keys), *GOES_ON, *PAYS])
    assert ended.line.said(asked).values == shown
    assert ended.outcome is CallOutcome.PAID
    assert str(company.attempts[0].amount) == f"{owed} {currency}"


async def test_the_oldest_is_paid_first() -> None:
    company = a_company()
    await converse(company, [*ACCOUNT, *amount("4500#"), *PAYS])
    (attempt,) = company.attempts
    parts = [(part.invoice_id, str(part.amount)) for part in attempt.allocations]
    assert parts == [(7, "42.50 EUR"), (8, "2.50 EUR")]


async def test_a_card_that_pays_for_another_is_never_kept() -> None:
    company = a_company()
    company.keeps_cards = True
    ended = await converse(company, [*ACCOUNT, *amount("4500#"), *PAYS])
    assert "keep_card" not in ended.phrases
    assert ended.outcome is CallOutcome.PAID


@pytest.mark.parametrize(("account", "keys"), [("1042", "5251#"), ("9999", "100#")])
async def test_too_much_and_no_such_account_sound_the_same(account: str, keys: str) -> None:
    company = a_company()
    company.answers_left = 100
    tries = amount(keys) * 3
    script: Script = [("ask_account_number", f"{account}#"), ("ask_postal_code", "1#"), *tries]
    ended = await converse(company, script)
    assert ended.phrases.count("amount_not_taken") == 3
    assert ended.phrases[-2:] == ["too_many_tries", "transferring"]
    hears_nothing_private(ended)
    assert failures(company) == 3
    assert company.attempts == []
    took = {
        round(after.at - before.at, 3)
        for before, after in zip(ended.line.heard, ended.line.heard[1:], strict=False)
        if before.said.phrase == "confirm_for_another"
    }
    assert len(took) <= 3  # one for each growing delay
    assert 100 - company.answers_left == 6  # the account and its invoices, whether there are any


async def test_an_account_that_owes_nothing_sounds_the_same_too() -> None:
    company = a_company()
    company.pay_elsewhere()
    ended = await converse(company, [*ACCOUNT, *amount("100#") * 3])
    assert ended.phrases[-2:] == ["too_many_tries", "transferring"]
    assert failures(company) == 3


async def test_a_payment_takes_its_try_back_and_a_hang_up_does_not() -> None:
    company = a_company()
    await converse(company, [*ACCOUNT, *amount("1000#"), ("confirm_charge", "hangs up")])
    assert failures(company) == 1
    await converse(company, [*ACCOUNT, *amount("1000#"), *PAYS])
    assert failures(company) == 1


async def test_a_number_over_its_limit_hears_the_same_of_an_amount_that_could_be_taken() -> None:
    company = a_company()
    for _ in range(10):
        leaves: Script = [*ACCOUNT, *amount("1000#"), ("confirm_charge", "hangs up")]
        await converse(company, leaves)
    ended = await converse(company, [*ACCOUNT, *amount("1000#") * 3])
    assert ended.phrases.count("amount_not_taken") == 3
    assert ended.outcome is CallOutcome.AGENT


async def test_another_amount_may_be_keyed_when_it_is_read_back() -> None:
    company = a_company()
    script: Script = [*ACCOUNT, ("ask_amount_for_another", "1000#"), ("confirm_for_another", "2")]
    ended = await converse(company, [*script, *amount("2000#"), *PAYS])
    assert [str(each.amount) for each in company.attempts] == ["20.00 EUR"]
    assert ended.outcome is CallOutcome.PAID


async def test_after_a_decline_another_card_or_a_person_and_nothing_else_is_offered() -> None:
    company = a_company()
    company.sends_links()
    company.declines(DeclineBucket.SOFT)
    script: Script = [*ACCOUNT, *amount("1000#"), ("confirm_charge", "1"), ("declined", "1")]
    ended = await converse(company, [*script, *PAYS])
    assert ended.outcome is CallOutcome.PAID
    assert "option_link" not in ended.phrases
    assert "option_promise" not in ended.phrases


async def test_what_was_paid_meanwhile_sounds_like_any_other_refusal() -> None:
    company = a_company()
    line = FakeLine([*ACCOUNT, *amount("1000#"), ("confirm_charge", "1")])
    line.secure_part = and_then(company.secure_part, company.pay_elsewhere)
    ended = await converse(company, line=line)
    assert ended.phrases[-2:] == ["amount_not_taken", "goodbye"]
    assert company.charged == []


@pytest.mark.parametrize("ways", [(), ("text", "mail")])
async def test_an_unknown_outcome_sounds_the_same_whoever_gets_the_message(
    ways: tuple[ToCustomer, ...],
) -> None:
    company = a_company()
    company.can_be_told(*ways)
    company.gateway.will(OutcomeUnknown("timed out"))
    ended = await converse(company, [*ACCOUNT, *amount("1000#"), ("confirm_charge", "1")])
    assert ended.phrases[-2:] == ["confirming_see_statement", "goodbye"]
    assert company.states == [AttemptState.UNKNOWN]


async def test_it_is_asked_for_by_voice() -> None:
    company = a_company()
    ears = ScriptedEars(
        QUIET, QUIET, commands("for_another"), says("amount", "45"), YES, YES,
        says("repeat_or_end", "no"),
    )  # fmt: skip
    line = FakeLine([("ask_account_number_voice", "1042#")])
    ended = await converse(company, line=line, ears=ears)
    assert ended.outcome is CallOutcome.PAID
    assert [str(each.amount) for each in company.attempts] == ["45.00 EUR"]


async def test_going_back_from_the_yes_asks_for_the_amount_again_and_uses_up_a_try() -> None:
    company = a_company()
    back = [says("amount", "45"), YES, commands("back")]
    ears = ScriptedEars(QUIET, QUIET, commands("for_another"), *back * 3)
    ended = await converse(
        company, line=FakeLine([("ask_account_number_voice", "1042#")]), ears=ears
    )
    assert ended.phrases.count("ask_amount_for_another_voice") == 3
    assert ended.phrases[-2:] == ["too_many_tries", "transferring"]
    assert "amount_not_taken" not in ended.phrases
    assert failures(company) == 3


async def test_going_back_from_the_amount_that_is_read_back_asks_for_another() -> None:
    company = a_company()
    ears = ScriptedEars(
        QUIET, QUIET, commands("for_another"), says("amount", "54"), commands("back"),
        says("amount", "45"), YES, YES, says("repeat_or_end", "no"),
    )  # fmt: skip
    ended = await converse(
        company, line=FakeLine([("ask_account_number_voice", "1042#")]), ears=ears
    )
    assert ended.outcome is CallOutcome.PAID
    assert [str(each.amount) for each in company.attempts] == ["45.00 EUR"]


async def test_who_refuses_the_charge_hears_that_nothing_was_charged() -> None:
    company = a_company()
    ended = await converse(company, [*ACCOUNT, *amount("1000#"), ("confirm_charge", "2")])
    assert ended.phrases[-2:] == ["nothing_charged", "goodbye"]


async def test_where_it_is_not_offered_the_key_means_nothing() -> None:
    company = a_company()
    company.for_another = ""
    script: Script = [*ACCOUNT, ("ask_postal_code", "28013#"), ("pay_all_or_choose", "0")]
    ended = await converse(company, script, whole_script=False)
    assert "or_pay_for_another" not in ended.phrases
    assert "not_understood" in ended.phrases
    assert ended.call.customer == SMITH


async def test_who_pays_for_another_is_offered_no_card_on_file_and_leaves_none() -> None:
    company = a_company()
    company.keeps_cards = True
    company.left()
    ended = await converse(company, [*ACCOUNT, *amount("4500#"), *PAYS])
    assert ended.outcome is CallOutcome.PAID
    assert not {"choose_method", "keep_card"} & set(ended.phrases)
    assert len(company.rows.cards) == 1
