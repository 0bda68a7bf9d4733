"""A caller and an agent in the secure part: what each hears, and that their talk goes on."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from ivr.billing.captures import CaptureField, CaptureResult
from ivr.capture.assisting import QUIET_SECONDS
from ivr.capture.talks import MEET_SECONDS
from ivr.dialogue.endings import LineError
from tests.capture.company import AGENTS_CHANNEL, Company
from tests.capture.secure_part import CHANNEL, CODE, EXPIRY, good_facts, pan
from tests.capture.test_assisted import CONFIRMS, EXPIRY_DATE, NUMBER, key_all
from tests.fakes.line import HANGS_UP

pytestmark = pytest.mark.usefixtures("nothing_kept")

# --- what the agent could hear


async def test_beside_the_voice_keys_are_no_reason_to_hush_the_caller() -> None:
    company = Company(CONFIRMS)
    await company.come()
    await key_all(company)
    company.command("complete")
    await company.over()
    assert company.bridge.hushes == []


async def test_the_agent_does_not_hear_a_caller_whose_keys_are_tones() -> None:
    company = Company()
    company.bridge.keys_are_heard = True
    await company.come()
    company.command("ask", NUMBER)
    await company.until(lambda: company.state(NUMBER) == "asked")
    assert company.bridge.is_hushed
    await company.caller.keys("4111#")
    await company.until(lambda: company.state(NUMBER) == "wrong")
    assert company.bridge.is_hushed  # the caller may key on
    await company.until(lambda: not company.bridge.is_hushed)
    company.command("cancel")
    await company.over()


async def test_a_caller_who_keys_on_is_not_heard_before_it_is_over() -> None:
    company = Company()
    company.bridge.keys_are_heard = True
    await company.come()
    company.command("ask", EXPIRY_DATE)
    await company.until(lambda: company.state(EXPIRY_DATE) == "asked")
    await company.caller.keys(EXPIRY + CODE + CODE)
    last_key = company.caller.now()
    await company.until(lambda: not company.bridge.is_hushed)
    assert company.bridge.hushes[-1][0] >= last_key + QUIET_SECONDS - 0.3
    company.command("cancel")
    await company.over()


async def test_a_talk_is_not_given_back_in_the_middle_of_keying() -> None:
    company = Company()
    company.bridge.keys_are_heard = True
    await company.come()
    company.command("ask", NUMBER)
    await company.until(lambda: company.state(NUMBER) == "asked")
    keying = asyncio.create_task(company.caller.keys(pan()[:12]))
    await asyncio.sleep(0.5)
    company.command("cancel")
    await keying
    last_key = company.caller.now()
    await company.over()
    assert company.caller.continued[0][0] >= last_key + QUIET_SECONDS - 0.3
    assert not company.bridge.is_hushed


# --- the guard


async def test_the_guard_looks_before_every_field_and_ends_it_when_in_doubt() -> None:
    company = Company()
    await company.come()
    assert await company.ask(NUMBER, pan() + "#") == "good"
    company.eyes.facts = good_facts(
        bridges={"talk-1": frozenset({CHANNEL, AGENTS_CHANNEL, "third"})}
    )
    with capture_logs() as logs:
        company.command("ask", EXPIRY_DATE)
        outcome = await company.over()
    assert "talk_refused" in {line["event"] for line in logs}
    assert outcome is not None
    assert outcome.result is CaptureResult.INTERNAL_ERROR
    assert company.talk_goes_on


async def test_who_comes_to_listen_during_the_last_field_is_found_before_the_gateway_is_asked() -> (
    None
):
    company = Company(CONFIRMS)
    await company.come()
    await key_all(company)
    company.eyes.facts = None
    company.command("complete")
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.INTERNAL_ERROR
    assert company.gateway.asked == 0
    assert company.talk_goes_on


async def test_without_an_answer_of_the_pbx_no_field_is_asked_for() -> None:
    company = Company()
    company.eyes.facts = None
    await company.come()
    company.command("ask", NUMBER)
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.INTERNAL_ERROR
    assert company.progress(NUMBER) == []
    assert company.talk_goes_on


# --- endings


async def test_a_caller_who_hangs_up_midway_frees_the_agent() -> None:
    company = Company()
    await company.come()
    company.command("ask", NUMBER)
    await company.until(lambda: company.state(NUMBER) == "asked")
    await company.caller.keys("4111")
    company.caller.leave()
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.CALLER_HUNG_UP
    assert company.agent.hung_up_by_us


async def test_a_caller_who_hangs_up_at_the_confirmation_frees_the_agent() -> None:
    company = Company((("confirm_card", HANGS_UP),))
    await company.come()
    await key_all(company)
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.CALLER_HUNG_UP
    assert company.agent.hung_up_by_us


async def test_a_caller_whose_agent_hangs_up_midway_gets_another_one() -> None:
    company = Company()
    await company.come()
    company.command("ask", NUMBER)
    await company.until(lambda: company.state(NUMBER) == "asked")
    company.agent.leave()
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.CANCELED
    assert company.caller_goes_to_a_person


async def test_who_comes_alone_is_not_kept() -> None:
    for alone in ("caller", "agent"):
        company = Company()
        line = getattr(company, alone)
        began = line.now()
        await company.come(line)
        await company.over()
        assert MEET_SECONDS <= line.now() - began < MEET_SECONDS + 5
        assert company.caller_goes_to_a_person == (alone == "caller")
        assert company.agent.hung_up_by_us == (alone == "agent")


async def test_a_talk_lasts_no_longer_than_the_limit() -> None:
    company = Company(limit_seconds=30.0)
    await company.come()
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.CANCELED
    assert company.talk_goes_on


async def test_a_process_that_stops_gives_both_back() -> None:
    company = Company()
    await company.come()
    company.command("ask", NUMBER)
    await company.until(lambda: company.state(NUMBER) == "asked")
    await company.stop()
    assert company.captures.outcomes[company.id].result is CaptureResult.CANCELED
    assert company.talk_goes_on


async def test_a_bridge_that_cannot_be_had_ends_it_and_the_talk_goes_on() -> None:
    company = Company()
    company.bridge.breaks = LineError("the PBX refused create_bridge")
    await company.come()
    outcome = await company.over()
    assert outcome is not None
    assert outcome.result is CaptureResult.INTERNAL_ERROR
    assert company.talk_goes_on


async def test_a_capture_nobody_opened_gives_both_back() -> None:
    company = Company()
    company.captures.requests.clear()
    await company.come()
    await company.over()
    assert company.talk_goes_on


async def test_an_order_the_pbx_does_not_carry_out_is_given_again() -> None:
    company = Company()
    company.agent.failures = company.caller.failures = 2
    await company.come()
    company.command("cancel")
    await company.over()
    assert company.talk_goes_on


async def test_what_is_no_command_is_not_understood_and_harmless() -> None:
    company = Company()
    await company.come()
    await asyncio.sleep(0.1)
    with capture_logs() as logs:
        company.command("dance")
        company.command("ask", CaptureField.POSTAL_CODE)
        company.talks.command("SaldoCaptureCommand", {"capture": "4111", "action": "ask"})
        company.talks.command("SomethingElse", {})
        await asyncio.sleep(1)
    assert [line["event"] for line in logs] == [
        "command_not_taken",
        "command_not_taken",
        "command_not_understood",
    ]
    company.command("cancel")
    await company.over()


async def test_ends_that_name_no_capture_go_back_at_once() -> None:
    company = Company()
    for line in (company.agent, company.caller):
        line.args = ("assist", "", line.args[-1])
    await company.come(company.agent, company.caller)
    await company.over()
    assert company.talk_goes_on
