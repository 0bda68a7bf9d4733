"""After a decline: what is offered, in which order, and where each choice leads."""

from __future__ import annotations

from itertools import takewhile

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.captures import CaptureResult
from ivr.billing.payments import AttemptState, DeclineBucket, Refusal
from ivr.billing.promising import Promising
from ivr.billing.terms import Terms
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import KNOWN, Conversation, converse
from tests.dialogue.saying import CODE, QUIET, YES, commands, says
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script
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


async def test_a_link_is_sent_and_the_call_ends() -> None:
    company = a_company()
    company.declines(SOFT)
    ended = await converse(company, [*DECLINED_ONCE, ("declined", "2")])
    assert ended.phrases[-2:] == ["link_sent", "goodbye"]
    assert company.links
    assert company.outbox
    (link,) = company.links.made
    assert (link.customer_id, link.invoice_ids, link.call_id) == (1, (7,), ended.call.id)
    (text,) = company.outbox.told
    assert (text.kind, text.ids["url"], text.to) == ("pay-link", link.url, "+34600111222")


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
