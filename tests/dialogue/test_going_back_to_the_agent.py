"""A caller whom an agent passed on goes back to that agent, who learns how it went."""

from __future__ import annotations

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.errors import GatewayError, GatewayNotReached, LedgerUnavailable, OutcomeUnknown
from ivr.billing.payments import DeclineBucket
from ivr.dialogue.call import Call
from ivr.dialogue.endings import HungUp, LineError, NobodyAvailable, Over
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import KNOWN, PAYS_ONE, Conversation, converse
from tests.dialogue.test_running import ended
from tests.fakes.line import FakeLine, Script

TO_THE_CHARGE: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("confirm_charge", "1")]


async def borrowed(company: Company, script: Script) -> Conversation:
    """The conversation of a caller whom the agent at 201 passed on."""
    return await converse(company, line=FakeLine(script, hints={"back": "201"}))


def is_back(call: Conversation, result: str) -> None:
    assert call.phrases[-1] == "back_to_agent"
    assert call.line.transferred
    assert not call.line.hung_up_by_us
    assert call.line.words["result"] == result


async def test_who_paid_goes_back_with_amount_and_confirmation_instead_of_a_goodbye() -> None:
    call = await borrowed(Company(invoice(7, "42.50")), PAYS_ONE)
    is_back(call, "paid")
    (receipt,) = call.call.receipts
    assert call.line.words["paid"] == "42.50 EUR"
    assert call.line.words["confirmation"] == receipt.confirmation
    assert call.outcome is CallOutcome.PAID
    assert "goodbye_paid" not in call.phrases


async def test_two_payments_are_both_told() -> None:
    company = Company(invoice(7, "42.50"), invoice(8, "9.99", "USD"))
    call = await borrowed(company, [*PAYS_ONE, *PAYS_ONE[len(KNOWN) :]])
    is_back(call, "paid")
    assert sorted(call.line.words["paid"].split(" + ")) == ["42.50 EUR", "9.99 USD"]
    assert len(call.line.words["confirmation"].split(" + ")) == 2


async def test_a_second_payment_that_fails_does_not_hide_the_first() -> None:
    company = Company(invoice(7, "42.50"), invoice(8, "9.99", "GBP"))  # no account at the gateway
    second: Script = [("pay_one_or_leave", "1"), ("confirm_charge", "1")]
    call = await borrowed(company, [*PAYS_ONE, *second])
    assert call.phrases[-2:] == ["technical_problem", "back_to_agent"]
    is_back(call, "paid")
    assert call.line.words["paid"] == "42.50 EUR"


async def test_who_would_rather_not_pay_goes_back() -> None:
    call = await borrowed(Company(invoice(7, "42.50")), [*KNOWN, ("pay_one_or_leave", "2")])
    is_back(call, "not-paid")
    assert "goodbye" not in call.phrases
    assert call.line.words.keys() == {"result"}


async def test_who_owes_nothing_goes_back() -> None:
    call = await borrowed(Company(), KNOWN)
    is_back(call, "nothing-owed")


async def test_who_wants_a_person_gets_the_agent_they_know() -> None:
    call = await borrowed(Company(invoice(7, "42.50")), [*KNOWN, ("pay_one_or_leave", "00")])
    is_back(call, "agent")
    assert call.outcome is CallOutcome.AGENT
    assert "transferring" not in call.phrases


async def test_who_is_not_recognised_goes_back() -> None:
    wrong: Script = [("ask_account_number", "9999#"), ("ask_postal_code", "00000#")]
    again: Script = [("ask_account_again", "9999#"), ("ask_postal_code", "00000#")]
    call = await borrowed(Company(), [*wrong, *again, *again])
    assert call.phrases[-2:] == ["too_many_tries", "back_to_agent"]
    is_back(call, "agent")


async def test_whose_cards_are_declined_goes_back() -> None:
    company = Company(invoice(7, "42.50"))
    company.declines(DeclineBucket.HARD, DeclineBucket.HARD)
    call = await borrowed(company, [*TO_THE_CHARGE, ("declined", "1"), ("confirm_charge", "1")])
    is_back(call, "agent")
    assert call.line.words.keys() == {"result"}


@pytest.mark.parametrize(
    ("trouble", "result"),
    [
        (GatewayNotReached("away"), "failed"),
        (OutcomeUnknown("no answer"), "confirming"),
    ],
)
async def test_a_charge_that_went_wrong_is_told_as_what_is_known_of_it(
    trouble: GatewayError, result: str
) -> None:
    company = Company(invoice(7, "42.50"))
    company.gateway.will(trouble)
    is_back(await borrowed(company, TO_THE_CHARGE), result)


async def test_a_failure_of_ours_brings_the_caller_back() -> None:
    company = Company(invoice(7, "42.50"))
    company.answers_left = 0
    call = await converse(company, line=FakeLine(KNOWN, hints={"back": "201"}), whole_script=False)
    is_back(call, "failed")
    assert [type(failure) for failure in call.call.failures] == [LedgerUnavailable]


async def test_what_was_paid_is_told_before_the_receipt_so_that_our_death_cannot_hide_it() -> None:
    script: Script = [*TO_THE_CHARGE, ("paid", "hangs up")]
    call = await borrowed(Company(invoice(7, "42.50")), script)
    assert call.line.words.keys() == {"paid", "confirmation"}
    assert call.outcome is CallOutcome.PAID
    assert not call.line.transferred


async def test_a_goodbye_that_was_said_is_no_hang_up_for_the_agent() -> None:
    async def says_goodbye(_: Call) -> None:
        raise Over(CallOutcome.HUNG_UP)

    line = FakeLine(hints={"back": "201"})
    await ended(says_goodbye, line)
    assert line.words == {"result": "not-paid"}
    assert line.transferred


async def test_who_hangs_up_is_not_brought_back() -> None:
    async def hangs_up(_: Call) -> None:
        raise HungUp

    line = FakeLine(hints={"back": "201"})
    _, outcome = await ended(hangs_up, line)
    assert (line.words, line.transferred, outcome) == ({}, False, "hung-up")


async def test_word_that_cannot_be_left_costs_neither_the_payment_nor_the_way_back() -> None:
    line = FakeLine(PAYS_ONE, hints={"back": "201"})
    line.word_lost = LineError("the PBX said no")
    call = await converse(Company(invoice(7, "42.50")), line=line)
    assert call.outcome is CallOutcome.PAID
    assert line.transferred
    assert call.call.failures == [line.word_lost] * 2


async def test_no_agent_at_all_ends_the_call_with_what_was_paid() -> None:
    line = FakeLine(PAYS_ONE, hints={"back": "201"})
    line.agents = NobodyAvailable()
    call = await converse(Company(invoice(7, "42.50")), line=line)
    assert call.phrases[-3:] == ["back_to_agent", "no_agent", "goodbye"]
    assert call.outcome is CallOutcome.PAID


async def test_nobody_is_told_anything_of_a_caller_whom_no_agent_passed_on() -> None:
    call = await converse(Company(invoice(7, "42.50")), PAYS_ONE)
    assert call.line.words == {}
    assert call.phrases[-1] == "goodbye_paid"
