"""Whatever becomes of paying from a bank account, nobody speaks of cards."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from ivr.billing.bank_accounts import NotVerified
from ivr.billing.captures import CaptureResult
from ivr.billing.errors import GatewayError, GatewayNotReached, OutcomeUnknown
from ivr.billing.limiting import Limiting
from ivr.billing.limits import CardTries, Limits
from ivr.billing.methods import Method
from ivr.billing.payments import AttemptState, DeclineBucket
from tests.dialogue.company import Company
from tests.dialogue.conversation import Conversation, converse
from tests.dialogue.test_bank_account import PAYS, TO_THE_ACCOUNT, a_company
from tests.fakes.tries import FakeTries
from tests.fakes.voice import catalogue


def speaks_of_cards(ended: Conversation) -> list[str]:
    """What was said, in any language or way, that has the word card in it."""
    said = {
        text
        for language in ("en", "es")
        for key, text in catalogue(language).items()
        if key.partition(".")[0] in ended.phrases
    }
    return sorted(text for text in said if re.search(r"\b(cards?|tarjetas?)\b", text.lower()))


def over_the_limit(company: Company) -> None:
    company.limiting = Limiting(FakeTries(company.rows), Limits(card_tries_a_call=0))


@pytest.mark.parametrize("links", [False, True], ids=["no-link", "link"])
async def test_an_account_over_a_limit_is_not_even_keyed_and_no_card_is_spoken_of(
    links: bool,  # noqa: FBT001 - a case
) -> None:
    company = a_company()
    over_the_limit(company)
    if links:
        company.sends_links()
    ended = await converse(company, TO_THE_ACCOUNT, whole_script=False)
    assert "payment_not_taken" in ended.phrases
    assert speaks_of_cards(ended) == []
    assert company.requests == []
    assert company.states == [AttemptState.CANCELED]


class Meanwhile(FakeTries):
    """Other calls reach the limit between the question and the charge."""

    async def count_card(self, *given: Any, **named: Any) -> CardTries:
        return replace(await super().count_card(*given, **named), of_invoice=99)


async def test_an_account_over_a_limit_by_the_time_it_is_charged_is_not_spoken_of_as_a_card() -> (
    None
):
    company = a_company()
    company.limiting = Limiting(Meanwhile(company.rows))
    ended = await converse(company, PAYS, whole_script=False)
    assert "payment_not_taken" in ended.phrases
    assert speaks_of_cards(ended) == []
    assert company.charged == []


async def test_where_there_is_another_way_the_limit_of_accounts_leads_to_it() -> None:
    company = a_company(Method.BANK_ACCOUNT, Method.CARD)
    over_the_limit(company)
    ended = await converse(company, [*TO_THE_ACCOUNT, ("choose_method", "1")], whole_script=False)
    assert "way_not_taken" in ended.phrases
    assert "card_not_taken" not in ended.phrases


@pytest.mark.parametrize("bucket", DeclineBucket)
@pytest.mark.parametrize("links", [False, True], ids=["no-link", "link"])
async def test_after_a_debit_that_was_declined_nobody_speaks_of_cards(
    bucket: DeclineBucket,
    links: bool,  # noqa: FBT001 - a case
) -> None:
    company = a_company()
    company.declines(bucket)
    if links:
        company.sends_links()
    ended = await converse(company, PAYS[:-1], whole_script=False)
    assert "debit_declined" in ended.phrases
    assert speaks_of_cards(ended) == []


@pytest.mark.parametrize(
    "result",
    [each for each in CaptureResult if each is not CaptureResult.SUCCESS],
)
async def test_however_the_secure_part_ends_nobody_speaks_of_cards(result: CaptureResult) -> None:
    company = a_company()
    company.secure_results = [result]
    ended = await converse(company, TO_THE_ACCOUNT, whole_script=False)
    assert speaks_of_cards(ended) == []


@pytest.mark.parametrize(
    "outcome", [None, OutcomeUnknown("late"), GatewayNotReached("away"), NotVerified("2046")]
)
async def test_however_the_gateway_answers_nobody_speaks_of_cards(
    outcome: GatewayError | NotVerified | None,
) -> None:
    company = a_company()
    if isinstance(outcome, NotVerified):
        company.vault.answer = outcome
    elif outcome is not None:
        company.gateway.will(outcome)
    ended = await converse(company, PAYS, whole_script=False)
    assert speaks_of_cards(ended) == []
