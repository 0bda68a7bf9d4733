"""Cards on file: left with consent, offered in the next call, removed by the caller."""

from __future__ import annotations

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.cards_on_file import WORDING, Consent, RemovedFor
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.methods import Method
from ivr.billing.payments import AttemptState, CardOnFile, DeclineBucket, KeepCard
from ivr.dialogue.flows.card_on_file import remove_which
from ivr.dialogue.flows.methods import which_way
from ivr.dialogue.hearing import Heard
from ivr.dialogue.questions import Understood
from tests.dialogue.company import SMITH, Company, invoice
from tests.dialogue.conversation import KNOWN, PAYS_ONE, Conversation, converse
from tests.dialogue.saying import CODE, QUIET, YES, Answer, commands, says
from tests.fakes.cards_on_file import FakeCardsOnFile
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script

TO_THE_CARD: Script = [*KNOWN, ("pay_one_or_leave", "1")]
CONSENT_AND_END: Script = [("confirm_charge", "1"), ("repeat_or_end", "2")]


def a_company(*, keeps_cards: bool = False) -> Company:
    company = Company(invoice(7, "42.50"))
    company.keeps_cards = keeps_cards
    return company


def charged_with(ended: Conversation) -> list[str]:
    return [charge.means.token for charge in ended.company.gateway.charges]


def removed_for(company: Company, card: CardOnFile) -> RemovedFor | None:
    return company.rows.cards[card.id].removed_for


# Leaving a card


async def test_a_caller_who_agrees_leaves_the_card_that_was_just_keyed() -> None:
    company = a_company(keeps_cards=True)
    ended = await converse(company, [*TO_THE_CARD, ("agree_to_keep", "1"), *CONSENT_AND_END])
    assert ended.phrases.index("keep_card") < ended.phrases.index("confirm_charge")
    (kept,) = company.rows.cards.values()
    assert (kept.customer_id, kept.card.last4) == (SMITH.id, "1111")
    assert list(company.gateway.vault) == [kept.card.token]


async def test_the_consent_is_written_down_with_its_payment_its_wording_and_its_language() -> None:
    company = a_company(keeps_cards=True)
    ended = await converse(company, [*TO_THE_CARD, ("agree_to_keep", "1"), *CONSENT_AND_END])
    (consent,) = company.rows.consents.values()
    assert (consent.customer_id, consent.wording, consent.language) == (SMITH.id, WORDING, "en")
    assert (consent.attempt_id, consent.call_id) == (company.attempts[0].id, ended.call.id)


async def test_the_gateway_is_not_told_the_account_number() -> None:
    company = a_company(keeps_cards=True)
    await converse(company, [*TO_THE_CARD, ("agree_to_keep", "1"), *CONSENT_AND_END])
    (charge,) = company.gateway.charges
    assert charge.keep
    assert SMITH.account_number not in charge.keep.customer_ref


async def test_a_caller_who_says_no_or_nothing_leaves_no_card() -> None:
    for answer in ("2", ""):
        company = a_company(keeps_cards=True)
        script: Script = [*TO_THE_CARD, ("agree_to_keep", answer), *CONSENT_AND_END]
        ended = await converse(company, script)
        assert ended.outcome is CallOutcome.PAID
        assert company.rows.cards == {}
        assert company.rows.consents == {}


async def test_nobody_is_asked_unless_the_company_wants_to_keep_cards() -> None:
    ended = await converse(a_company(), PAYS_ONE)
    assert "keep_card" not in ended.phrases
    assert ended.company.gateway.vault == {}


async def test_a_caller_is_asked_once_a_call() -> None:
    company = a_company(keeps_cards=True)
    company.declines(DeclineBucket.SOFT)
    script: Script = [
        *TO_THE_CARD,
        ("agree_to_keep", "2"),
        ("confirm_charge", "1"),
        ("declined", "1"),
        *CONSENT_AND_END,
    ]
    ended = await converse(company, script)
    assert ended.phrases.count("keep_card") == 1
    assert ended.outcome is CallOutcome.PAID


async def test_a_card_that_was_declined_is_not_kept() -> None:
    company = a_company(keeps_cards=True)
    company.declines(DeclineBucket.HARD)
    script: Script = [
        *TO_THE_CARD, ("agree_to_keep", "1"), ("confirm_charge", "1"), ("declined", "2"),
    ]  # fmt: skip
    await converse(company, script)
    assert company.rows.cards == {}


async def test_a_card_that_is_on_file_already_is_not_asked_about() -> None:
    company = a_company(keeps_cards=True)
    company.left(expires="1230")
    script: Script = [*TO_THE_CARD, ("choose_method", "2"), *CONSENT_AND_END]
    ended = await converse(company, script)
    assert "keep_card" not in ended.phrases


class LosesConsents(FakeCardsOnFile):
    """A database that is away in the wrong moment."""

    async def agreed(self, consent: Consent) -> KeepCard:
        raise LedgerUnavailable("the database went away")


async def test_a_consent_that_cannot_be_written_down_costs_the_keeping_only() -> None:
    company = a_company(keeps_cards=True)
    company.cards = LosesConsents(company.rows)
    ended = await converse(company, [*TO_THE_CARD, ("agree_to_keep", "1"), *CONSENT_AND_END])
    assert ended.outcome is CallOutcome.PAID
    assert company.gateway.vault == {}


async def test_no_key_hushes_what_is_agreed_to_or_agrees_before_it_was_heard() -> None:
    company = a_company(keeps_cards=True)
    script: Script = [*TO_THE_CARD, ("keep_card", "111"), ("agree_to_keep", "2"), *CONSENT_AND_END]
    ended = await converse(company, script)
    told = next(each for each in ended.line.heard if each.said.phrase == "keep_card")
    assert told.until == told.at + 3
    assert company.rows.cards == {}


# Paying with it


async def test_a_card_on_file_is_offered_first_and_paid_with_without_the_secure_part() -> None:
    company = a_company()
    card = company.left()
    script: Script = [*TO_THE_CARD, ("choose_method", "1"), *CONSENT_AND_END]
    ended = await converse(company, script)
    assert ended.outcome is CallOutcome.PAID
    assert charged_with(ended) == [card.token]
    assert company.requests == []
    assert company.attempts[0].method is Method.CARD_ON_FILE


async def test_keys_typed_ahead_choose_the_card_and_never_agree_to_a_charge() -> None:
    company = a_company()
    company.left()
    line = FakeLine([("confirm_charge", "2"), ("pay_one_or_leave", "2")])
    line.press("1042#28013#11111")
    ended = await converse(company, line=line)
    assert ended.phrases[0] == "confirm_charge"
    assert company.charged == []
    assert ended.phrases.count("nothing_charged") == 1


async def test_another_card_is_keyed_as_ever() -> None:
    company = a_company()
    card = company.left()
    ended = await converse(company, [*TO_THE_CARD, ("choose_method", "2"), *CONSENT_AND_END])
    assert len(company.requests) == 1
    assert charged_with(ended) != [card.token]


async def test_the_last_three_cards_are_offered() -> None:
    company = a_company()
    for last4 in ("1111", "2222", "3333", "4444"):
        company.left(last4)
    ended = await converse(company, [*TO_THE_CARD, ("method_remove_card", "3"), *CONSENT_AND_END])
    assert ended.phrases.count("method_card_by_number") == 3
    assert charged_with(ended) == ["vaulted-2222"]


async def test_nobody_elses_card_is_offered() -> None:
    company = a_company()
    card = company.left()
    company.rows.cards[card.id].customer_id = SMITH.id + 1
    ended = await converse(company, PAYS_ONE)
    assert "choose_method" not in ended.phrases


async def test_a_card_that_has_expired_is_removed_and_the_caller_hears_so_once() -> None:
    company = a_company()
    card = company.left(expires="1025")
    ended = await converse(company, PAYS_ONE)
    assert ended.phrases.count("card_expired") == 1
    assert removed_for(company, card) is RemovedFor.EXPIRED
    assert company.gateway.vault == {}
    assert "choose_method" not in ended.phrases


async def test_a_card_declined_for_now_is_not_offered_again_in_the_call_but_in_the_next() -> None:
    company = a_company()
    card = company.left()
    company.declines(DeclineBucket.SOFT)
    script: Script = [
        *TO_THE_CARD,
        ("choose_method", "1"),
        ("confirm_charge", "1"),
        ("declined", "1"),
        *CONSENT_AND_END,
    ]
    ended = await converse(company, script)
    assert ended.phrases.count("choose_method") == 1
    assert company.states == [AttemptState.DECLINED, AttemptState.CAPTURED]
    assert removed_for(company, card) is None


async def test_a_card_refused_for_good_is_removed() -> None:
    company = a_company()
    card = company.left()
    company.gateway.vault.clear()
    script: Script = [
        *TO_THE_CARD, ("choose_method", "1"), ("confirm_charge", "1"), ("declined", "2"),
    ]  # fmt: skip
    await converse(company, script)
    assert removed_for(company, card) is RemovedFor.REFUSED


# By voice


PAY, FINISH = says("pay_or_leave", "yes"), says("repeat_or_end", "no")


def by(meaning: str) -> Answer:
    return says("payment_method", meaning)


async def talk(company: Company, *answers: Answer) -> Conversation:
    ears = ScriptedEars(QUIET, QUIET, CODE, PAY, *answers)
    line = FakeLine([("ask_account_number_voice", "1042#")])
    ended = await converse(company, line=line, ears=ears)
    assert ears.left == 0, f"{ears.left} answers not listened to: {ended.phrases}"
    return ended


@pytest.mark.parametrize("meaning", ["visa", "yes", "saved_card", "1"])
async def test_its_brand_yes_or_its_number_names_it_by_voice(meaning: str) -> None:
    company = a_company()
    card = company.left()
    assert charged_with(await talk(company, by(meaning), YES, FINISH)) == [card.token]


@pytest.mark.parametrize("meaning", ["new_card", "mastercard", "2"])
async def test_another_card_and_another_brand_are_keyed(meaning: str) -> None:
    company = a_company()
    company.left()
    await talk(company, by(meaning), YES, FINISH)
    assert len(company.requests) == 1


async def test_the_card_is_no_answer_where_it_may_be_this_one_or_another() -> None:
    company = a_company()
    card = company.left()
    ended = await talk(company, by("card"), by("visa"), YES, FINISH)
    assert "not_understood" in ended.phrases
    assert charged_with(ended) == [card.token]


async def test_a_brand_that_two_cards_have_is_no_answer_and_is_not_suggested() -> None:
    company = a_company()
    company.left("1111")
    newer = company.left("2222")
    ended = await talk(company, by("visa"), by("1"), YES, FINISH)
    assert "not_understood" in ended.phrases
    assert "method_card_on_file_voice" not in ended.phrases
    assert charged_with(ended) == [newer.token]


async def test_yes_is_no_answer_where_two_cards_are_read_out() -> None:
    company = a_company()
    company.left("1111", brand="mastercard")
    company.left("2222")
    ended = await talk(company, by("yes"), by("mastercard"), YES, FINISH)
    assert "not_understood" in ended.phrases
    assert charged_with(ended) == ["vaulted-1111"]


@pytest.mark.parametrize("brand", ["discover", "unionpay"])
async def test_a_brand_that_cannot_be_made_out_goes_by_its_number(brand: str) -> None:
    company = a_company()
    card = company.left(brand=brand)
    ended = await talk(company, by("1"), YES, FINISH)
    assert "method_card_by_number_voice" in ended.phrases
    assert charged_with(ended) == [card.token]


async def test_the_last_four_digits_name_a_card_by_voice() -> None:
    company = a_company()
    older, newer = company.left("1111"), company.left("2222")
    question = which_way([newer, older], (Method.CARD,))
    assert question.by_voice
    assert question.by_voice.expecting.among == ("visa 2222", "visa 1111")
    assert question.meant(Heard("payment_method", "2", "one one one one")) == Understood(older)


async def test_going_back_from_the_consent_offers_the_choice_again() -> None:
    company = a_company()
    card = company.left()
    ended = await talk(company, by("visa"), commands("back"), PAY, by("yes"), YES, FINISH)
    assert ended.phrases.count("choose_method") == 2
    assert charged_with(ended) == [card.token]


async def test_a_card_is_removed_and_left_by_voice() -> None:
    company = a_company(keeps_cards=True)
    card = company.left()
    await talk(company, by("3"), YES, YES, YES, FINISH)
    assert removed_for(company, card) is RemovedFor.CALLER
    assert len([kept for kept in company.rows.cards.values() if kept.removed_for is None]) == 1


@pytest.mark.parametrize("said", ["2", "last", "other"])
async def test_of_several_cards_the_one_to_remove_is_named_by_voice(said: str) -> None:
    company = a_company()
    older, newer = company.left("1111"), company.left("2222")
    which = says("which_card", said)
    await talk(company, by("4"), which, YES, by("1"), YES, FINISH)
    assert removed_for(company, older) is RemovedFor.CALLER
    assert removed_for(company, newer) is None


async def test_the_card_to_remove_is_called_by_its_last_four_digits_too() -> None:
    company = a_company()
    question = remove_which([company.left("1111"), company.left("2222", brand="mastercard")])
    assert question.by_voice
    assert question.by_voice.expecting.among == ("visa 1111", "mastercard 2222")


# Removing it


async def test_a_caller_removes_the_card_after_confirming_and_goes_on_to_pay() -> None:
    company = a_company()
    card = company.left()
    script: Script = [
        *TO_THE_CARD,
        ("choose_method", "3"),
        ("confirm_card_removal", "1"),
        *CONSENT_AND_END,
    ]
    ended = await converse(company, script)
    assert removed_for(company, card) is RemovedFor.CALLER
    assert company.gateway.vault == {}
    assert company.rows.cards[card.id].is_deleted
    assert "card-removed" in company.rows.events
    assert len(company.requests) == 1
    assert "card_removed" in ended.phrases


async def test_a_removal_that_is_not_confirmed_removes_nothing() -> None:
    company = a_company()
    card = company.left()
    script: Script = [
        *TO_THE_CARD,
        ("choose_method", "3"),
        ("confirm_card_removal", "2"),
        ("choose_method", "1"),
        *CONSENT_AND_END,
    ]
    ended = await converse(company, script)
    assert removed_for(company, card) is None
    assert charged_with(ended) == [card.token]


async def test_of_several_cards_the_one_that_is_named_is_removed() -> None:
    company = a_company()
    older, newer = company.left("1111"), company.left("2222")
    script: Script = [
        *TO_THE_CARD,
        ("choose_method", "4"),
        ("remove_none", "2"),
        ("confirm_card_removal", "1"),
        ("choose_method", "1"),
        *CONSENT_AND_END,
    ]
    ended = await converse(company, script)
    assert removed_for(company, older) is RemovedFor.CALLER
    assert removed_for(company, newer) is None
    assert charged_with(ended) == [newer.token]


@pytest.mark.parametrize("none", ["3", "none"])
async def test_of_several_cards_none_may_be_removed_after_all(none: str) -> None:
    company = a_company()
    cards = company.left("1111"), company.left("2222")
    await talk(company, by("4"), says("which_card", none), by("1"), YES, FINISH)
    assert [removed_for(company, card) for card in cards] == [None, None]
