"""Who owes many invoices is not made to listen to all of them, nor to answer for each."""

from __future__ import annotations

from ivr.billing.calls import CallOutcome
from ivr.billing.invoices import Invoice
from ivr.billing.terms import Terms
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import KNOWN, Conversation, converse
from tests.dialogue.saying import CODE, QUIET, YES, Answer, commands, says
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import Script

PAY: Script = [("confirm_charge", "1"), ("repeat_or_end", "2")]


def euros(count: int, first: int = 1) -> list[Invoice]:
    return [invoice(number, "10.00") for number in range(first, first + count)]


def paid(ended: Conversation) -> list[int]:
    return [each.id for each in ended.company.rows.invoices.values() if not each.due]


async def test_five_are_read_out_before_the_choice() -> None:
    company = Company(*euros(5))
    ended = await converse(company, [*KNOWN, ("pay_all_or_choose", "1"), *PAY])
    assert ended.phrases.count("invoice_line") == 5


async def test_of_more_only_the_number_and_the_sum_are_told_before_the_choice() -> None:
    company = Company(*euros(14))
    ended = await converse(company, [*KNOWN, ("pay_all_or_hear", "1"), *PAY])
    assert "invoice_line" not in ended.phrases
    assert ended.line.said("owes_many").values == "amount=140.00 EUR count=14"
    assert len(paid(ended)) == 14


async def test_all_of_them_are_heard_by_who_wants_to() -> None:
    company = Company(*euros(14))
    company.terms = Terms.written("10%", {}, "EUR")
    script: Script = [("pay_all_or_hear", "3"), ("pay_all_or_choose", "3"), ("or_a_part", "1")]
    ended = await converse(company, [*KNOWN, *script, *PAY])
    assert ended.phrases.count("invoice_line") == 28
    assert len(paid(ended)) == 14


async def test_who_has_chosen_enough_is_not_asked_about_the_rest() -> None:
    company = Company(*euros(14))
    picks: Script = [("pay_this_one", "1"), ("pay_this_one", "2"), ("pay_this_one", "1")]
    script: Script = [("pay_all_or_hear", "2"), *picks, ("or_enough", "4")]
    ended = await converse(company, [*KNOWN, *script, *PAY, ("pay_all_or_hear", "hangs up")])
    assert ended.phrases.count("invoice_line") == 4
    assert paid(ended) == [1, 3]


async def test_choosing_none_of_many_takes_two_keys() -> None:
    script: Script = [("pay_all_or_hear", "2"), ("pay_this_one", "4")]
    ended = await converse(Company(*euros(14)), [*KNOWN, *script])
    assert ended.phrases[-2:] == ["nothing_chosen", "goodbye"]
    assert ended.outcome is CallOutcome.NOT_PAID


async def test_of_a_few_each_is_asked_about() -> None:
    script: Script = [("pay_all_or_choose", "2"), ("pay_this_one", "4"), ("pay_this_one", "2")]
    ended = await converse(Company(*euros(2)), [*KNOWN, *script, ("pay_this_one", "2")])
    assert "or_enough" not in ended.phrases
    assert "not_understood" in ended.phrases


async def test_each_currency_has_its_own_few_and_many() -> None:
    dollars = [invoice(number, "5.00", "USD") for number in range(21, 24)]
    company = Company(*euros(11), *dollars)
    script: Script = [("pay_all_or_hear", "1"), *PAY, ("pay_all_or_choose", "1"), *PAY]
    ended = await converse(company, [*KNOWN, *script])
    assert [str(each.amount) for each in company.attempts] == ["110.00 EUR", "15.00 USD"]
    assert ended.outcome is CallOutcome.PAID


async def talk(company: Company, *answers: Answer) -> Conversation:
    ears = ScriptedEars(QUIET, QUIET, CODE, *answers)
    ended = await converse(company, [("ask_account_number_voice", "1042#")], ears=ears)
    assert ears.left == 0, f"{ears.left} answers not listened to: {ended.phrases}"
    return ended


async def test_by_voice_they_are_heard_and_enough_is_said() -> None:
    ended = await talk(
        Company(*euros(14)),
        says("all_or_choose", "again"),
        says("all_or_choose", "choose"),
        says("pay_or_leave", "yes"),
        says("pay_or_leave", "enough"),
        YES,
        says("repeat_or_end", "no"),
        commands("goodbye"),
    )
    assert "pay_all_or_hear_voice" in ended.phrases
    assert paid(ended) == [1]
