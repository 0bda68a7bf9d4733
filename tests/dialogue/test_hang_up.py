"""A caller who hangs up at any moment of a paid call: nothing leaks, nothing is charged twice.

The loop is stopped at every turn it takes, so every await of the conversation is covered.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from ivr.billing.calls import CallOutcome
from ivr.billing.payments import AttemptState, DeclineBucket
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import PAYS_ONE, Conversation, converse
from tests.fakes.line import FakeLine, Script
from tests.fakes.virtual_time import VirtualTimeLoop

SOFT = DeclineBucket.SOFT
ANOTHER_CARD: Script = [*PAYS_ONE[:4], ("declined", "1"), *PAYS_ONE[3:]]


Prepare = Callable[[Company], object]


async def a_call(script: Script, leaves_at_turn: int, prepare: Prepare) -> Conversation:
    company = Company(invoice(7, "42.50"))
    prepare(company)
    line = FakeLine(script)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.at_turn(leaves_at_turn, line.leave)
    return await converse(company, line=line)


def settled(attempts: list[AttemptState], charges: int) -> None:
    """Every attempt has ended, and there is one captured attempt for a charge."""
    assert AttemptState.CREATED not in attempts
    assert AttemptState.CHARGING not in attempts
    assert attempts.count(AttemptState.CAPTURED) == charges
    assert charges <= 1


def every_moment(script: Script, prepare: Prepare = lambda _: None) -> list[CallOutcome]:
    """The outcome of the call for each turn of the loop at which the caller can hang up."""
    outcomes: list[CallOutcome] = []
    for turn in itertools.count(1):
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            ended = runner.run(a_call(script, turn, prepare))
        company = ended.company
        settled(company.states, len(company.charged))
        expected = CallOutcome.PAID if company.charged else CallOutcome.HUNG_UP
        assert ended.outcome is expected, f"after turn {turn}: {ended.call.trail}"
        assert ended.call.failures == []
        assert not ended.line.transferred
        if ended.line.hung_up_by_us:
            break
        outcomes.append(ended.outcome)
    return outcomes


def test_a_hang_up_at_every_moment_of_a_paid_call() -> None:
    outcomes = every_moment(PAYS_ONE)
    assert len(outcomes) > 100
    assert outcomes == sorted(outcomes)  # hung-up until the charge began, paid ever after


def test_a_hang_up_at_every_moment_of_a_call_with_a_declined_card() -> None:
    declined_once = every_moment(ANOTHER_CARD, lambda company: company.declines(SOFT))
    assert len(declined_once) > 130


def test_a_hang_up_at_every_moment_of_a_call_that_removes_a_card_and_leaves_another() -> None:
    def keeps_cards(company: Company) -> None:
        company.keeps_cards = True
        company.left("1111", expires="1299")
        company.left("2222", expires="1299")

    removes: Script = [("choose_method", "4"), ("remove_which", "2"), ("confirm_card_removal", "1")]
    leaves: Script = [("choose_method", "2"), ("agree_to_keep", "1")]
    script: Script = [*PAYS_ONE[:3], *removes, *leaves, *PAYS_ONE[3:]]
    assert len(every_moment(script, keeps_cards)) > 180
