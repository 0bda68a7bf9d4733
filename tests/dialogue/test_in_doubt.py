"""What a caller hears of a charge in doubt: a message is promised to who gets one, else none is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.billing.customers import Customer
from ivr.billing.messages import ToCustomer
from ivr.dialogue.call import Call
from ivr.dialogue.flows.in_doubt import say_confirming
from ivr.dialogue.running import run
from tests.dialogue.company import SMITH, Company, invoice
from tests.dialogue.conversation import a_desk
from tests.fakes.line import FakeLine
from tests.fakes.voice import FakeVoice

PROMISED, CALL_AGAIN = "confirming_do_not_pay_again", "confirming_call_again"
NONE: frozenset[ToCustomer] = frozenset()
TEXT: frozenset[ToCustomer] = frozenset({"text"})
MAIL: frozenset[ToCustomer] = frozenset({"mail"})
BOTH = TEXT | MAIL


async def heard(
    on_file: frozenset[ToCustomer],
    sent: frozenset[ToCustomer],
    *,
    customer: Customer | None = SMITH,
    answers: int = 10,
) -> str:
    """What is said where the company sends this, and this is on file."""
    company = Company(invoice(7, "42.50"))
    company.can_be_told(*on_file)
    company.answers_left = answers
    desk = replace(a_desk(company, set()), ways=sent)
    line = FakeLine()
    call = Call(line, FakeVoice(), "en", None)
    await run(call, lambda call: say_confirming(call, desk, customer))
    await line.quiet()
    assert call.failures == []
    return line.phrases[0]


@pytest.mark.parametrize(
    ("on_file", "sent", "told"),
    [
        (TEXT, BOTH, PROMISED),
        (MAIL, BOTH, PROMISED),
        (BOTH, MAIL, PROMISED),
        (NONE, BOTH, CALL_AGAIN),
        (MAIL, TEXT, CALL_AGAIN),
        (BOTH, NONE, CALL_AGAIN),
    ],
)
async def test_a_message_is_promised_only_where_one_can_arrive(
    on_file: frozenset[ToCustomer], sent: frozenset[ToCustomer], told: str
) -> None:
    assert await heard(on_file, sent) == told


async def test_while_the_database_is_away_no_message_is_promised() -> None:
    assert await heard(BOTH, BOTH, answers=0) == CALL_AGAIN


@pytest.mark.parametrize("on_file", [NONE, BOTH])
async def test_who_pays_for_another_hears_of_no_message(on_file: frozenset[ToCustomer]) -> None:
    assert await heard(on_file, BOTH, customer=None) == "confirming_see_statement"
