"""A card taken while caller and agent talk; whatever happens, the talk goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from ivr.billing.captures import CARD_FIELDS, CaptureField, CaptureResult
from ivr.billing.errors import GatewayNotReached
from ivr.billing.payments import CardOnHand
from ivr.capture.assisting import CONFIRM_SECONDS, FIRST_KEY_SECONDS
from ivr.capture.secret import MASK
from ivr.gateways.errors import Fault, ValidationRefused
from tests.capture.company import Company
from tests.capture.secure_part import AMEX_CODE, CODE, EXPIRY, pan
from tests.fakes.line import Script

pytestmark = pytest.mark.usefixtures("nothing_kept")
NUMBER = CaptureField.CARD_NUMBER
EXPIRY_DATE = CaptureField.EXPIRATION_DATE
SECURITY_CODE = CaptureField.SECURITY_CODE
CONFIRMS: Script = (("confirm_card", "1"),)


async def key_all(company: Company) -> None:
    """The whole card, field by field, as the agent asks for it."""
    assert await company.ask(NUMBER, pan() + "#") == "good"
    assert await company.ask(EXPIRY_DATE, EXPIRY) == "good"
    assert await company.ask(SECURITY_CODE, CODE) == "good"


async def test_a_card_is_keyed_confirmed_and_completed() -> None:
    company = Company(CONFIRMS)
    await company.come()
    await key_all(company)
    await asyncio.sleep(5)
    assert company.caller.said("confirm_card").values == "last4=1111"
    company.command("complete")
    outcome = await company.over()
    assert outcome is not None
    assert outcome.card
    keyed = replace(outcome.card, card_hash="")
    assert keyed == CardOnHand("visa", "1111", EXPIRY, "tokencc_1")
    assert company.gateway.sent == [
        {"number": pan(), "expirationMonth": "12", "expirationYear": "2030", "cvv": CODE}
    ]
    assert company.ended == ["success"]
    assert company.talk_goes_on
    assert company.aside.is_closed
    assert not company.bridge.is_open


async def test_nothing_is_asked_for_before_the_agent_does_and_nothing_is_said() -> None:
    company = Company()
    await company.come()
    await asyncio.sleep(60)
    assert company.caller.heard == []
    assert not any(company.progress(field) for field in CARD_FIELDS)
    company.command("cancel")
    await company.over()


async def test_fields_may_be_asked_for_in_any_order() -> None:
    company = Company(CONFIRMS)
    await company.come()
    assert await company.ask(SECURITY_CODE, CODE + "#") == "good"
    assert await company.ask(EXPIRY_DATE, EXPIRY) == "good"
    assert await company.ask(NUMBER, pan() + "#") == "good"
    company.command("complete")
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.SUCCESS


async def test_a_code_that_does_not_fit_the_number_keyed_after_it_is_wrong() -> None:
    company = Company()
    await company.come()
    assert await company.ask(SECURITY_CODE, AMEX_CODE) == "good"
    assert await company.ask(NUMBER, pan() + "#") == "good"
    assert company.state(SECURITY_CODE) == "wrong"
    assert await company.ask(EXPIRY_DATE, EXPIRY) == "good"
    await asyncio.sleep(1)
    assert company.caller.heard == []  # nothing to confirm yet
    company.command("cancel")
    await company.over()


async def test_a_mistyped_number_is_asked_again_only_when_the_agent_does() -> None:
    company = Company()
    await company.come()
    assert await company.ask(NUMBER, "4111#") == "wrong"
    assert company.progress(NUMBER)[-1]["error_type"] == "invalid-card-number"
    await company.caller.keys(pan() + "#")  # nobody asked
    await asyncio.sleep(30)
    assert company.state(NUMBER) == "wrong"
    assert await company.ask(NUMBER, pan() + "#") == "good"
    assert company.progress(NUMBER)[-1]["attempt"] == "2"
    company.command("cancel")
    await company.over()


async def test_a_field_for_which_nothing_comes_is_wrong_after_a_minute() -> None:
    company = Company()
    await company.come()
    company.command("ask", NUMBER)
    await company.until(lambda: company.state(NUMBER) == "wrong")
    assert company.caller.now() >= FIRST_KEY_SECONDS
    assert company.progress(NUMBER)[-1]["error_type"] == "input-timeout"
    company.command("cancel")
    await company.over()


async def test_what_serve_is_told_shows_the_state_and_never_how_much_was_keyed() -> None:
    company = Company(CONFIRMS)
    await company.come()
    await key_all(company)
    company.command("complete")
    await company.over()
    for field, masked in ((NUMBER, MASK + "1111"), (EXPIRY_DATE, MASK), (SECURITY_CODE, MASK)):
        told = company.progress(field)
        assert [each["state"] for each in told] == ["asked", "entering", "good"]
        assert [each["masked"] for each in told] == ["", "", masked]


async def test_another_field_may_be_asked_for_before_the_first_one_is_keyed() -> None:
    company = Company()
    await company.come()
    company.command("ask", NUMBER)
    await company.until(lambda: company.state(NUMBER) == "asked")
    await company.caller.keys("4111")
    assert await company.ask(EXPIRY_DATE, EXPIRY) == "good"
    assert company.state(NUMBER) == "waiting"
    company.command("cancel")
    await company.over()


async def test_star_clears_a_field_and_the_caller_alone_is_told() -> None:
    company = Company((("field_cleared", pan() + "#"),))
    await company.come()
    assert await company.ask(NUMBER, "99*") == "good"
    assert company.agent.heard == []
    company.command("cancel")
    await company.over()


async def test_two_stars_end_it_and_the_talk_goes_on() -> None:
    company = Company()
    await company.come()
    company.command("ask", NUMBER)
    await company.until(lambda: company.state(NUMBER) == "asked")
    await company.caller.keys("41**")
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.CALLER_INTERRUPTED
    assert company.talk_goes_on


async def test_a_caller_who_says_two_keys_everything_anew() -> None:
    company = Company((("confirm_card", "2"), ("confirm_card", "1")))
    await company.come()
    await key_all(company)
    await company.until(lambda: company.state(NUMBER) == "waiting")
    assert {company.state(field) for field in CARD_FIELDS} == {"waiting"}
    await key_all(company)
    company.command("complete")
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.SUCCESS


async def test_nothing_is_completed_that_the_caller_has_not_confirmed() -> None:
    company = Company()
    await company.come()
    await key_all(company)
    await asyncio.sleep(3 * (CONFIRM_SECONDS + 5))
    assert company.caller.phrases.count("confirm_card") == 3
    company.command("complete")  # has it asked again
    await company.until(lambda: company.caller.phrases.count("confirm_card") == 4)
    assert company.gateway.asked == 0
    await company.caller.keys("1")
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.SUCCESS


async def test_an_unfinished_card_is_not_completed() -> None:
    company = Company()
    await company.come()
    assert await company.ask(NUMBER, pan() + "#") == "good"
    with capture_logs() as logs:
        company.command("complete")
        await asyncio.sleep(1)
    assert "not_to_be_completed" in {line["event"] for line in logs}
    assert company.gateway.asked == 0
    company.command("cancel")
    await company.over()


async def test_a_card_the_gateway_refuses_is_keyed_anew() -> None:
    company = Company((("confirm_card", "1"), ("confirm_card", "1")))
    fault = Fault("81715", "input.creditCard.number", "Credit card number is invalid.")
    company.gateway.answers = [ValidationRefused((fault,))]
    await company.come()
    await key_all(company)
    await asyncio.sleep(5)  # confirmed
    company.command("complete")
    await company.until(lambda: company.state(NUMBER) == "wrong")
    assert (company.state(EXPIRY_DATE), company.state(SECURITY_CODE)) == ("waiting", "waiting")
    await key_all(company)
    company.command("complete")
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.SUCCESS


async def test_a_gateway_that_is_away_ends_it_and_the_talk_goes_on() -> None:
    company = Company(CONFIRMS)
    company.gateway.answers = [GatewayNotReached("away")]
    await company.come()
    await key_all(company)
    company.command("complete")
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.PAYMENT_CONNECTOR_ERROR
    assert company.talk_goes_on
