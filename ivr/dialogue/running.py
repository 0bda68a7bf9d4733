"""How every conversation begins and ends: the one place where endings and errors are caught."""

from __future__ import annotations

import contextlib

from ivr.billing.calls import CallOutcome
from ivr.dialogue.call import Call, Flow
from ivr.dialogue.endings import (
    CannotGoOn,
    HungUp,
    NobodyAvailable,
    Over,
    TooManyTries,
    WantsAgent,
)
from ivr.dialogue.phrases import PhraseId


async def run(call: Call, flow: Flow) -> CallOutcome:
    """Answer, hold the conversation, and leave the caller in good hands; how it ended.

    Nothing is raised but CancelledError: errors of ours are in `call.failures`, for the app to log.
    What was settled with the caller (`call.settled`) wins over how the call ended afterwards.
    """
    try:
        outcome = await _converse(call, flow)
    except HungUp:
        call.note("hung up")
        outcome = CallOutcome.FAILED if call.failures else CallOutcome.HUNG_UP
    finally:
        await call.rest()
    call.note(f"over {call.settled or outcome}")
    return call.settled or outcome


async def _converse(call: Call, flow: Flow) -> CallOutcome:
    try:
        await call.line.answer()
        await flow(call)
    except HungUp:
        raise
    except Over as over:
        return await _part(call, over.outcome)
    except WantsAgent as wish:
        return await _give_to_a_person(call, wish)
    except CannotGoOn as ending:
        call.note(f"cannot go on: {ending.reason}")
        call.failures.append(ending)
        return await _apologise(call)
    except Exception as error:  # noqa: BLE001 - the call's outer edge: whatever broke, no caller is left in silence
        call.note(f"failed: {type(error).__name__}")
        call.failures.append(error)
        return await _apologise(call)
    return await _part(call, CallOutcome.NOT_PAID)


async def _part(call: Call, outcome: CallOutcome) -> CallOutcome:
    """Say goodbye and hang up; a caller whom an agent waits for goes back to the agent."""
    call.settled = call.settled or outcome
    if call.goes_back:
        return await _transfer(call, outcome, outcome)
    await _say_anyway(call, "goodbye_paid" if call.settled is CallOutcome.PAID else "goodbye")
    return await _hang_up(call, outcome)


async def _give_to_a_person(call: Call, wish: WantsAgent) -> CallOutcome:
    call.note(f"agent: {wish.reason}")
    if isinstance(wish, TooManyTries):
        if call.settled:  # paid and then silent: that caller is done, not lost
            return await _part(call, call.settled)
        await _say_anyway(call, "too_many_tries")
    return await _transfer(call, CallOutcome.AGENT, CallOutcome.NOT_PAID)


async def _apologise(call: Call) -> CallOutcome:
    await _say_anyway(call, "technical_problem")
    return await _transfer(call, CallOutcome.FAILED, CallOutcome.FAILED)


async def _transfer(call: Call, reached: CallOutcome, otherwise: CallOutcome) -> CallOutcome:
    if call.goes_back or await _somebody_is_there(call):  # else no transfer is announced
        await _say_anyway(call, "back_to_agent" if call.goes_back else "transferring")
    await call.rest()
    await call.leave_word(result=_in_words(call.settled or reached))
    try:
        await call.line.transfer_to_agent()
    except HungUp:
        raise
    except NobodyAvailable:
        call.note("no agent")
    except Exception as error:  # noqa: BLE001 - as above: a transfer that broke is told as one that nobody took
        call.failures.append(error)
        otherwise = CallOutcome.FAILED
    else:
        return reached
    await _say_anyway(call, "no_agent")
    await _say_anyway(call, "goodbye")
    return await _hang_up(call, otherwise)


async def _somebody_is_there(call: Call) -> bool:
    """Whether a transfer may succeed: one that cannot be asked about is tried."""
    try:
        return await call.line.somebody_is_there()
    except HungUp:
        raise
    except Exception as error:  # noqa: BLE001 - see the docstring; kept for the app to log
        call.failures.append(error)
        return True


def _in_words(outcome: CallOutcome) -> CallOutcome:
    """For an agent who has the caller on the line again, who said goodbye to us only."""
    return CallOutcome.NOT_PAID if outcome is CallOutcome.HUNG_UP else outcome


async def _say_anyway(call: Call, phrase_id: PhraseId) -> None:
    """Say it if it can be said; a voice that broke must not keep the caller from a person."""
    try:
        await call.say(phrase_id)
    except HungUp:
        raise
    except Exception as error:  # noqa: BLE001 - see the docstring; kept for the app to log
        call.failures.append(error)


async def _hang_up(call: Call, outcome: CallOutcome) -> CallOutcome:
    with contextlib.suppress(HungUp):
        try:
            await call.line.hang_up()
        except HungUp:
            raise
        except Exception as error:  # noqa: BLE001 - the last act of the call; the outcome stands without it
            call.failures.append(error)
    return outcome
