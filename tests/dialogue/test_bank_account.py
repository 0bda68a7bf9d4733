"""Paying from a bank account: keyed, the mandate read and agreed to, verified, charged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from ivr.billing.bank_accounts import WORDING, NotVerified, wording
from ivr.billing.calls import CallOutcome
from ivr.billing.captures import ACCOUNT_FIELDS, CaptureResult
from ivr.billing.errors import GatewayNotReached
from ivr.billing.fees import Fee, Fees
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import AttemptState, BankAccountOnHand, DeclineBucket
from tests.dialogue.company import SMITH, Company, invoice
from tests.dialogue.conversation import KNOWN, Conversation, converse
from tests.fakes.bank_accounts import FakeClips
from tests.fakes.line import HANGS_UP, Script
from tests.fakes.voice import catalogue

TO_THE_ACCOUNT: Script = [*KNOWN, ("pay_one_or_leave", "1")]
PAYS: Script = [*TO_THE_ACCOUNT, ("agree_to_debit", "1"), ("repeat_or_end", "2")]


def a_company(*methods: Method, currency: str = "USD", **more: bool) -> Company:
    company = Company(invoice(7, "42.50", currency))
    company.takes_bank_accounts(*methods, **more)
    return company


def charged_with(ended: Conversation) -> list[BankAccountOnHand]:
    means = [charge.means for charge in ended.company.gateway.charges]
    assert all(isinstance(each, BankAccountOnHand) for each in means)
    return [each for each in means if isinstance(each, BankAccountOnHand)]


def clips(company: Company) -> FakeClips:
    assert company.mandating
    assert isinstance(company.mandating.clips, FakeClips)
    return company.mandating.clips


async def test_a_caller_pays_from_a_bank_account() -> None:
    ended = await converse(a_company(), PAYS)
    assert ended.outcome is CallOutcome.PAID
    assert ended.company.states == [AttemptState.CAPTURED]
    (means,) = charged_with(ended)
    assert (means.last4, means.account_type) == ("0000", "checking")
    assert ended.phrases[-4:] == [
        "debit_accepted", "confirmation_number", "repeat_or_end", "goodbye_paid",
    ]  # fmt: skip


async def test_the_mandate_says_what_how_much_once_from_which_account_and_how_to_revoke() -> None:
    ended = await converse(a_company(), PAYS)
    assert ended.line.said("mandate").values == (
        "amount=42.50 USD date=2026-11-23 digits=18005550100 last4=0000 name=James Smith"
    )
    (kept,) = ended.company.rows.mandates.values()
    assert kept.wording == wording(
        "en",
        company="Saldo Telecom",
        name="James Smith",
        amount=Money.of("42.50", "USD"),
        last4="0000",
        day=date(2026, 11, 23),
        phone="1-800-555-0100",
    )


@pytest.mark.parametrize("language", ["en", "es"])
def test_what_is_kept_is_word_for_word_what_is_read(language: str) -> None:
    assert WORDING[language] == catalogue(language)["mandate"]


async def test_no_key_hushes_the_mandate() -> None:
    script: Script = [*TO_THE_ACCOUNT, ("mandate", "1"), ("agree_to_debit", "2")]
    ended = await converse(a_company(), [*script, ("pay_one_or_leave", "2")])
    (heard,) = [each for each in ended.line.heard if each.said.phrase == "mandate"]
    assert heard.until
    assert heard.until - heard.at >= 3.0
    assert ended.company.gateway.charges == []


async def test_the_gateway_and_the_mandate_hear_the_same_and_the_account_keyed_is_asked_for() -> (
    None
):
    ended = await converse(a_company(), PAYS)
    ((account, mandate, currency),) = ended.company.vault.asked
    assert (account.token, currency) == ("tokenusbankacct_1", "USD")
    (means,) = charged_with(ended)
    assert (means.mandate, means.agreed_at) == (mandate.wording, mandate.accepted_at)
    (asked,) = ended.company.requests
    assert asked.fields == ACCOUNT_FIELDS
    assert asked.holder
    assert asked.holder.name == SMITH.name


async def test_with_recordings_the_clip_is_the_proof_and_its_recording_is_spared() -> None:
    company = a_company(recorded=True)
    ended = await converse(company, PAYS)
    (kept,) = company.rows.mandates.values()
    begin, end = (float(part) for part in kept.reference.removesuffix(" s").split("-"))
    assert kept.how == "clip"
    assert 0 < begin < end
    assert clips(company).spared == [ended.call.id]
    assert "mandate" not in company.rows.events


async def test_without_recordings_a_notice_is_sent_once_the_debit_is_accepted() -> None:
    ended = await converse(a_company(), PAYS)
    (kept,) = ended.company.rows.mandates.values()
    assert (kept.how, kept.reference) == ("notice", "text")
    assert ended.company.rows.events.count("mandate") == 2


async def test_a_call_that_is_not_recorded_is_followed_by_the_notice() -> None:
    company = a_company(recorded=True)
    clips(company).are_recorded = False
    company.rows.with_phone.add(SMITH.id)
    await converse(company, PAYS)
    (kept,) = company.rows.mandates.values()
    assert (kept.how, kept.reference) == ("notice", "text")
    assert clips(company).spared == []
    assert company.rows.events.count("mandate") == 2


async def test_a_mandate_that_cannot_be_proved_is_not_even_read() -> None:
    company = a_company(recorded=True)
    clips(company).are_recorded = False
    ended = await converse(company, TO_THE_ACCOUNT)
    assert "account_not_available" in ended.phrases
    assert "mandate" not in ended.phrases
    assert ended.outcome is CallOutcome.AGENT
    assert company.states == [AttemptState.CANCELED]


async def test_a_recording_that_cannot_be_spared_is_no_proof_and_the_notice_is() -> None:
    company = a_company(recorded=True)
    clips(company).is_full = True
    company.rows.with_phone.add(SMITH.id)
    ended = await converse(company, PAYS)
    assert [kept.how for kept in company.rows.mandates.values()] == ["notice"]
    assert ended.outcome is CallOutcome.PAID


async def test_without_any_proof_nothing_is_charged() -> None:
    company = a_company(recorded=True)
    clips(company).is_full = True
    ended = await converse(company, PAYS, whole_script=False)
    assert company.rows.mandates == {}
    assert company.vault.asked == []
    assert company.charged == []
    assert ended.outcome is not CallOutcome.PAID


async def test_the_day_that_is_kept_is_the_day_that_was_read() -> None:
    company = a_company()
    days = iter([date(2026, 11, 23), date(2026, 11, 23), date(2026, 11, 24)])
    assert company.mandating
    company.mandating = replace(company.mandating, clock=lambda: next(days))
    ended = await converse(company, PAYS)
    (kept,) = company.rows.mandates.values()
    assert "date=2026-11-23" in ended.line.said("mandate").values
    assert kept.wording.startswith("Today is 2026-11-23")


async def test_who_cannot_be_notified_is_not_offered_it() -> None:
    company = a_company(Method.CARD, Method.BANK_ACCOUNT)
    company.rows.with_phone.clear()
    script: Script = [*TO_THE_ACCOUNT, ("confirm_charge", "1"), ("repeat_or_end", "2")]
    ended = await converse(company, script)
    assert "choose_method" not in ended.phrases


async def test_only_a_currency_whose_banks_take_debits_is_offered_it() -> None:
    company = a_company(Method.CARD, Method.BANK_ACCOUNT, currency="EUR")
    script: Script = [*TO_THE_ACCOUNT, ("confirm_charge", "1"), ("repeat_or_end", "2")]
    ended = await converse(company, script)
    assert "choose_method" not in ended.phrases


async def test_it_is_chosen_by_its_key() -> None:
    company = a_company(Method.CARD, Method.BANK_ACCOUNT)
    script: Script = [*TO_THE_ACCOUNT, ("method_bank_account", "2"), *PAYS[len(TO_THE_ACCOUNT) :]]
    assert (await converse(company, script)).outcome is CallOutcome.PAID


async def test_who_does_not_agree_is_not_charged() -> None:
    script: Script = [*TO_THE_ACCOUNT, ("agree_to_debit", "2"), ("pay_one_or_leave", "2")]
    ended = await converse(a_company(), script)
    assert ended.outcome is CallOutcome.NOT_PAID
    assert ended.company.rows.mandates == {}
    assert ended.company.vault.asked == []
    assert ended.company.states == [AttemptState.CANCELED]


@pytest.mark.parametrize("answer", [NotVerified("2046"), GatewayNotReached("away")])
async def test_an_account_that_is_not_verified_is_said_and_another_way_is_taken(
    answer: NotVerified | GatewayNotReached,
) -> None:
    company = a_company(Method.BANK_ACCOUNT, Method.CARD)
    company.vault.answer = answer
    script: Script = [
        *TO_THE_ACCOUNT,
        ("choose_method", "1"),
        ("agree_to_debit", "1"),
        ("pay_one_or_leave", "1"),
        ("confirm_charge", "1"),
        ("repeat_or_end", "2"),
    ]
    ended = await converse(company, script)
    assert "account_not_verified" in ended.phrases
    assert ended.outcome is CallOutcome.PAID
    assert company.states == [AttemptState.CANCELED, AttemptState.CAPTURED]


async def test_a_person_follows_when_no_way_is_left() -> None:
    company = a_company()
    company.vault.answer = NotVerified("2046")
    script: Script = [*TO_THE_ACCOUNT, ("agree_to_debit", "1"), ("pay_one_or_leave", "1")]
    ended = await converse(company, script)
    assert ended.outcome is CallOutcome.AGENT
    assert company.charged == []


async def test_the_fee_is_told_before_the_mandate_and_is_in_it() -> None:
    company = a_company()
    company.terms = replace(
        company.terms,
        fees=Fees({Method.BANK_ACCOUNT: Fee(flat={"USD": Money.of("0.50", "USD")})}),
    )
    ended = await converse(company, PAYS)
    assert ended.phrases.index("fee_added") < ended.phrases.index("mandate")
    assert "amount=43.00 USD" in ended.line.said("mandate").values
    assert [charge.amount for charge in company.gateway.charges] == [Money.of("43.00", "USD")]


async def test_without_the_mandate_on_paper_nothing_is_charged() -> None:
    company = a_company()
    company.answers_left = 7
    ended = await converse(company, PAYS, whole_script=False)
    assert company.gateway.charges == []
    assert ended.outcome is not CallOutcome.PAID


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (CaptureResult.TOO_MANY_FAILED_ATTEMPTS, CallOutcome.AGENT),
        (CaptureResult.TRANSFERRED_TO_AGENT, CallOutcome.AGENT),
        (CaptureResult.PAYMENT_CONNECTOR_ERROR, CallOutcome.AGENT),
    ],
)
async def test_a_secure_part_that_ends_without_an_account_leads_to_a_person(
    result: CaptureResult, outcome: CallOutcome
) -> None:
    company = a_company()
    company.secure_results = [result]
    ended = await converse(company, TO_THE_ACCOUNT)
    assert ended.outcome is outcome
    assert company.charged == []


async def test_who_hangs_up_during_the_mandate_is_not_charged() -> None:
    ended = await converse(a_company(), [*TO_THE_ACCOUNT, ("mandate", HANGS_UP)])
    assert ended.company.gateway.charges == []
    assert ended.company.rows.mandates == {}


async def test_a_line_that_waits_for_settlement_is_said_so() -> None:
    company = a_company(settled_first=True)
    company.suspend_all()
    ended = await converse(company, PAYS)
    assert "back_when_settled" in ended.phrases
    assert "service_back" not in ended.phrases


async def test_a_line_comes_back_at_once_where_the_company_wants_that() -> None:
    company = a_company()
    company.suspend_all()
    ended = await converse(company, PAYS)
    assert "service_back" in ended.phrases
    assert "back_when_settled" not in ended.phrases


async def test_a_debit_that_is_declined_is_followed_by_what_follows_a_card() -> None:
    company = a_company()
    company.declines(DeclineBucket.HARD)
    ended = await converse(company, PAYS[:-1], whole_script=False)
    assert company.states[0] is AttemptState.DECLINED
    assert ended.outcome is not CallOutcome.PAID


async def test_who_named_accounts_in_vain_is_asked_for_none_for_a_day() -> None:
    company = a_company()
    company.vault.answer = NotVerified("2046")
    for calls in range(1, 4):
        await converse(company, [*TO_THE_ACCOUNT, ("agree_to_debit", "1")], whole_script=False)
        assert len(company.vault.asked) == calls
    ended = await converse(company, TO_THE_ACCOUNT, whole_script=False)
    assert len(company.vault.asked) == 3
    assert "secure_start_account" not in ended.phrases
