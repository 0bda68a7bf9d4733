"""Whole calls that come in: the way through, languages, and what is offered again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.captures import CaptureResult
from ivr.billing.errors import OutcomeUnknown
from ivr.billing.messages import ToCustomer
from ivr.billing.payments import AttemptState
from ivr.dialogue.endings import NobodyAvailable
from tests.dialogue.company import SMITH, Company, invoice
from tests.dialogue.conversation import KNOWN, PAYS_ONE, converse
from tests.fakes.line import FakeLine, Script

ONE_BILL = invoice(7, "42.50")


async def test_one_invoice_is_paid_from_welcome_to_goodbye() -> None:
    ended = await converse(Company(ONE_BILL), PAYS_ONE)
    assert ended.outcome is CallOutcome.PAID
    assert ended.phrases == [
        "welcome",
        "ask_account_number",
        "ask_postal_code",
        "owes_one",
        "invoice_line",
        "pay_one_or_leave",
        "confirm_charge",
        "charging",
        "paid",
        "confirmation_number",
        "repeat_or_end",
        "goodbye_paid",
    ]
    assert ended.line.said("confirm_charge").values == "amount=42.50 EUR brand=visa last4=1111"
    assert ended.company.states == [AttemptState.CAPTURED]
    assert ended.line.hung_up_by_us
    assert ended.call.failures == []
    assert ended.call.customer == SMITH


async def test_the_trail_tells_the_call_and_nothing_that_was_keyed() -> None:
    ended = await converse(Company(ONE_BILL), PAYS_ONE)
    steps = [entry.split(" ", 1)[1] for entry in ended.call.trail]
    assert steps[:3] == ["say welcome", "silence", "say ask_account_number"]
    assert {"identified", "secure part", "card success", "charge Paid", "over paid"} <= set(steps)
    assert not any(secret in " ".join(steps) for secret in ("1042", "28013", "1111"))
    assert float(ended.call.trail[-1].split()[0]) > 40


async def test_an_expert_types_ahead_and_hears_almost_nothing() -> None:
    line = FakeLine([("confirm_charge", "1"), ("repeat_or_end", "2")])
    line.press("1042#28013#1")
    ended = await converse(Company(ONE_BILL), line=line)
    assert ended.outcome is CallOutcome.PAID
    assert ended.phrases[0] == "confirm_charge"
    assert not any("ask_account_number" in step for step in ended.call.trail)


async def test_keys_typed_ahead_never_agree_to_a_charge() -> None:
    line = FakeLine([("confirm_charge", "2"), ("pay_one_or_leave", "2")])
    line.press("1042#28013#11111")
    ended = await converse(Company(ONE_BILL), line=line)
    assert ended.outcome is CallOutcome.NOT_PAID
    assert ended.company.charged == []


async def test_digits_keyed_during_the_welcome_begin_the_account_number() -> None:
    script: Script = [("welcome", "1042#"), *PAYS_ONE[1:]]
    ended = await converse(Company(ONE_BILL), script)
    assert ended.outcome is CallOutcome.PAID
    assert "ask_account_number" not in ended.phrases


async def test_digits_keyed_during_the_welcome_count_once_only() -> None:
    script: Script = [("welcome", "1"), ("ask_account_again", "1042#"), *KNOWN[1:]]
    ended = await converse(Company(), script)
    assert ended.outcome is CallOutcome.NOTHING_OWED


async def test_an_account_number_that_begins_with_nine_can_be_typed_ahead() -> None:
    company = Company(ONE_BILL, customer=replace(SMITH, account_number="9042"))
    ended = await converse(company, [("welcome", "9042#"), *PAYS_ONE[1:]])
    assert ended.outcome is CallOutcome.PAID
    assert ended.call.language == "en"


async def test_nothing_owed_is_good_news_and_a_goodbye() -> None:
    ended = await converse(Company(), KNOWN)
    assert ended.outcome is CallOutcome.NOTHING_OWED
    assert ended.phrases[-2:] == ["nothing_owed", "goodbye"]


@pytest.mark.parametrize(
    ("ways", "told"),
    [(("mail",), "confirming_do_not_pay_again"), ((), "confirming_call_again")],
)
async def test_a_payment_that_is_still_in_doubt_is_not_called_nothing_owed(
    ways: tuple[ToCustomer, ...], told: str
) -> None:
    company = Company(ONE_BILL)
    company.can_be_told(*ways)
    company.gateway.will(OutcomeUnknown("timed out"))
    await converse(company, PAYS_ONE, whole_script=False)
    again = await converse(company, KNOWN)
    assert again.outcome is CallOutcome.CONFIRMING
    assert again.phrases[-2:] == [told, "goodbye"]


async def test_the_only_invoice_can_be_left() -> None:
    ended = await converse(Company(ONE_BILL), [*KNOWN, ("pay_one_or_leave", "2")])
    assert ended.outcome is CallOutcome.NOT_PAID
    assert ended.phrases[-1] == "goodbye"
    assert ended.company.attempts == []


# Languages

LANGUAGE_PROMPTS = (
    "welcome",
    "ask_account_number",
    "ask_postal_code",
    "pay_one_or_leave",
    "confirm_charge",
    "repeat_or_end",
)


@pytest.mark.parametrize("prompt", LANGUAGE_PROMPTS)
async def test_nine_changes_the_language_at_any_prompt(prompt: str) -> None:
    at = [phrase for phrase, _ in PAYS_ONE].index(prompt) if prompt != "welcome" else 0
    ended = await converse(Company(ONE_BILL), [*PAYS_ONE[:at], (prompt, "9"), *PAYS_ONE[at:]])
    assert ended.outcome is CallOutcome.PAID
    changed = ended.phrases.index("language_changed")
    assert {each.said.language for each in ended.line.heard[:changed]} == {"en"}
    assert {each.said.language for each in ended.line.heard[changed:]} == {"es"}
    assert prompt in ended.phrases[changed:]


async def test_who_wants_a_person_when_nobody_is_there_hears_so_and_can_still_pay() -> None:
    line = FakeLine([*KNOWN, ("pay_one_or_leave", "00"), *PAYS_ONE[2:]])
    line.agents = NobodyAvailable("at night")
    ended = await converse(Company(invoice(7, "42.50")), line=line)
    assert "transferring" not in ended.phrases
    assert ended.phrases.count("nobody_there") == 1
    assert ended.outcome is CallOutcome.PAID


async def test_the_secure_part_speaks_the_language_of_the_call() -> None:
    ended = await converse(Company(ONE_BILL), [("welcome", "9"), *PAYS_ONE])
    assert [request.language for request in ended.company.requests] == ["es"]


async def test_a_customer_who_chose_nothing_is_spoken_to_in_their_own_language() -> None:
    company = Company(ONE_BILL, customer=replace(SMITH, language="es"))
    ended = await converse(company, PAYS_ONE)
    assert ended.line.said("ask_postal_code").language == "en"
    assert ended.line.said("owes_one").language == "es"


async def test_a_chosen_language_is_kept_whatever_is_on_file() -> None:
    company = Company(ONE_BILL, customer=replace(SMITH, language="en"))
    ended = await converse(company, [("welcome", "9"), *PAYS_ONE])
    assert ended.line.said("goodbye_paid").language == "es"


async def test_a_language_passed_on_with_the_call_is_spoken_from_the_first_word() -> None:
    line = FakeLine(PAYS_ONE, hints={"language": "ES"})
    ended = await converse(Company(ONE_BILL), line=line)
    assert {each.said.language for each in ended.line.heard} == {"es"}


# Several invoices

TWO_BILLS = (invoice(7, "42.50"), invoice(8, "10.00", service="the house line"))


async def test_all_invoices_are_read_and_paid_at_once() -> None:
    script: Script = [*KNOWN, ("pay_all_or_choose", "1"), *PAYS_ONE[3:]]
    ended = await converse(Company(*TWO_BILLS), script)
    assert ended.outcome is CallOutcome.PAID
    assert ended.line.said("owes_many").values == "amount=52.50 EUR count=2"
    lines = [each.said.values for each in ended.line.heard if each.said.phrase == "invoice_line"]
    assert lines == [
        "amount=42.50 EUR date=2026-11-07 service=James's mobile",
        "amount=10.00 EUR date=2026-11-08 service=the house line",
    ]
    assert ended.line.said("paid").values == "amount=52.50 EUR"
    assert not any(each.due for each in ended.company.rows.invoices.values())


@pytest.mark.parametrize("key", ["3", "*"])
async def test_the_invoices_are_read_again_on_request(key: str) -> None:
    script: Script = [
        *KNOWN,
        ("pay_all_or_choose", key),
        ("pay_all_or_choose", "1"),
        *PAYS_ONE[3:],
    ]
    ended = await converse(Company(*TWO_BILLS), script)
    assert ended.phrases.count("invoice_line") == 4


async def test_what_was_paid_is_not_offered_again_and_the_rest_is() -> None:
    script: Script = [
        *KNOWN,
        ("pay_all_or_choose", "2"),
        ("pay_this_one", "2"),
        ("pay_this_one", "1"),
        ("confirm_charge", "1"),
        ("repeat_or_end", "2"),
        ("owes_one", ""),
        ("pay_one_or_leave", "1"),
        ("confirm_charge", "1"),
        ("repeat_or_end", "2"),
    ]
    ended = await converse(Company(*TWO_BILLS), script)
    assert ended.outcome is CallOutcome.PAID
    paid = [each.said.values for each in ended.line.heard if each.said.phrase == "paid"]
    assert paid == ["amount=10.00 EUR", "amount=42.50 EUR"]
    assert ended.phrases[-1] == "goodbye_paid"


async def test_choosing_nothing_pays_nothing() -> None:
    script: Script = [
        *KNOWN,
        ("pay_all_or_choose", "2"),
        ("pay_this_one", "2"),
        ("pay_this_one", "2"),
    ]
    ended = await converse(Company(*TWO_BILLS), script)
    assert ended.outcome is CallOutcome.NOT_PAID
    assert ended.phrases[-2:] == ["nothing_chosen", "goodbye"]


async def test_each_currency_is_a_payment_of_its_own() -> None:
    company = Company(invoice(7, "42.50"), invoice(8, "9.99", "USD"))
    script: Script = [*PAYS_ONE, *PAYS_ONE[2:]]
    ended = await converse(company, script)
    amounts = [str(attempt.amount) for attempt in company.attempts]
    assert amounts == ["42.50 EUR", "9.99 USD"]
    assert company.states == [AttemptState.CAPTURED] * 2
    assert ended.outcome is CallOutcome.PAID


async def test_leaving_one_currency_still_offers_the_other() -> None:
    company = Company(invoice(7, "42.50"), invoice(8, "9.99", "USD"))
    script: Script = [*KNOWN, ("pay_one_or_leave", "2"), *PAYS_ONE[2:]]
    ended = await converse(company, script)
    assert [str(attempt.amount) for attempt in company.attempts] == ["9.99 USD"]
    assert ended.outcome is CallOutcome.PAID


async def test_a_caller_who_paid_and_falls_silent_is_thanked_not_transferred() -> None:
    script: Script = [
        *KNOWN,
        ("pay_all_or_choose", "2"),
        ("pay_this_one", "1"),
        ("pay_this_one", "2"),
        ("confirm_charge", "1"),
    ]
    ended = await converse(Company(*TWO_BILLS), script)
    assert ended.outcome is CallOutcome.PAID
    assert ended.phrases[-1] == "goodbye_paid"
    assert not ended.line.transferred


async def test_leaving_the_card_goes_back_to_the_choice() -> None:
    company = Company(ONE_BILL)
    company.secure_results = [CaptureResult.CALLER_INTERRUPTED]
    ended = await converse(company, [*KNOWN, ("pay_one_or_leave", "1"), *PAYS_ONE[2:]])
    assert ended.outcome is CallOutcome.PAID
    assert company.states == [AttemptState.CANCELED, AttemptState.CAPTURED]
