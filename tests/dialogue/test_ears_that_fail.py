"""Whole calls whose ears are busy, are lost on the way, or rest: the keys, and no dead air."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from uuid import UUID

import pytest

from ivr.billing.calls import CallOutcome
from tests.dialogue.company import SMITH, Company, invoice
from tests.dialogue.conversation import Conversation, converse
from tests.dialogue.saying import (
    CODE,
    DEAF,
    NOISE,
    QUIET,
    TALK,
    YES,
    Answer,
    commands,
    digits,
    says,
)  # fmt: skip
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Heard, Script
from tests.fakes.voice import FakeVoice

ONE = invoice(7, "42.50")
LOST_AFTER_A_WORD: Answer = (4.0, DEAF[1])
"""a second after a prompt of three, in the middle of what is said"""
QUIET_AT_MOST = 2.0
SOON_SECONDS = 0.4
"""the caller of a script presses the first key a moment later"""
PAY, FINISH = says("pay_or_leave", "yes"), says("repeat_or_end", "no")
KEYED: Script = [("ask_account_again", "1042#"), ("ask_postal_code_voice", "28013#")]


class OnLine(FakeLine):
    """Notes for each phrase whether the caller's voice was open while it was said."""

    def __init__(self, ears: ScriptedEars, script: Script = ()) -> None:
        super().__init__(script)
        self.ears = ears
        self.open_at: dict[str, bool] = {}

    def hear(self, heard: Heard) -> None:
        super().hear(heard)
        asyncio.get_running_loop().call_later(SOON_SECONDS, self._look, heard.said.phrase)

    def _look(self, phrase: str) -> None:
        self.open_at[phrase] = self.ears.is_on_line


def dead_air(ended: Conversation, until: str) -> float:
    """The longest time in which nothing was said, as far as that phrase."""
    heard = ended.line.heard[: ended.phrases.index(until) + 1]
    return max(after.at - (before.until or before.at) for before, after in pairwise(heard))


@pytest.mark.parametrize("lost", [DEAF, LOST_AFTER_A_WORD])
async def test_who_is_not_heard_is_asked_for_keys_within_two_seconds(lost: Answer) -> None:
    ears = ScriptedEars(QUIET, lost)
    ended = await converse(Company(), KEYED, ears=ears)
    assert ended.call.customer == SMITH
    assert ended.phrases[1:4] == ["ask_account_number_voice", "use_the_keys", "ask_account_again"]
    assert dead_air(ended, "ask_account_again") <= QUIET_AT_MOST
    assert {"are_you_there", "not_understood"}.isdisjoint(ended.phrases)


async def test_ears_that_fail_cost_no_try() -> None:
    ears = ScriptedEars(QUIET, NOISE, DEAF)
    ended = await converse(Company(), ears=ears, whole_script=False)
    assert ended.phrases.count("not_understood") == 1
    assert ended.phrases.count("use_the_keys") == 1
    assert ended.phrases.count("are_you_there") == 1, "two tries are left after the noise"
    assert ended.outcome is CallOutcome.AGENT


async def test_the_question_after_one_that_was_not_heard_is_asked_by_voice_again() -> None:
    ears = ScriptedEars(QUIET, DEAF, CODE, says("pay_or_leave", "no"))
    ended = await converse(Company(ONE), KEYED[:1], ears=ears)
    assert ended.outcome is CallOutcome.NOT_PAID
    assert ears.left == 0


async def test_ears_that_fail_at_two_questions_are_not_tried_again() -> None:
    ears = ScriptedEars(QUIET, DEAF, DEAF)
    script: Script = [*KEYED[:1], ("ask_postal_code", "28013#"), ("pay_one_or_leave", "2")]
    ended = await converse(Company(ONE), script, ears=ears)
    assert ended.outcome is CallOutcome.NOT_PAID
    assert ended.phrases.count("use_the_keys") == 2
    assert len(ears.asked) == 3


async def test_a_welcome_that_nobody_hears_is_followed_by_the_question() -> None:
    ended = await converse(Company(), ears=ScriptedEars(DEAF, digits("1042"), CODE))
    assert ended.call.customer == SMITH
    assert ended.phrases[1] == "ask_account_number_voice"
    assert "use_the_keys" not in ended.phrases


async def test_keys_typed_into_a_welcome_that_nobody_hears_are_not_lost() -> None:
    script: Script = [("welcome", "1042#"), ("ask_postal_code_voice", "28013#")]
    ended = await converse(Company(), script, ears=ScriptedEars(DEAF))
    assert ended.call.customer == SMITH


async def test_who_asks_again_after_ears_that_failed_hears_the_question_alone() -> None:
    script: Script = [
        ("ask_account_number_voice", "1042#"),
        ("pay_one_or_leave", "*"),
        ("pay_one_or_leave", "2"),
    ]
    ended = await converse(Company(ONE), script, ears=ScriptedEars(QUIET, QUIET, CODE, DEAF))
    assert ended.phrases.count("use_the_keys") == 1
    assert ended.outcome is CallOutcome.NOT_PAID


async def test_while_the_ears_are_busy_the_questions_are_those_for_keys() -> None:
    ears = ScriptedEars()
    ears.is_busy = True
    script: Script = [("ask_account_number", "1042#"), ("ask_postal_code", "28013#")]
    ended = await converse(Company(), script, ears=ears)
    assert ended.call.customer == SMITH
    assert ears.asked == []
    assert {"use_the_keys", "are_you_there"}.isdisjoint(ended.phrases)


async def test_ears_that_are_free_again_hear_the_next_question() -> None:
    ears = ScriptedEars(CODE)
    ears.is_busy = True

    class Freeing(FakeLine):
        def hear(self, heard: Heard) -> None:
            ears.is_busy = heard.said.phrase in {"welcome", "ask_account_number"}
            super().hear(heard)

    ended = await converse(Company(), line=Freeing([("ask_account_number", "1042#")]), ears=ears)
    assert "ask_postal_code_voice" in ended.phrases
    assert ended.call.customer == SMITH


async def test_a_question_is_worded_for_keys_alone_or_for_the_voice_throughout() -> None:
    """Others who become silent while its sounds are fetched change nothing of it any more."""
    ears = ScriptedEars(QUIET, digits("1042"), CODE)

    class Slow(FakeVoice):
        async def sounds(self, phrase_id: str, language: str, **values: object) -> list[str]:
            ears.is_busy = phrase_id in {"owes_one", "invoice_line"}
            return await super().sounds(phrase_id, language, **values)

    script: Script = [("pay_one_or_leave_voice", "2")]
    ended = await converse(Company(ONE), script, ears=ears, voice=Slow())
    assert ended.outcome is CallOutcome.NOT_PAID
    assert len(ears.asked) == 4, "worded for the voice, and listened to"


# --- the caller's voice is open only while speech can be answered


async def test_after_use_the_keys_the_voice_is_not_on_the_line() -> None:
    ears = ScriptedEars(QUIET, TALK, TALK)
    script: Script = [("ask_account_again", "1042#"), ("ask_postal_code", "28013#")]
    line = OnLine(ears, script)
    ended = await converse(Company(), line=line, ears=ears)
    assert ended.call.customer == SMITH
    assert line.open_at["welcome"]
    assert not line.open_at["use_the_keys"]
    assert not line.open_at["ask_postal_code"]


async def test_after_ears_that_failed_the_voice_is_off_and_then_on_again() -> None:
    ears = ScriptedEars(QUIET, DEAF, CODE)
    line = OnLine(ears, KEYED[:1])
    ended = await converse(Company(ONE), line=line, ears=ears)
    assert not line.open_at["use_the_keys"]
    assert line.open_at["ask_postal_code_voice"]
    assert ended.call.customer == SMITH


async def test_a_language_without_a_model_takes_the_voice_off_the_line() -> None:
    ears = ScriptedEars(QUIET, commands("language=es"))
    ears.languages = {"en"}
    line = OnLine(ears, [("ask_account_number", "1042#"), ("ask_postal_code", "28013#")])
    ended = await converse(Company(), line=line, ears=ears)
    assert ended.call.customer == SMITH
    assert line.open_at["ask_account_number_voice"]
    assert not line.open_at["ask_account_number"]


async def test_while_a_card_is_charged_the_voice_is_off_the_line_and_then_on_again() -> None:
    company = Company(ONE)
    ears = ScriptedEars(QUIET, QUIET, CODE, PAY, YES, FINISH)
    line = OnLine(ears, [("ask_account_number_voice", "1042#")])
    charge = company.gateway.charge
    open_at: list[bool] = []

    async def charged(*args: object, **values: object) -> object:
        open_at.append(ears.is_on_line)
        return await charge(*args, **values)  # type: ignore[arg-type]  # as they came

    async def secure_part(capture_id: UUID) -> None:
        open_at.append(ears.is_on_line)
        await company.secure_part(capture_id)

    company.gateway.charge = charged  # type: ignore[method-assign,assignment]  # looks first
    line.secure_part = secure_part
    ended = await converse(company, line=line, ears=ears)
    assert ended.outcome is CallOutcome.PAID
    assert open_at == [False, False]
    assert line.open_at["confirm_charge_voice"]
    assert ears.left == 0, "the caller is heard again after the charge"
