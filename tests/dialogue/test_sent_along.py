"""What came with the call: the invoice first, the amount proposed, and nothing that is not owed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.invoices import Invoice
from ivr.billing.terms import SmallestPart, Terms
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import KNOWN, PAYS_ONE, Conversation, converse
from tests.fakes.line import FakeLine, Script

OLD, NEW = invoice(7, "10.00"), invoice(8, "30.00")
PAY: Script = [("confirm_charge", "1"), ("repeat_or_end", "2")]


async def with_the_call(hints: dict[str, str], script: Script, *invoices: Invoice) -> Conversation:
    company = Company(*(invoices or (OLD, NEW)))
    company.terms = Terms(SmallestPart(percent=Decimal(10)))
    return await converse(company, line=FakeLine([*KNOWN, *script], hints=hints))


def paid(ended: Conversation) -> dict[str, str]:
    rows = ended.company.rows.invoices.values()
    return {each.number: str(each.paid.amount) for each in rows if each.paid}


async def test_the_invoice_that_came_with_the_call_is_offered_first() -> None:
    script: Script = [
        ("this_invoice", ""), ("pay_this_one", "1"), *PAY, ("pay_one_or_leave", "2"),
    ]  # fmt: skip
    ended = await with_the_call({"invoice": "F-8"}, script)
    assert paid(ended) == {"F-8": "30.00"}
    assert ended.outcome is CallOutcome.PAID
    assert ended.phrases.count("this_invoice") == 1


async def test_an_invoice_number_matches_as_the_dial_plan_lets_it_through() -> None:
    slashed = replace(NEW, number="F/8 b")
    script: Script = [("pay_this_one", "1"), *PAY, ("pay_one_or_leave", "2")]
    assert paid(await with_the_call({"invoice": "F8b"}, script, OLD, slashed)) == {"F/8 b": "30.00"}


async def test_who_leaves_it_hears_everything_that_is_owed() -> None:
    script: Script = [("pay_this_one", "2"), ("pay_all_or_choose", "1"), *PAY]
    ended = await with_the_call({"invoice": "F-8"}, script)
    assert paid(ended) == {"F-7": "10.00", "F-8": "30.00"}


@pytest.mark.parametrize("hints", [{"invoice": "F-9"}, {"amount": "x"}, {"amount": "0.10"}])
async def test_what_is_not_owed_or_cannot_be_paid_changes_nothing(hints: dict[str, str]) -> None:
    ended = await with_the_call(hints, [("pay_all_or_choose", "1"), *PAY])
    plain = await with_the_call({}, [("pay_all_or_choose", "1"), *PAY])
    assert ended.phrases == plain.phrases


async def test_the_only_invoice_is_offered_as_ever() -> None:
    ended = await with_the_call({"invoice": "F-7"}, PAYS_ONE[2:], OLD)
    assert ended.phrases.count("invoice_line") == 1
    assert "this_invoice" not in ended.phrases


async def test_an_amount_that_came_with_the_call_is_proposed_and_goes_oldest_first() -> None:
    ended = await with_the_call({"amount": "25"}, [("pay_proposed", "1"), *PAY])
    assert ended.line.said("pay_proposed").values == "amount=25.00 EUR"
    assert paid(ended) == {"F-7": "10.00", "F-8": "15.00"}
    assert ended.phrases[-1] == "goodbye_paid"


async def test_an_amount_goes_to_the_invoice_that_came_with_it() -> None:
    hints = {"amount": "12.34", "invoice": "F-8"}
    ended = await with_the_call(hints, [("pay_proposed", "1"), *PAY, ("pay_one_or_leave", "2")])
    assert paid(ended) == {"F-8": "12.34"}


async def test_who_wants_another_amount_than_the_proposed_one_chooses() -> None:
    script: Script = [("pay_proposed", "2"), ("or_a_part", "4"), ("ask_amount", "500#"), *PAY]
    assert paid(await with_the_call({"amount": "25"}, script)) == {"F-7": "5.00"}


async def test_nothing_owed_is_said_whatever_came_with_the_call() -> None:
    settled = replace(OLD, paid=OLD.amount)
    ended = await with_the_call({"amount": "25", "invoice": "F-7"}, [], settled)
    assert ended.outcome is CallOutcome.NOTHING_OWED
    assert "nothing_owed" in ended.phrases
