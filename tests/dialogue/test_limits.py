"""Limits in a conversation: nothing tells which one stopped it, and a person or a link is left."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.limiting import Limiting
from ivr.billing.limits import Limits
from ivr.billing.payments import AttemptState, DeclineBucket, Refusal
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import KNOWN, PAYS_ONE, converse
from tests.fakes.line import FakeLine, Script
from tests.fakes.tries import FakeTries

WRONG: Script = [
    ("ask_account_number", "1042#"),
    ("ask_postal_code", "99999#"),
    *[("ask_account_again", "1042#"), ("ask_postal_code", "99999#")] * 2,
]
RIGHT_THRICE: Script = [(phrase, keys.replace("99999", "28013")) for phrase, keys in WRONG]
TO_THE_CHARGE: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("confirm_charge", "1")]


def a_company(limits: Limits | None = None) -> tuple[Company, FakeTries]:
    company = Company(invoice(7, "42.50"))
    tries = FakeTries(company.rows)
    company.limiting = Limiting(tries, limits or Limits())
    return company, tries


async def test_a_number_over_its_limit_hears_what_any_failure_hears() -> None:
    company, _ = a_company(Limits(identifications_a_number=3))
    wrong = await converse(company, WRONG)
    right = await converse(company, RIGHT_THRICE)
    company_of_waiting = {"hold_on", "still_working"}
    assert [each for each in right.phrases if each not in company_of_waiting] == [
        each for each in wrong.phrases if each not in company_of_waiting
    ]
    assert right.outcome is wrong.outcome is CallOutcome.AGENT
    assert right.call.customer is None


async def test_the_answer_is_later_after_every_failure_whether_it_is_right_or_wrong() -> None:
    company, _ = a_company()
    line = FakeLine(WRONG)
    wrong = await converse(company, line=line)
    pauses = [
        round(after.at - before.at, 1)
        for before, after in zip(wrong.line.heard, wrong.line.heard[1:], strict=False)
        if before.said.phrase in {"ask_postal_code", "hold_on"}
    ]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= pauses[0] + 0.9


async def test_right_details_are_no_failure() -> None:
    company, tries = a_company(Limits(identifications_a_number=2))
    for _ in range(4):
        ended = await converse(company, [*KNOWN, ("pay_one_or_leave", "2")])
        assert ended.call.customer is not None
    assert set(tries.identifications.values()) == {0}


async def test_in_an_attack_only_a_number_on_file_is_identified() -> None:
    company, tries = a_company(Limits(identifications_an_hour=3))
    await converse(company, WRONG)
    stranger = await converse(company, RIGHT_THRICE)
    assert stranger.call.customer is None
    tries.on_file.add((1, "+34600111222"))
    ended = await converse(company, [*KNOWN, ("pay_one_or_leave", "2")])
    assert ended.call.customer is not None


async def test_callers_are_identified_although_nobody_can_count_them() -> None:
    company, tries = a_company()

    async def away(_: object) -> None:
        raise LedgerUnavailable("gone")

    tries.count_identification = away  # type: ignore[assignment,method-assign] # no counts
    ended = await converse(company, [*KNOWN, ("pay_one_or_leave", "2")])
    assert ended.call.customer is not None


async def test_no_card_is_charged_that_nobody_can_count() -> None:
    company, tries = a_company()

    async def away(*_: object) -> None:
        raise LedgerUnavailable("gone")

    tries.count_card = away  # type: ignore[assignment,method-assign] # no counts
    ended = await converse(company, TO_THE_CHARGE)
    assert ended.outcome is CallOutcome.FAILED
    assert ended.phrases[-2:] == ["technical_problem", "transferring"]
    assert company.gateway.charges == []


async def test_a_card_refused_for_good_is_not_sent_again_and_sounds_declined() -> None:
    company, _ = a_company()
    company.hashes = ["a" * 64, "a" * 64]
    company.gateway.will(Refusal("2012", "Lost Card", DeclineBucket.HARD))
    again: Script = [("declined", "1"), ("confirm_charge", "1"), ("declined", "2")]
    ended = await converse(company, [*TO_THE_CHARGE, *again])
    assert ended.phrases.count("declined") == 2
    assert len(company.gateway.charges) == 1
    assert company.states == [AttemptState.DECLINED, AttemptState.CANCELED]


@pytest.mark.parametrize("has_links", [True, False])
async def test_while_no_cards_are_taken_a_link_or_a_person_is_offered(*, has_links: bool) -> None:
    company, tries = a_company()
    tries.opened_at = tries.now()
    if has_links:
        company.sends_links()
    link: Script = [("card_not_taken", "1")] if has_links else []
    ended = await converse(company, [*KNOWN, ("pay_one_or_leave", "1"), *link])
    last = ["link_sent", "goodbye"] if has_links else ["card_not_available", "transferring"]
    assert ended.phrases[-2:] == last
    assert company.requests == []  # nobody was asked for a card
    assert company.states == [AttemptState.CANCELED]


async def test_a_card_is_charged_again_when_the_breaker_tries_one() -> None:
    company, tries = a_company()
    tries.opened_at = tries.now() - timedelta(minutes=16)
    ended = await converse(company, PAYS_ONE)
    assert ended.outcome is CallOutcome.PAID


async def test_a_limit_that_is_reached_while_a_card_is_keyed_stops_the_charge() -> None:
    company, tries = a_company()
    line = FakeLine(TO_THE_CHARGE)

    async def meanwhile(capture_id: object) -> None:
        await Company.secure_part(company, capture_id)  # type: ignore[arg-type] # as the line gives it
        tries.opened_at = tries.now()

    line.secure_part = meanwhile
    ended = await converse(company, line=line)
    assert ended.phrases[-2:] == ["card_not_available", "transferring"]
    assert company.gateway.charges == []
