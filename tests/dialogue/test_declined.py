"""After a decline: what is offered, in which order, and where each choice leads."""

from __future__ import annotations

from itertools import takewhile

import pytest

from ivr.billing.bank_accounts import NotVerified
from ivr.billing.calls import CallOutcome
from ivr.billing.captures import CaptureResult
from ivr.billing.methods import Method
from ivr.billing.payments import AttemptState, DeclineBucket, Refusal
from ivr.billing.promising import Promising
from ivr.billing.terms import Terms
from ivr.dialogue.endings import NobodyAvailable
from ivr.dialogue.flows.declined import Next, what_next
from ivr.dialogue.hearing import Heard
from ivr.dialogue.questions import Understood
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import KNOWN, Conversation, converse
from tests.dialogue.saying import CODE, QUIET, YES, commands, says
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script
from tests.fakes.links import news
from tests.fakes.promises import FakePromises

DECLINED_ONCE: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("confirm_charge", "1")]
ENDS: Script = [("confirm_charge", "1"), ("repeat_or_end", "2")]
NUMBER: Script = [("ask_account_number_voice", "1042#")]
BY_NUMBER = (QUIET, QUIET, CODE)
PAY = says("pay_or_leave", "yes")
SOFT, HARD, FIX = DeclineBucket.SOFT, DeclineBucket.HARD, DeclineBucket.FIX
NO_FUNDS = Refusal("2001", "Insufficient Funds", SOFT, about_funds=True)


def a_company(*, in_parts: bool = True) -> Company:
    """One that has everything to offer."""
    company = Company(invoice(7, "42.50"))
    company.sends_links()
    company.promising = Promising(FakePromises(company.rows))
    if in_parts:
        company.terms = Terms.written("10%", {}, "EUR")
    return company


def offered(ended: Conversation) -> list[str]:
    """The choices that were read out last, in their order."""
    last = max(place for place, each in enumerate(ended.phrases) if each == "declined")
    read = takewhile(lambda each: each.startswith("option_"), ended.phrases[last + 1 :])
    return [each.removeprefix("option_") for each in read]


@pytest.mark.parametrize(
    ("refusal", "choices"),
    [
        (Refusal("2000", "Do Not Honor", SOFT), ["another_card", "link", "promise", "person"]),
        (NO_FUNDS, ["part", "another_card", "promise", "person"]),
        (Refusal("2012", "Lost Card", HARD), ["another_card", "link", "promise", "person"]),
        (Refusal("2010", "Wrong code", FIX), ["same_card", "link", "promise", "person"]),
    ],
)
async def test_what_is_offered_fits_the_decline(refusal: Refusal, choices: list[str]) -> None:
    company = a_company()
    company.gateway.will(refusal)
    ended = await converse(company, DECLINED_ONCE, whole_script=False)
    assert offered(ended) == choices


async def test_what_is_not_at_hand_is_left_out_and_a_caller_may_come_back_later() -> None:
    company = Company(invoice(7, "42.50"))
    company.declines(SOFT)
    ended = await converse(company, [*DECLINED_ONCE, ("option_later", "3")])
    assert offered(ended) == ["another_card", "person", "later"]
    assert ended.outcome is CallOutcome.NOT_PAID


@pytest.mark.parametrize("bucket", DeclineBucket)
async def test_the_words_for_every_decline_are_the_same(bucket: DeclineBucket) -> None:
    company = a_company()
    company.declines(bucket)
    ended = await converse(company, DECLINED_ONCE, whole_script=False)
    before = ended.phrases.index("declined")
    assert ended.phrases[before - 1 : before + 1] == ["charging", "declined"]
    assert not {each for each in ended.phrases if "code" in each and "postal" not in each} - {
        "confirmation_number"
    }


async def test_another_card_is_charged() -> None:
    company = a_company()
    company.hashes = ["a" * 64, "b" * 64]
    company.declines(SOFT)
    ended = await converse(company, [*DECLINED_ONCE, ("declined", "1"), *ENDS])
    assert ended.outcome is CallOutcome.PAID
    assert company.states == [AttemptState.DECLINED, AttemptState.CAPTURED]


async def test_after_two_different_cards_no_other_is_offered() -> None:
    company = a_company()
    company.hashes = ["a" * 64, "b" * 64]
    company.declines(SOFT, SOFT)
    script: Script = [*DECLINED_ONCE, ("declined", "1"), ("confirm_charge", "1")]
    ended = await converse(company, script, whole_script=False)
    assert offered(ended) == ["link", "promise", "person", "later"]


async def test_the_same_card_may_be_keyed_three_times_in_all() -> None:
    company = a_company()
    company.hashes = ["a" * 64] * 3
    company.declines(FIX, FIX, FIX)
    again: Script = [("declined", "1"), ("confirm_charge", "1")]
    ended = await converse(company, [*DECLINED_ONCE, *again, *again], whole_script=False)
    assert offered(ended) == ["link", "promise", "person"]
    assert company.states == [AttemptState.DECLINED] * 3


async def test_a_part_is_paid_with_the_next_card() -> None:
    company = a_company()
    company.gateway.will(NO_FUNDS)
    part: Script = [("declined", "1"), ("ask_amount", "2000#")]
    script: Script = [*DECLINED_ONCE, *part, *ENDS]
    ended = await converse(company, script)
    assert [str(each.amount) for each in company.attempts] == ["42.50 EUR", "20.00 EUR"]
    assert ended.outcome is CallOutcome.PAID


async def test_no_part_is_offered_where_invoices_are_paid_in_full() -> None:
    company = a_company(in_parts=False)
    company.gateway.will(NO_FUNDS)
    ended = await converse(company, DECLINED_ONCE, whole_script=False)
    assert offered(ended) == ["another_card", "promise", "link", "person"]


async def test_a_promise_is_made() -> None:
    company = a_company()
    company.declines(SOFT)
    script: Script = [*DECLINED_ONCE, ("declined", "3"), ("ask_promise_day", "5#")]
    ended = await converse(company, [*script, ("confirm_promise", "1")])
    assert ended.phrases[-2:] == ["promise_made", "goodbye"]
    assert ended.outcome is CallOutcome.PROMISED


async def test_who_goes_back_from_the_day_hears_the_choices_again() -> None:
    company = a_company()
    company.declines(SOFT)
    ears = ScriptedEars(
        *BY_NUMBER, PAY, YES, says("after_decline", "promise"), commands("back"),
        says("after_decline", "4"),
    )  # fmt: skip
    ended = await converse(company, line=FakeLine(NUMBER), ears=ears)
    assert ended.phrases.count("declined") == 2
    assert ended.outcome is CallOutcome.AGENT


@pytest.mark.parametrize(
    ("meaning", "last"),
    [
        ("link", ["link_sent", "goodbye"]),
        ("2", ["link_sent", "goodbye"]),
        ("4", ["option_another_card_voice", "transferring"]),
    ],
)
async def test_the_choice_is_made_by_voice(meaning: str, last: list[str]) -> None:
    company = a_company()
    company.declines(SOFT)
    ears = ScriptedEars(*BY_NUMBER, PAY, YES, says("after_decline", meaning))
    ended = await converse(company, line=FakeLine(NUMBER), ears=ears)
    assert ended.phrases[-2:] == last


@pytest.mark.parametrize("result", [CaptureResult.INTERNAL_ERROR, None])
async def test_a_caller_whom_the_guard_refuses_gets_a_link_or_a_person(
    result: CaptureResult | None,
) -> None:
    company = a_company()
    company.secure_results = [result]
    script: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("card_not_taken", "1")]
    ended = await converse(company, script)
    assert ended.phrases[-2:] == ["link_sent", "goodbye"]
    assert company.states == [AttemptState.CANCELED]


async def test_a_refused_caller_may_want_a_person() -> None:
    company = a_company()
    company.secure_results = [CaptureResult.INTERNAL_ERROR]
    script: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("card_not_taken", "2")]
    ended = await converse(company, script)
    assert ended.phrases[-1] == "transferring"
    assert ended.outcome is CallOutcome.AGENT


# Who is there, and what else there is


async def test_a_person_is_not_offered_when_nobody_is_there() -> None:
    company = a_company()
    company.declines(HARD)
    line = FakeLine([*DECLINED_ONCE, ("option_later", "4")])
    line.agents = NobodyAvailable("at night")
    ended = await converse(company, line=line)
    assert offered(ended) == ["another_card", "link", "promise", "later"]
    assert ended.phrases[-1] == "goodbye"
    assert ended.outcome is CallOutcome.NOT_PAID


async def test_with_nothing_to_offer_at_night_the_caller_hears_that_nobody_is_there() -> None:
    company = Company(invoice(7, "42.50"))
    company.hashes = ["a" * 64, "b" * 64]
    company.declines(SOFT, SOFT)
    line = FakeLine([*DECLINED_ONCE, ("declined", "1"), ("confirm_charge", "1")])
    line.agents = NobodyAvailable("at night")
    ended = await converse(company, line=line)
    assert ended.phrases[-3:] == ["declined_final", "no_agent", "goodbye"]


async def test_a_refused_caller_may_leave_it_when_nobody_is_there() -> None:
    company = a_company()
    company.secure_results = [CaptureResult.INTERNAL_ERROR]
    line = FakeLine([*KNOWN, ("pay_one_or_leave", "1"), ("option_later", "2")])
    line.agents = NobodyAvailable("at night")
    ended = await converse(company, line=line)
    assert "option_later" in ended.phrases
    assert ended.phrases[-1] == "goodbye"


def with_paypal() -> Company:
    company = a_company()
    company.methods = (Method.CARD, Method.PAYPAL)
    assert company.links
    company.links.comes = [(60.0, news(AttemptState.CAPTURED))]
    return company


TO_A_CARD: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("method_card", "1")]


async def test_where_something_else_can_be_paid_with_it_is_offered_in_place_of_another_card() -> (
    None
):
    company = with_paypal()
    company.declines(SOFT)
    script: Script = [*TO_A_CARD, ("confirm_charge", "1"), ("declined", "1")]
    ended = await converse(company, [*script, ("method_paypal", "2"), ("repeat_or_end", "2")])
    assert "option_another_card" not in ended.phrases
    assert ended.outcome is CallOutcome.PAID


async def test_after_enough_cards_the_other_ways_are_left() -> None:
    company = with_paypal()
    company.hashes = ["a" * 64, "b" * 64]
    company.declines(SOFT, SOFT)
    other: Script = [("declined", "1"), ("method_card", "1"), ("confirm_charge", "1")]
    paypal: Script = [("declined", "1"), ("method_paypal", "1"), ("repeat_or_end", "2")]
    ended = await converse(company, [*TO_A_CARD, ("confirm_charge", "1"), *other, *paypal])
    assert ended.phrases.count("method_card") == 2
    assert ended.outcome is CallOutcome.PAID


async def test_another_card_may_be_said_where_another_way_is_offered() -> None:
    steps = [Next.OTHER_WAY, Next.PERSON]
    heard = Heard("after_decline", "another_card", "another card")
    assert what_next("declined", steps).meant(heard) == Understood(Next.OTHER_WAY)


async def test_another_card_on_file_is_offered_when_none_can_be_keyed() -> None:
    company = a_company()
    company.left("1111")
    company.left("2222")
    company.declines(SOFT)
    company.secure_results = [CaptureResult.INTERNAL_ERROR]
    script: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("choose_method", "3")]
    on_file: Script = [("way_not_taken", ""), ("choose_method", "1"), ("confirm_charge", "1")]
    other: Script = [("option_person", "1"), ("choose_method", "1"), *ENDS]
    ended = await converse(company, [*script, *on_file, *other])
    tokens = [charge.means.token for charge in company.gateway.charges]
    assert tokens == ["vaulted-2222", "vaulted-1111"]
    assert "option_another_card" not in ended.phrases


async def test_the_same_card_is_keyed_again_without_being_asked_how_to_pay() -> None:
    company = with_paypal()
    company.declines(FIX)
    script: Script = [*TO_A_CARD, ("confirm_charge", "1"), ("option_person", "1")]
    ended = await converse(company, [*script, *ENDS])
    assert offered(ended) == ["same_card", "other_way", "link", "person"]
    assert ended.phrases.count("choose_method") == 1
    assert ended.outcome is CallOutcome.PAID


async def test_a_card_on_file_is_not_said_to_be_keyed_once_more() -> None:
    company = a_company()
    company.left()
    company.declines(FIX)
    script: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("choose_method", "1")]
    ended = await converse(company, [*script, ("confirm_charge", "1")], whole_script=False)
    assert offered(ended) == ["another_card", "link", "promise", "person"]


async def test_a_part_is_paid_with_the_card_on_file_that_had_not_enough() -> None:
    company = a_company()
    card = company.left()
    company.gateway.will(NO_FUNDS)
    script: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("choose_method", "1")]
    part: Script = [("confirm_charge", "1"), ("declined", "1"), ("ask_amount", "2000#")]
    ended = await converse(company, [*script, *part, *ENDS])
    assert [charge.means.token for charge in company.gateway.charges] == [card.token] * 2
    assert ended.phrases.count("choose_method") == 1


async def test_a_debit_that_its_bank_declines_is_not_called_a_card() -> None:
    company = Company(invoice(7, "42.50", "USD"))
    company.takes_bank_accounts(Method.BANK_ACCOUNT, Method.CARD)
    company.declines(HARD)
    script: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("method_bank_account", "1")]
    script = [*script, ("agree_to_debit", "1"), ("debit_declined", "1"), *ENDS]
    ended = await converse(company, script)
    assert "declined" not in ended.phrases
    assert ended.outcome is CallOutcome.PAID


async def test_no_card_is_offered_where_none_is_taken() -> None:
    company = Company(invoice(7, "42.50", "USD"))
    company.takes_bank_accounts()
    company.declines(SOFT)
    script: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("agree_to_debit", "1")]
    ended = await converse(company, script)
    assert ended.phrases[-2:] == ["debit_declined", "transferring"]


# What cannot be taken, and what is left


async def test_when_no_card_can_be_taken_the_other_ways_are_asked_for() -> None:
    company = with_paypal()
    company.secure_results = [CaptureResult.INTERNAL_ERROR]
    script: Script = [*TO_A_CARD, ("method_paypal", "1"), ("repeat_or_end", "2")]
    ended = await converse(company, script)
    assert ended.phrases.count("way_not_taken") == 1
    assert ended.phrases.count("method_card") == 1
    assert ended.outcome is CallOutcome.PAID


async def test_who_cannot_key_a_card_gets_a_link_when_nobody_is_there_to_help() -> None:
    company = a_company()
    company.secure_results = [CaptureResult.TOO_MANY_FAILED_ATTEMPTS]
    line = FakeLine([*KNOWN, ("pay_one_or_leave", "1"), ("card_not_taken", "1")])
    line.agents = NobodyAvailable("at night")
    ended = await converse(company, line=line)
    assert ended.phrases[-2:] == ["link_sent", "goodbye"]


async def test_who_wants_a_person_while_keying_a_card_when_nobody_is_there_may_choose_again() -> (
    None
):
    company = Company(invoice(7, "42.50"))
    company.secure_results = [CaptureResult.TRANSFERRED_TO_AGENT]
    pays: Script = [("pay_one_or_leave", "1")]
    line = FakeLine([*KNOWN, *pays, ("nobody_there", ""), *pays, *ENDS])
    line.agents = NobodyAvailable("at night")
    ended = await converse(company, line=line)
    assert ended.outcome is CallOutcome.PAID


async def test_a_card_on_file_goes_on_when_none_can_be_keyed() -> None:
    company = a_company()
    card = company.left()
    company.secure_results = [CaptureResult.INTERNAL_ERROR]
    script: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("choose_method", "2")]
    ended = await converse(company, [*script, ("way_not_taken", ""), ("choose_method", "1"), *ENDS])
    assert [charge.means.token for charge in company.gateway.charges] == [card.token]
    assert "method_another_card" not in ended.phrases[ended.phrases.index("way_not_taken") :]


async def test_an_account_that_is_no_good_leads_to_a_link_where_no_card_is_taken() -> None:
    company = Company(invoice(7, "42.50", "USD"))
    company.sends_links()
    company.takes_bank_accounts()
    company.vault.answer = NotVerified("2046")
    pays: Script = [("pay_one_or_leave", "1")]
    script: Script = [*KNOWN, *pays, ("agree_to_debit", "1"), *pays, ("payment_not_taken", "1")]
    ended = await converse(company, script)
    assert ended.phrases[-2:] == ["link_sent", "goodbye"]
