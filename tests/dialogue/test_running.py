"""However a conversation ends, the caller is told, and errors of ours are kept for the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.errors import LedgerUnavailable
from ivr.dialogue.call import Call
from ivr.dialogue.endings import (
    CannotGoOn,
    HungUp,
    LineError,
    NobodyAvailable,
    Over,
    TooManyTries,
    WantsAgent,
)
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import yes_no
from ivr.dialogue.running import run
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import PAYS_ONE, converse
from tests.fakes.line import FakeLine, Script
from tests.fakes.voice import FakeVoice

Flow = Callable[[Call], Awaitable[None]]


def raising(ending: Exception | type[Exception]) -> Flow:
    """A conversation that ends like this at once."""

    async def flow(_: Call) -> None:
        raise ending

    return flow


async def ended(flow: Flow, line: FakeLine, voice: FakeVoice | None = None) -> tuple[Call, str]:
    call = Call(line, voice or FakeVoice(), "en")
    outcome = await run(call, flow)
    await line.quiet()
    return call, outcome


@pytest.mark.parametrize(
    ("ending", "phrases", "outcome"),
    [
        (HungUp(), [], "hung-up"),
        (Over(CallOutcome.NOTHING_OWED), ["goodbye"], "nothing-owed"),
        (Over(CallOutcome.PAID), ["goodbye_paid"], "paid"),
        (WantsAgent("asked for"), ["transferring"], "agent"),
        (TooManyTries(), ["too_many_tries", "transferring"], "agent"),
        (CannotGoOn("gateway away"), ["technical_problem", "transferring"], "failed"),
        (LedgerUnavailable("gone"), ["technical_problem", "transferring"], "failed"),
        (KeyError("a mistake of ours"), ["technical_problem", "transferring"], "failed"),
    ],
)
async def test_every_ending_has_its_words_and_its_outcome(
    ending: Exception, phrases: list[str], outcome: str
) -> None:
    line = FakeLine()
    _, how = await ended(raising(ending), line)
    assert how == outcome
    assert line.phrases == phrases
    assert line.transferred == ("transferring" in phrases)


async def test_an_error_of_ours_is_kept_and_not_swallowed() -> None:
    error = KeyError("a mistake of ours")
    call, _ = await ended(raising(error), FakeLine())
    assert call.failures == [error]


async def test_nobody_at_the_desk_is_told_and_the_call_ends() -> None:
    line = FakeLine()
    line.agents = NobodyAvailable()
    _, how = await ended(raising(WantsAgent("asked for")), line)
    assert how == CallOutcome.NOT_PAID
    assert line.phrases == ["no_agent", "goodbye"]  # no transfer is promised
    assert line.hung_up_by_us


async def test_a_transfer_that_breaks_is_told_as_nobody_at_the_desk() -> None:
    line = FakeLine()
    line.agents = LineError("the PBX said no")
    call, how = await ended(raising(WantsAgent("asked for")), line)
    assert how == CallOutcome.FAILED
    assert line.phrases[-2:] == ["no_agent", "goodbye"]
    assert call.failures == [line.agents]


async def test_a_broken_voice_does_not_keep_the_caller_from_a_person() -> None:
    line, voice = FakeLine(), FakeVoice()
    voice.broken = {"technical_problem", "transferring"}
    call, how = await ended(raising(KeyError("ours")), line, voice)
    assert line.transferred
    assert how == CallOutcome.FAILED
    assert [type(failure) for failure in call.failures] == [KeyError, OSError, OSError]


async def test_a_hang_up_during_the_apology_is_still_our_failure() -> None:
    line = FakeLine([("technical_problem", "hangs up")])
    _, how = await ended(raising(KeyError("ours")), line)
    assert how == CallOutcome.FAILED
    assert not line.transferred


@pytest.mark.parametrize("ending", [HungUp(), WantsAgent("asked for"), KeyError("ours")])
async def test_what_was_paid_stays_paid_however_the_call_ends(ending: Exception) -> None:
    async def flow(call: Call) -> None:
        call.settled = CallOutcome.PAID
        raise ending

    _, how = await ended(flow, FakeLine())
    assert how == CallOutcome.PAID


BEFORE_THE_CHARGE = {
    0: "identify",
    1: "read the invoices",
    2: "open the attempt",
    3: "open the capture",
    4: "read the card",
    5: "count the try",
}


@pytest.mark.parametrize("answers", BEFORE_THE_CHARGE, ids=BEFORE_THE_CHARGE.get)
async def test_a_ledger_that_goes_away_is_apologised_for(answers: int) -> None:
    company = Company(invoice(7, "42.50"))
    company.answers_left = answers
    line = FakeLine(PAYS_ONE)
    call = await converse(company, line=line, whole_script=False)
    assert call.outcome is CallOutcome.FAILED
    assert call.phrases[-2:] == ["technical_problem", "transferring"]
    assert company.charged == []
    assert call.call.failures


async def test_a_capture_that_cannot_be_written_down_is_not_called_paid() -> None:
    company = Company(invoice(7, "42.50"))
    company.can_be_told("text")
    company.answers_left = 7
    call = await converse(company, PAYS_ONE[:4])
    assert call.outcome is CallOutcome.CONFIRMING
    assert call.phrases[-2:] == ["confirming_call_again", "goodbye"]  # no message is promised
    assert len(company.charged) == 1


async def test_a_ledger_that_goes_away_after_the_receipt_leaves_the_call_paid() -> None:
    company = Company(invoice(7, "42.50"))
    company.answers_left = 8
    call = await converse(company, PAYS_ONE)
    assert call.outcome is CallOutcome.PAID
    assert [type(failure) for failure in call.call.failures] == [LedgerUnavailable]


# Asking

PAY = yes_no(phrase("pay_one_or_leave"))


async def asked(script: Script, keys: str = "") -> tuple[FakeLine, str]:
    """Ask PAY once and end with its answer."""
    line = FakeLine(script)
    line.press(keys)

    async def flow(call: Call) -> None:
        answer: bool = await call.ask(PAY)
        call.note(f"answer {answer}")

    call, _ = await ended(flow, line)
    steps = [step.split(" ", 1)[1] for step in call.trail]
    return line, next((step for step in steps if step.startswith("answer ")), "")


async def test_a_question_is_asked_three_times_in_all() -> None:
    line, _ = await asked([("pay_one_or_leave", "7")])
    assert line.phrases == [
        "pay_one_or_leave",
        "not_understood",
        "pay_one_or_leave",
        "are_you_there",
        "pay_one_or_leave",
        "too_many_tries",
        "transferring",
    ]


async def test_the_third_try_still_counts() -> None:
    script: Script = [
        ("pay_one_or_leave", "7"),
        ("pay_one_or_leave", "8"),
        ("pay_one_or_leave", "1"),
    ]
    _, step = await asked(script)
    assert step == "answer True"


async def test_keys_mashed_ahead_cost_one_try_only() -> None:
    line, step = await asked([("pay_one_or_leave", "2")], keys="777777")
    assert step == "answer False"
    assert line.phrases == ["not_understood", "pay_one_or_leave", "goodbye"]


async def test_repeating_a_question_for_ever_ends_with_a_person() -> None:
    line, _ = await asked([("pay_one_or_leave", "*")] * 10)
    assert line.phrases.count("pay_one_or_leave") == 10
    assert line.transferred


async def test_the_first_key_hushes_a_menu() -> None:
    line, _ = await asked([("pay_one_or_leave", "1")])
    assert line.heard[0].until == 0.5


# Waiting in company


async def test_quick_work_needs_no_words() -> None:
    async def flow(call: Call) -> None:
        async with call.filling():
            await asyncio.sleep(0.9)

    line = FakeLine()
    await ended(flow, line)
    assert line.phrases == ["goodbye"]


async def test_a_phrase_that_fills_is_finished_before_anything_else_is_said() -> None:
    async def flow(call: Call) -> None:
        async with call.filling():
            await asyncio.sleep(1.1)
        await call.say("nothing_owed")

    line = FakeLine()
    await ended(flow, line)
    assert [(each.at, each.said.phrase) for each in line.heard] == [
        (1.0, "hold_on"),
        (4.0, "nothing_owed"),
        (7.0, "goodbye"),
    ]


async def test_a_hang_up_while_waiting_lets_the_work_finish() -> None:
    done: list[str] = []

    async def flow(call: Call) -> None:
        async with call.filling("charging", after_seconds=0):
            await asyncio.sleep(30)
            done.append("work")
        await call.say("paid", amount="42.50 EUR")

    _, how = await ended(flow, FakeLine([("charging", "hangs up")]))
    assert done == ["work"]
    assert how == CallOutcome.HUNG_UP


async def test_an_error_of_the_work_is_what_is_raised() -> None:
    async def flow(call: Call) -> None:
        async with call.filling():
            raise LedgerUnavailable

    call, _ = await ended(flow, FakeLine())
    assert [type(failure) for failure in call.failures] == [LedgerUnavailable]


async def test_a_call_that_is_cancelled_stops_talking_and_leaves_no_task() -> None:
    async def flow(call: Call) -> None:
        async with call.filling("charging", after_seconds=0):
            await asyncio.sleep(3600)

    before = asyncio.all_tasks()
    line = FakeLine()
    running = asyncio.create_task(run(Call(line, FakeVoice(), "en"), flow))
    await asyncio.sleep(6)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert line.now() == 6
    await line.quiet()
    assert asyncio.all_tasks() == before
