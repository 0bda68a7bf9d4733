"""Callers who say "back", or key star twice, hear the question before: no try, no money is lost."""

from __future__ import annotations

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.matches import Choose, Named, Sure
from ivr.billing.payments import AttemptState, DeclineBucket
from ivr.billing.promising import Promising
from ivr.billing.terms import Terms
from ivr.dialogue.call import ASIDES, BACKS
from tests.dialogue.company import SMITH, Company, invoice
from tests.dialogue.conversation import KNOWN, PAYS_ONE, Conversation, converse
from tests.dialogue.saying import (
    CODE,
    JAIME,
    JAMES,
    JANE,
    NO,
    NOISE,
    QUIET,
    YES,
    Answer,
    commands,
    digits,
    name,
    says,
)  # fmt: skip
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script
from tests.fakes.promises import FakePromises

BACK = commands("back")
ACCOUNT = digits("1042")
WHO = (QUIET, ACCOUNT, CODE)
PAY, LEAVE = says("pay_or_leave", "yes"), says("pay_or_leave", "no")
CHOOSE, NONE = says("all_or_choose", "choose"), says("all_or_choose", "none")
FINISH = says("repeat_or_end", "no")
ONE, TWO, THREE = invoice(7, "42.50"), invoice(8, "10.00"), invoice(9, "5.00")
DOLLARS = invoice(8, "9.99", "USD")


def known_by_name() -> Company:
    company = Company()
    company.known_names.spoken = {
        "james smith": Sure(JAMES),
        "james myth": Choose((JANE, JAMES, JAIME)),
    }
    company.known_names.spelled = {"5263776484": Sure(Named("James Smith", (1,), 0.0))}
    return company


async def talk(company: Company, *answers: Answer, script: Script = ()) -> Conversation:
    ears = ScriptedEars(*answers)
    ended = await converse(company, script, ears=ears)
    assert ears.left == 0, f"{ears.left} answers not listened to: {ended.phrases}"
    return ended


# Who is calling


async def test_from_the_postal_code_to_the_account_number() -> None:
    ended = await talk(Company(), QUIET, digits("9999"), BACK, ACCOUNT, CODE)
    assert ended.call.customer == SMITH
    assert ended.phrases[1:5] == ["ask_account_number_voice", "ask_postal_code_voice"] * 2
    assert "account_not_confirmed" not in ended.phrases


async def test_from_the_postal_code_to_the_name() -> None:
    answers = (QUIET, name("john nobody"), YES, BACK, name("james smith"), YES, CODE)
    ended = await talk(known_by_name(), *answers)
    assert ended.call.customer == SMITH


async def test_a_number_keyed_into_the_welcome_is_asked_for_anew() -> None:
    script: Script = [("welcome", "9999#")]
    ended = await talk(Company(), (20.0, QUIET[1]), BACK, ACCOUNT, CODE, script=script)
    assert ended.call.customer == SMITH


@pytest.mark.parametrize("words", ["james smith", "james myth", "james", "john nobody"])
async def test_from_the_name_that_was_understood_to_the_name_said_again(words: str) -> None:
    answers = (QUIET, name(words), BACK, name("james smith"), YES, CODE)
    ended = await talk(known_by_name(), *answers)
    assert ended.call.customer == SMITH
    assert ended.phrases.count("ask_account_number_voice") == 2
    assert "spell_name" not in ended.phrases


async def heard_while_going_back(words: str) -> list[tuple[float, str]]:
    script: Script = [("ask_account_number_voice", ""), ("ask_account_number_voice", "00#")]
    ears = ScriptedEars(QUIET, name(words), BACK, QUIET)
    ended = await converse(known_by_name(), script, ears=ears)
    began = ended.line.heard[0].at
    return [(round(each.at - began, 3), each.said.phrase) for each in ended.line.heard]


async def test_going_back_sounds_alike_whether_or_not_the_name_is_a_customers() -> None:
    known = await heard_while_going_back("james smith")
    assert known == await heard_while_going_back("john nobody")


async def test_from_spelling_to_the_name() -> None:
    mumbled = name("mumble jumble")
    answers = (QUIET, mumbled, NO, BACK, name("james smith"), YES, CODE)
    ended = await talk(known_by_name(), *answers)
    assert ended.call.customer == SMITH


async def test_from_the_account_number_to_the_name_that_could_not_be_made_out() -> None:
    mumbled = name("mumble jumble")
    answers = (QUIET, mumbled, NO, QUIET, QUIET, BACK, name("james smith"), YES, CODE)
    ended = await talk(known_by_name(), *answers)
    assert ended.call.customer == SMITH
    assert "ask_account_again_voice" in ended.phrases


async def test_from_a_name_called_into_the_welcome_to_the_first_question() -> None:
    answers = (name("john nobody", at=1.0), BACK, name("james smith"), YES, CODE)
    ended = await talk(known_by_name(), *answers)
    assert ended.call.customer == SMITH
    assert ended.phrases[1:4] == ["confirm_name", "ask_account_number_voice", "confirm_name"]


async def test_the_first_question_has_none_before_it() -> None:
    ended = await talk(Company(), commands("back", at=1.0), QUIET, BACK, ACCOUNT, CODE)
    assert ended.call.customer == SMITH
    assert ended.phrases.count("welcome") == 2
    assert ended.phrases.count("ask_account_number_voice") == 2


async def test_an_account_that_was_passed_on_was_not_asked_for() -> None:
    line = FakeLine(hints={"account": "1042"})
    ended = await converse(Company(), line=line, ears=ScriptedEars(QUIET, BACK, CODE))
    assert ended.call.customer == SMITH
    assert ended.phrases.count("ask_postal_code_voice") == 2


async def test_a_name_that_both_factors_fit_is_confirmed_or_denied() -> None:
    script: Script = [("spell_name", "5263776484#")]
    answers = (QUIET, name("mumble jumble"), NO, QUIET, CODE, BACK, YES)
    ended = await talk(known_by_name(), *answers, script=script)
    assert ended.call.customer == SMITH
    assert ended.phrases.count("confirm_name") == 3


async def test_going_back_gives_no_further_tries_at_an_identification() -> None:
    wrong = digits("11111")
    answers = (ACCOUNT, BACK, ACCOUNT, wrong)
    ended = await talk(Company(), QUIET, *answers, *answers, *answers)
    assert ended.outcome is CallOutcome.AGENT
    assert ended.phrases.count("account_not_confirmed") == 3
    assert ended.call.customer is None


async def test_going_back_costs_no_try_at_answering() -> None:
    ended = await talk(Company(), QUIET, ACCOUNT, QUIET, QUIET, BACK, QUIET, NOISE, ACCOUNT, CODE)
    assert ended.call.customer == SMITH
    assert "too_many_tries" not in ended.phrases


async def test_going_back_and_forth_has_an_end() -> None:
    back_and_forth = (BACK, ACCOUNT) * BACKS
    ended = await talk(Company(), QUIET, ACCOUNT, *back_and_forth, *(BACK,) * (ASIDES + 1))
    assert ended.outcome is CallOutcome.AGENT
    assert ended.phrases.count("ask_account_number_voice") == BACKS + 1
    assert ended.phrases.count("ask_postal_code_voice") == BACKS + 1 + ASIDES


# Which invoices


async def test_the_only_invoice_has_no_question_before_it() -> None:
    ended = await talk(Company(ONE), *WHO, BACK, LEAVE)
    assert ended.phrases.count("owes_one") == 2
    assert ended.phrases.count("ask_postal_code_voice") == 1


async def test_from_the_first_of_several_to_all_or_some() -> None:
    ended = await talk(Company(ONE, TWO), *WHO, CHOOSE, BACK, NONE)
    assert ended.phrases.count("owes_many") == 2
    assert ended.outcome is CallOutcome.NOT_PAID


async def test_from_an_invoice_to_the_one_before_it() -> None:
    company = Company(ONE, TWO, THREE)
    chosen = (PAY, LEAVE, BACK, BACK, LEAVE, PAY, LEAVE)
    ended = await talk(company, *WHO, CHOOSE, *chosen, YES, FINISH, says("all_or_choose", "none"))
    assert [str(attempt.amount) for attempt in company.attempts] == ["10.00 EUR"]
    assert ended.outcome is CallOutcome.PAID


async def test_from_one_currency_to_the_other_that_was_left() -> None:
    company = Company(ONE, DOLLARS)
    ended = await talk(company, *WHO, LEAVE, BACK, PAY, YES, FINISH, LEAVE)
    assert [str(attempt.amount) for attempt in company.attempts] == ["42.50 EUR"]
    assert ended.outcome is CallOutcome.PAID


async def test_an_invoice_that_was_paid_is_not_gone_back_to() -> None:
    company = Company(ONE, DOLLARS)
    ended = await talk(company, *WHO, PAY, YES, FINISH, BACK, LEAVE)
    assert company.states == [AttemptState.CAPTURED]
    assert ended.phrases.count("owes_one") == 3
    assert ended.outcome is CallOutcome.PAID


# Paying


async def test_from_the_last_yes_to_the_choice_and_nothing_is_charged() -> None:
    company = Company(ONE, TWO)
    everything = says("all_or_choose", "all")
    ended = await talk(company, *WHO, everything, BACK, NONE)
    assert company.charged == []
    assert company.states == [AttemptState.CANCELED]
    assert ended.phrases.count("owes_many") == 2
    assert ended.outcome is CallOutcome.NOT_PAID


async def test_from_a_declined_card_to_the_choice_and_two_cards_are_still_the_most() -> None:
    company = Company(ONE)
    company.declines(DeclineBucket.SOFT, DeclineBucket.SOFT)
    ended = await talk(company, *WHO, PAY, YES, BACK, PAY, YES)
    assert company.states == [AttemptState.DECLINED] * 2
    assert ended.phrases.count("owes_one") == 2
    assert ended.phrases[-2:] == ["declined_final", "transferring"]


async def test_a_receipt_is_repeated_and_the_payment_stays() -> None:
    company = Company(ONE)
    ended = await talk(company, *WHO, PAY, YES, BACK, FINISH)
    assert company.states == [AttemptState.CAPTURED]
    assert ended.phrases.count("confirmation_number") == 2
    assert ended.phrases.count("owes_one") == 1
    assert ended.outcome is CallOutcome.PAID


# By keys: star twice, where one star clears


async def test_star_twice_goes_back_from_an_amount_and_from_a_day() -> None:
    company = Company(invoice(7, "42.50"))
    company.terms = Terms.written("10%", {}, "EUR")
    company.promising = Promising(FakePromises(company.rows))
    company.declines(DeclineBucket.SOFT)
    script: Script = [
        *KNOWN, ("or_a_part", "4"), ("ask_amount", "20**"), ("or_a_part", "1"),
        ("confirm_charge", "1"), ("option_promise", "2"), ("ask_promise_day", "**"),
        ("option_promise", "3"),
    ]  # fmt: skip
    ended = await converse(company, script)
    assert ended.phrases.count("owes_one") == 2
    assert ended.phrases.count("declined") == 2
    assert ended.outcome is CallOutcome.AGENT


async def test_star_twice_costs_no_try_where_nothing_was_before() -> None:
    script: Script = [("ask_account_number", "10**"), ("ask_account_number", "1042#")]
    ended = await converse(Company(invoice(7, "42.50")), [*script, *PAYS_ONE[1:]])
    assert "not_understood" not in ended.phrases
    assert ended.outcome is CallOutcome.PAID
