"""Paying: every way a card and a charge can end, and what the caller is told."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.captures import CaptureResult
from ivr.billing.errors import GatewayError, GatewayNotReached, GatewayRefused, OutcomeUnknown
from ivr.billing.messages import ToCustomer
from ivr.billing.payments import AttemptState, DeclineBucket
from ivr.dialogue.endings import SecurePartAway
from tests.dialogue.company import Company, and_then, invoice
from tests.dialogue.conversation import KNOWN, PAYS_ONE, Conversation, converse
from tests.fakes.line import FakeLine, Script
from tests.fakes.voice import FakeVoice

TO_THE_CARD: Script = [*KNOWN, ("pay_one_or_leave", "1")]
TO_THE_CHARGE: Script = [*TO_THE_CARD, ("confirm_charge", "1")]


def a_company() -> Company:
    return Company(invoice(7, "42.50"))


def silences(ended: Conversation) -> list[float]:
    """Seconds between the end of each phrase and the beginning of the next."""
    heard = ended.line.heard
    return [
        after.at - before.until for before, after in pairwise(heard) if before.until is not None
    ]


# The secure part


@pytest.mark.parametrize(
    ("result", "last"),
    [
        (CaptureResult.TOO_MANY_FAILED_ATTEMPTS, ["too_many_tries", "transferring"]),
        (CaptureResult.TRANSFERRED_TO_AGENT, ["pay_one_or_leave", "transferring"]),
        (CaptureResult.PAYMENT_CONNECTOR_ERROR, ["card_not_available", "transferring"]),
        (CaptureResult.INTERNAL_ERROR, ["card_not_available", "transferring"]),
        (CaptureResult.IN_DOUBT, ["card_not_available", "transferring"]),
        (None, ["card_not_available", "transferring"]),
    ],
)
async def test_a_card_that_could_not_be_collected_leads_to_a_person(
    result: CaptureResult | None, last: list[str]
) -> None:
    company = a_company()
    company.secure_results = [result]
    ended = await converse(company, TO_THE_CARD)
    assert ended.phrases[-2:] == last
    assert ended.outcome is CallOutcome.AGENT
    assert company.states == [AttemptState.CANCELED]


async def test_a_secure_part_that_is_away_leads_to_a_person_and_closes_the_capture() -> None:
    async def away(_: object) -> None:
        raise SecurePartAway

    line = FakeLine(TO_THE_CARD)
    line.secure_part = away
    ended = await converse(a_company(), line=line)
    assert ended.phrases[-2:] == ["card_not_available", "transferring"]
    assert [type(failure) for failure in ended.call.failures] == [SecurePartAway]
    assert ended.company.capture_results == ["internal-error"]
    assert ended.company.states == [AttemptState.CANCELED]


async def test_a_caller_who_hangs_up_in_the_secure_part_gives_up_the_attempt() -> None:
    company = a_company()
    company.secure_results = [CaptureResult.CALLER_HUNG_UP]
    ended = await converse(company, TO_THE_CARD)
    assert ended.outcome is CallOutcome.HUNG_UP
    assert company.states == [AttemptState.CANCELED]


async def test_a_capture_whose_caller_hung_up_is_closed() -> None:
    company = a_company()
    company.secure_results = [None]
    line = FakeLine(TO_THE_CARD)
    line.secure_part = and_then(company.secure_part, line.leave)
    ended = await converse(company, line=line)
    assert ended.outcome is CallOutcome.HUNG_UP
    assert company.capture_results == [CaptureResult.CALLER_HUNG_UP]
    assert company.states == [AttemptState.CANCELED]


async def test_keys_do_not_cross_the_border_of_the_secure_part() -> None:
    company = a_company()
    line = FakeLine([*TO_THE_CARD, ("confirm_charge", "2"), ("pay_one_or_leave", "2")])
    during: list[int] = []

    async def secure_part(capture_id: UUID) -> None:
        during.append(line.keys_left)
        line.press("1111")
        await company.secure_part(capture_id)

    line.secure_part = secure_part
    line.script[2] = ("pay_one_or_leave", "1555")
    ended = await converse(company, line=line)
    assert during == [0]
    assert ended.company.charged == []


async def test_refusing_the_amount_charges_nothing_and_offers_it_again() -> None:
    script: Script = [*TO_THE_CARD, ("confirm_charge", "2"), ("pay_one_or_leave", "2")]
    ended = await converse(a_company(), script)
    assert ended.outcome is CallOutcome.NOT_PAID
    assert ended.company.states == [AttemptState.CANCELED]
    assert ended.phrases.count("nothing_charged") == 1


async def test_silence_at_the_last_yes_charges_nothing() -> None:
    ended = await converse(a_company(), TO_THE_CARD)
    assert ended.phrases.count("confirm_charge") == 3
    assert ended.outcome is CallOutcome.AGENT
    assert ended.company.states == [AttemptState.CANCELED]


# The charge


async def test_a_line_that_comes_back_is_announced() -> None:
    company = a_company()
    company.suspend_all()
    ended = await converse(company, PAYS_ONE)
    assert ended.line.said("service_back").values == "service=James's mobile"


async def test_the_confirmation_number_is_repeated_on_request() -> None:
    repeats: Script = [("repeat_or_end", "1")] * 3
    ended = await converse(a_company(), [*TO_THE_CHARGE, *repeats, ("repeat_or_end", "2")])
    assert ended.phrases.count("confirmation_number") == 4
    assert ended.phrases.count("paid") == 1


async def test_repeating_has_an_end() -> None:
    ended = await converse(a_company(), [*TO_THE_CHARGE, *[("repeat_or_end", "1")] * 6])
    assert ended.phrases[-1] == "goodbye_paid"


async def test_a_declined_card_is_followed_by_another() -> None:
    company = a_company()
    company.declines(DeclineBucket.SOFT)
    script: Script = [*TO_THE_CHARGE, ("declined", "1"), *PAYS_ONE[3:]]
    ended = await converse(company, script)
    assert ended.outcome is CallOutcome.PAID
    assert company.states == [AttemptState.DECLINED, AttemptState.CAPTURED]


@pytest.mark.parametrize("bucket", [DeclineBucket.SOFT, DeclineBucket.HARD])
async def test_two_cards_are_the_most_in_a_call(bucket: DeclineBucket) -> None:
    company = a_company()
    company.declines(bucket, bucket)
    script: Script = [*TO_THE_CHARGE, ("declined", "1"), ("confirm_charge", "1")]
    ended = await converse(company, script)
    assert ended.phrases[-2:] == ["declined_final", "transferring"]
    assert ended.outcome is CallOutcome.AGENT
    assert company.states == [AttemptState.DECLINED] * 2


async def test_a_person_can_be_asked_for_after_a_decline() -> None:
    company = a_company()
    company.declines(DeclineBucket.SOFT)
    ended = await converse(company, [*TO_THE_CHARGE, ("declined", "2")])
    assert ended.outcome is CallOutcome.AGENT


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        (("text",), "confirming_do_not_pay_again"),
        (("mail",), "confirming_do_not_pay_again"),
        ((), "confirming_call_again"),
    ],
)
async def test_an_unknown_outcome_is_told_honestly_and_nothing_else_is_charged(
    ways: tuple[ToCustomer, ...], told: str
) -> None:
    company = Company(invoice(7, "42.50"), invoice(8, "10.00"))
    company.can_be_told(*ways)
    company.gateway.will(OutcomeUnknown("timed out"))
    script: Script = [*KNOWN, ("pay_all_or_choose", "1"), ("confirm_charge", "1")]
    ended = await converse(company, script)
    assert ended.outcome is CallOutcome.CONFIRMING
    assert ended.phrases[-2:] == [told, "goodbye"]
    assert company.states == [AttemptState.UNKNOWN]


@pytest.mark.parametrize("error", [GatewayNotReached("away"), GatewayRefused("wrong keys")])
async def test_a_gateway_that_is_away_is_our_problem(error: GatewayError) -> None:
    company = a_company()
    company.gateway.will(error)
    ended = await converse(company, TO_THE_CHARGE)
    assert ended.outcome is CallOutcome.FAILED
    assert ended.phrases[-2:] == ["technical_problem", "transferring"]
    assert ended.call.failures


async def test_an_invoice_paid_meanwhile_is_not_charged_and_the_rest_is_read_again() -> None:
    company = a_company()
    line = FakeLine(TO_THE_CHARGE)
    line.secure_part = and_then(company.secure_part, company.pay_elsewhere)
    ended = await converse(company, line=line)
    assert ended.phrases[-2:] == ["already_paid", "goodbye"]
    assert ended.outcome is CallOutcome.NOTHING_OWED
    assert company.charged == []


async def test_an_invoice_being_paid_in_another_call_is_not_charged() -> None:
    company = a_company()
    line = FakeLine(TO_THE_CHARGE)
    line.secure_part = and_then(company.secure_part, company.charge_elsewhere)
    ended = await converse(company, line=line)
    assert ended.phrases[-2:] == ["other_call_in_progress", "goodbye"]
    assert ended.outcome is CallOutcome.NOT_PAID
    assert company.charged == []


async def test_a_caller_is_never_left_in_silence_while_the_gateway_thinks() -> None:
    company = a_company()
    company.gateway.seconds = 64.0
    ended = await converse(company, PAYS_ONE)
    assert ended.outcome is CallOutcome.PAID
    assert ended.phrases.count("still_working") > 3
    charging, paid = ended.phrases.index("charging"), ended.phrases.index("paid")
    waits = silences(ended)[charging:paid]
    assert max(waits) <= 2.1


async def test_a_voice_that_fails_while_waiting_does_not_cost_the_receipt() -> None:
    voice = FakeVoice()
    voice.broken = {"charging"}
    ended = await converse(a_company(), PAYS_ONE, voice=voice)
    assert ended.outcome is CallOutcome.PAID
    assert "confirmation_number" in ended.phrases
    assert [type(failure) for failure in ended.call.failures] == [OSError]


async def test_keys_pressed_while_waiting_do_not_hush_the_result() -> None:
    company = a_company()
    company.gateway.seconds = 5.0
    ended = await converse(company, [*TO_THE_CHARGE, ("charging", "1111"), ("repeat_or_end", "2")])
    paid = next(each for each in ended.line.heard if each.said.phrase == "paid")
    assert paid.until == paid.at + 3


async def test_a_hang_up_during_the_charge_is_still_recorded_as_paid() -> None:
    ended = await converse(a_company(), [*TO_THE_CHARGE, ("charging", "hangs up")])
    assert ended.outcome is CallOutcome.PAID
    assert "paid" not in ended.phrases
    assert ended.company.states == [AttemptState.CAPTURED]


async def test_a_hang_up_during_a_charge_of_unknown_outcome_is_recorded_as_confirming() -> None:
    company = a_company()
    company.gateway.will(OutcomeUnknown("timed out"))
    ended = await converse(company, [*TO_THE_CHARGE, ("charging", "hangs up")])
    assert ended.outcome is CallOutcome.CONFIRMING
