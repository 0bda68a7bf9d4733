"""A part of what is due, and the fee: keyed or said, read back, and charged to the cent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.calls import CallOutcome
from ivr.billing.fees import Fee, Fees
from ivr.billing.invoices import Invoice
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import AttemptState, DeclineBucket, Refusal
from ivr.billing.terms import SmallestPart, Terms
from ivr.dialogue.flows.amount import keyed, spoken
from tests.dialogue.company import Company, and_then, invoice
from tests.dialogue.conversation import KNOWN, PAYS_ONE, Conversation, converse
from tests.dialogue.saying import CODE, QUIET, YES, Answer, commands, says
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script

ONE = invoice(7, "42.50")
OLD, NEW, DOLLARS = invoice(7, "10.00"), invoice(8, "30.00"), invoice(9, "9.99", "USD")
TWO = Decimal(2)
TENTH = SmallestPart(percent=Decimal(10))
FEE = Fees({Method.CARD: Fee(flat={"EUR": Money.of("1.50", "EUR")})})
PAY: Script = [("confirm_charge", "1"), ("repeat_or_end", "2")]
A_PART: Script = [*KNOWN, ("or_a_part", "4")]


def euros(text: str) -> Money:
    return Money.of(text, "EUR")


def a_company(*invoices: Invoice, fees: Fees | None = None) -> Company:
    company = Company(*(invoices or (ONE,)))
    company.gateway.currencies |= {each.amount.currency for each in invoices}
    company.terms = Terms(TENTH, fees or Fees())
    return company


def due(ended: Conversation) -> list[str]:
    return [str(each.due.amount) for each in ended.company.rows.invoices.values()]


# A part


async def test_a_part_is_keyed_read_back_and_paid() -> None:
    ended = await converse(a_company(), [*A_PART, ("ask_amount", "2500#"), *PAY])
    assert ended.outcome is CallOutcome.PAID
    assert ended.line.said("ask_amount").values == "amount=4.25 EUR digits=425"
    assert ended.line.said("confirm_total").values == "amount=25.00 EUR"
    assert ended.line.said("confirm_charge").values == "amount=25.00 EUR brand=visa last4=1111"
    assert ended.line.said("paid").values == "amount=25.00 EUR"
    assert due(ended) == ["17.50"]


async def test_what_is_left_of_a_part_is_not_offered_again_in_the_same_call() -> None:
    ended = await converse(a_company(OLD, NEW), [*A_PART, ("ask_amount", "2500#"), *PAY])
    assert ended.phrases[-1] == "goodbye_paid"
    assert ended.phrases.count("or_a_part") == 1
    again = await converse(ended.company, [*KNOWN, ("pay_one_or_leave", "2")])
    assert again.line.said("invoice_line").values.startswith("amount=15.00 EUR")


async def test_a_part_of_several_goes_to_the_oldest_first() -> None:
    ended = await converse(a_company(NEW, OLD), [*A_PART, ("ask_amount", "2500#"), *PAY])
    parts = {part.invoice_id: part.amount for part in ended.company.attempts[0].allocations}
    assert parts == {OLD.id: euros("10.00"), NEW.id: euros("15.00")}


async def test_after_a_part_in_one_currency_the_other_is_offered() -> None:
    company = a_company(OLD, DOLLARS)
    ended = await converse(company, [*A_PART, ("ask_amount", "400#"), *PAY, *PAYS_ONE[2:]])
    assert [str(attempt.amount) for attempt in company.attempts] == ["4.00 EUR", "9.99 USD"]
    assert ended.outcome is CallOutcome.PAID


@pytest.mark.parametrize(
    ("keys", "said"), [("300#", "amount_too_small"), ("4251#", "amount_too_large")]
)
async def test_what_cannot_be_paid_is_said_and_asked_again(keys: str, said: str) -> None:
    script: Script = [*A_PART, ("ask_amount", keys), ("ask_amount", "2500#"), *PAY]
    ended = await converse(a_company(), script)
    assert ended.phrases.count(said) == 1
    assert ended.outcome is CallOutcome.PAID
    assert due(ended) == ["17.50"]


async def test_three_amounts_that_cannot_be_paid_lead_to_a_person() -> None:
    ended = await converse(a_company(), [*A_PART, *[("ask_amount", "1#")] * 3])
    assert ended.phrases[-2:] == ["too_many_tries", "transferring"]
    assert ended.company.attempts == []


async def test_nine_is_nine_where_that_may_be_paid() -> None:
    ended = await converse(a_company(), [*A_PART, ("ask_amount", "9#"), *PAY])
    assert due(ended) == ["33.50"]


async def test_nine_changes_the_language_where_nine_cannot_be_paid() -> None:
    script: Script = [*A_PART, ("ask_amount", "9#"), ("ask_amount", "500#"), *PAY]
    ended = await converse(a_company(invoice(7, "8.00")), script)
    assert "language_changed" in ended.phrases
    assert due(ended) == ["3.00"]


async def test_a_mistyped_amount_is_cleared_with_the_star() -> None:
    script: Script = [*A_PART, ("ask_amount", "99*"), ("field_cleared", "2500#"), *PAY]
    assert due(await converse(a_company(), script)) == ["17.50"]


async def test_all_that_is_due_may_be_keyed_too() -> None:
    ended = await converse(a_company(), [*A_PART, ("ask_amount", "4250#"), *PAY])
    assert due(ended) == ["0.00"]
    assert "confirm_total" not in ended.phrases


async def test_a_part_is_offered_only_where_one_may_be_paid() -> None:
    company = a_company()
    company.terms = Terms(SmallestPart(amounts={"EUR": euros("42.50")}))
    script: Script = [*KNOWN, ("pay_one_or_leave", "4"), ("pay_one_or_leave", "2")]
    ended = await converse(company, script)
    assert "or_a_part" not in ended.phrases
    assert "not_understood" in ended.phrases


async def test_a_caller_in_a_hurry_hears_one_short_sentence_more_than_without_parts() -> None:
    with_parts = await converse(a_company(), PAYS_ONE)
    without = await converse(Company(ONE), PAYS_ONE)
    assert set(with_parts.phrases) - set(without.phrases) <= {"or_a_part"}
    assert with_parts.outcome is without.outcome is CallOutcome.PAID


async def test_a_part_that_is_due_no_more_is_not_charged_and_the_rest_is_offered() -> None:
    company = a_company()

    def pay_most_of_it_on_the_web() -> None:
        company.rows.invoices[ONE.id] = replace(ONE, paid=euros("20.00"))

    line = FakeLine([*A_PART, ("ask_amount", "2500#"), *PAY[:1], ("pay_one_or_leave", "2")])
    line.secure_part = and_then(company.secure_part, pay_most_of_it_on_the_web)
    ended = await converse(company, line=line)
    assert company.charged == []
    assert "due_changed" in ended.phrases
    assert "already_paid" not in ended.phrases
    assert ended.line.said("invoice_line").values.startswith("amount=22.50 EUR")


async def test_a_part_that_still_fits_is_charged_though_something_was_paid_meanwhile() -> None:
    company = a_company()

    def pay_a_little_on_the_web() -> None:
        company.rows.invoices[ONE.id] = replace(ONE, paid=euros("10.00"))

    line = FakeLine([*A_PART, ("ask_amount", "2500#"), *PAY])
    line.secure_part = and_then(company.secure_part, pay_a_little_on_the_web)
    assert due(await converse(company, line=line)) == ["7.50"]


# By voice


async def talk(company: Company, *answers: Answer) -> Conversation:
    ears = ScriptedEars(QUIET, QUIET, CODE, *answers)
    ended = await converse(company, [("ask_account_number_voice", "1042#")], ears=ears)
    assert ears.left == 0, f"{ears.left} answers not listened to: {ended.phrases}"
    return ended


@pytest.mark.parametrize(
    ("said", "left"),
    [("25", "17.50"), ("25.50 EUR", "17.00"), ("half", "21.25"), ("minimum", "38.25")],
)
async def test_a_part_is_said(said: str, left: str) -> None:
    wish, amount = says("pay_or_leave", "part"), says("amount", said)
    ended = await talk(a_company(), wish, amount, YES, says("repeat_or_end", "no"))
    assert due(ended) == [left]
    assert "ask_amount_voice" in ended.phrases


async def test_a_part_of_several_is_asked_for_by_voice() -> None:
    wish, amount = says("all_or_choose", "part"), says("amount", "20")
    ended = await talk(a_company(OLD, NEW), wish, amount, YES, says("repeat_or_end", "no"))
    assert due(ended) == ["0.00", "20.00"]


async def test_an_amount_in_another_currency_is_not_understood() -> None:
    wish, wrong, right = (
        says("pay_or_leave", "part"),
        says("amount", "25 USD"),
        says("amount", "25 EUR"),
    )
    ended = await talk(a_company(), wish, wrong, right, YES, says("repeat_or_end", "no"))
    assert "not_understood" in ended.phrases
    assert due(ended) == ["17.50"]


async def test_back_from_the_amount_leads_to_the_choice() -> None:
    wish, leave = says("pay_or_leave", "part"), says("pay_or_leave", "no")
    ended = await talk(a_company(), wish, commands("back"), leave)
    assert ended.phrases.count("owes_one") == 2
    assert ended.company.attempts == []


CODES = st.sampled_from([("EUR", 100), ("JPY", 1), ("CLP", 1), ("KWD", 1000)])


@given(st.integers(1, 10**6), st.integers(0, 10**8), CODES)
def test_keys_are_cents_unless_only_whole_units_can_be_meant(
    most: int, keys: int, code: tuple[str, int]
) -> None:
    currency, coins = code
    due = Money.of_minor_units(most, currency)
    least = TENTH.of(due) or due
    amount = keyed(str(keys), least, due)
    if least.minor_units <= keys <= most or not least.minor_units <= keys * coins <= most:
        assert amount.minor_units == keys
    else:
        assert amount.minor_units == (keys if keys > most else keys * coins)


@given(st.integers(1, 10**9), st.data(), CODES)
def test_the_digits_of_an_amount_that_may_be_paid_are_that_amount(
    most: int, data: st.DataObject, code: tuple[str, int]
) -> None:
    due = Money.of_minor_units(most, code[0])
    least = TENTH.of(due) or due
    wanted = data.draw(st.integers(least.minor_units, most))
    assert keyed(str(wanted), least, due).minor_units == wanted


@pytest.mark.parametrize(
    ("said", "due", "amount"),
    [("5", "10", "5"), ("half", "5", "3"), ("5.50", "10", None), ("5 EUR", "10", None)],
)
def test_a_currency_without_cents_has_none(said: str, due: str, amount: str | None) -> None:
    found = spoken(said, Money.of(1, "JPY"), Money.of(due, "JPY"))
    assert found == (None if amount is None else Money.of(amount, "JPY"))
    assert keyed("1", Money.of(1, "JPY"), Money.of(due, "JPY")) == Money.of(1, "JPY")


@pytest.mark.parametrize(
    ("owed", "currency", "least", "keys", "paid", "left"),
    [
        ("1980", "JPY", "amount=198 JPY digits=198", "500#", "500", "1480"),
        ("1500000", "CLP", "amount=150000 CLP digits=150000", "200001#", "200001", "1299999"),
        ("12.345", "KWD", "amount=1.235 KWD digits=1235", "1235#", "1.235", "11.110"),
        ("12.345", "KWD", "amount=1.235 KWD digits=1235", "2#", "2.000", "10.345"),
        ("7.20", "PEN", "amount=0.72 PEN digits=72", "501#", "5.01", "2.19"),
    ],
)
async def test_a_part_is_paid_in_a_currency_of_no_two_or_three_decimals(
    owed: str, currency: str, least: str, keys: str, paid: str, left: str
) -> None:
    asked = "ask_amount" if currency == "PEN" else "ask_amount_as_shown"
    company = a_company(invoice(7, owed, currency), fees=Fees({Method.CARD: Fee(percent=TWO)}))
    ended = await converse(company, [*A_PART, (asked, keys), *PAY])
    assert ended.outcome is CallOutcome.PAID
    assert ended.line.said(asked).values == least
    (attempt,) = company.attempts
    part = Money.of(paid, currency)
    assert (attempt.amount, attempt.fee) == (part + part.percent(TWO), part.percent(TWO))
    assert [each.amount for each in company.gateway.charges] == [attempt.amount]
    assert due(ended) == [left]


async def test_more_keys_are_taken_where_more_is_due() -> None:
    company = a_company(invoice(7, "12500000.00", "COP"))
    ended = await converse(company, [*A_PART, ("ask_amount", "1250000000#"), *PAY])
    assert due(ended) == ["0.00"]


@pytest.mark.parametrize(
    ("said", "currency", "means"),
    [
        ("5 MXN", "CLP", "5"),
        ("5 USD", "CAD", "5.00"),
        ("5 EUR", "CLP", None),
        ("5 USD", "MXN", None),
    ],
)
def test_pesos_and_dollars_are_those_that_are_owed(
    said: str, currency: str, means: str | None
) -> None:
    found = spoken(said, Money.of(1, currency), Money.of(10, currency))
    assert found == (None if means is None else Money.of(means, currency))


# The fee


async def test_the_fee_is_told_before_the_yes_and_charged_with_it_once() -> None:
    ended = await converse(a_company(fees=FEE), PAYS_ONE)
    assert ended.line.said("fee_added").values == "amount=42.50 EUR fee=1.50 EUR"
    assert ended.line.said("confirm_charge").values == "amount=44.00 EUR brand=visa last4=1111"
    assert ended.phrases.index("fee_added") == ended.phrases.index("confirm_charge") - 1
    assert [(each.amount, each.fee) for each in ended.company.attempts] == [
        (euros("44.00"), euros("1.50"))
    ]
    assert len(ended.company.charged) == 1
    assert due(ended) == ["0.00"]


async def test_no_key_hushes_the_fee_or_agrees_before_it_was_heard() -> None:
    company = a_company(fees=FEE)
    script: Script = [
        *KNOWN, ("pay_one_or_leave", "1"), ("fee_added", "111"), ("confirm_charge", "2"),
        ("pay_one_or_leave", "2"),
    ]  # fmt: skip
    ended = await converse(company, script)
    fee = next(each for each in ended.line.heard if each.said.phrase == "fee_added")
    assert fee.until == fee.at + 3
    assert company.charged == []


async def test_the_fee_of_a_part_is_that_of_the_part() -> None:
    company = a_company(fees=Fees({Method.CARD: Fee(percent=Decimal(2))}))
    ended = await converse(company, [*A_PART, ("ask_amount", "2500#"), *PAY])
    assert ended.line.said("fee_added").values == "amount=25.00 EUR fee=0.50 EUR"
    assert ended.line.said("paid").values == "amount=25.50 EUR"
    assert due(ended) == ["17.50"]


async def test_without_a_fee_nothing_is_said_of_one() -> None:
    ended = await converse(a_company(DOLLARS, fees=FEE), PAYS_ONE)
    assert "fee_added" not in ended.phrases
    assert str(ended.company.attempts[0].fee) == "0.00 USD"


async def test_nothing_is_said_of_a_fee_of_zero() -> None:
    free = Fees({**FEE.by_method, Method.CARD: Fee(flat={"EUR": euros("0")})})
    ended = await converse(a_company(fees=free), PAYS_ONE)
    assert "fee_added" not in ended.phrases
    assert [(each.amount, each.fee) for each in ended.company.attempts] == [
        (euros("42.50"), euros("0"))
    ]


async def test_the_fee_is_told_anew_with_another_card_and_charged_only_once() -> None:
    company = a_company(fees=FEE)
    company.declines(DeclineBucket.SOFT)
    script: Script = [
        *KNOWN, ("pay_one_or_leave", "1"), ("confirm_charge", "1"), ("declined", "1"), *PAY,
    ]  # fmt: skip
    ended = await converse(company, script)
    assert ended.phrases.count("fee_added") == 2
    assert company.states == [AttemptState.DECLINED, AttemptState.CAPTURED]
    assert due(ended) == ["0.00"]


async def test_another_method_after_a_decline_has_a_fee_of_its_own() -> None:
    on_file = Fee(flat={"EUR": euros("0.50")})
    company = a_company(fees=Fees({**FEE.by_method, Method.CARD_ON_FILE: on_file}))
    company.left()
    company.declines(DeclineBucket.SOFT)
    script: Script = [
        *KNOWN, ("pay_one_or_leave", "1"), ("choose_method", "1"), ("confirm_charge", "1"),
        ("declined", "1"), *PAY,
    ]  # fmt: skip
    ended = await converse(company, script)
    told = [each.said.values for each in ended.line.heard if each.said.phrase == "fee_added"]
    assert told == ["amount=42.50 EUR fee=0.50 EUR", "amount=42.50 EUR fee=1.50 EUR"]
    assert [str(each.amount.amount) for each in company.attempts] == ["43.00", "44.00"]
    assert [each.method for each in company.attempts] == [Method.CARD_ON_FILE, Method.CARD]


async def test_a_part_after_a_decline_has_the_fee_of_the_part() -> None:
    company = a_company(fees=Fees({Method.CARD: Fee(percent=Decimal(2))}))
    company.gateway.will(
        Refusal("2001", "Insufficient Funds", DeclineBucket.SOFT, about_funds=True)
    )
    script: Script = [
        *KNOWN, ("pay_one_or_leave", "1"), ("confirm_charge", "1"), ("declined", "1"),
        ("ask_amount", "2500#"), *PAY,
    ]  # fmt: skip
    ended = await converse(company, script)
    assert [str(each.fee.amount) for each in company.attempts] == ["0.85", "0.50"]
    assert due(ended) == ["17.50"]
