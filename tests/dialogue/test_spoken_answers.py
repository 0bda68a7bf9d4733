"""Whole calls by voice: every question, every command, and hearing that fails on the way."""

from __future__ import annotations

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.payments import DeclineBucket
from ivr.dialogue.hearing import Unheard
from tests.dialogue.company import SMITH, Company, invoice
from tests.dialogue.conversation import KNOWN, PAYS_ONE, Conversation, converse
from tests.dialogue.saying import (
    CODE,
    JAMES,
    NO,
    NOISE,
    QUIET,
    TALK,
    YES,
    Answer,
    commands,
    digits,
    name,
    says,
)  # fmt: skip
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script

ONE, TWO = invoice(7, "42.50"), invoice(8, "10.00")
BY_NUMBER = (QUIET, QUIET, CODE)
NUMBER: Script = [("ask_account_number_voice", "1042#")]
PAY, LEAVE = says("pay_or_leave", "yes"), says("pay_or_leave", "no")
FINISH = says("repeat_or_end", "no")


async def talk(
    company: Company, *answers: Answer, script: Script = NUMBER, language: str = "en"
) -> Conversation:
    ears = ScriptedEars(*answers)
    line = FakeLine(script, hints={"language": language})
    ended = await converse(company, line=line, ears=ears)
    assert ears.left == 0, f"{ears.left} answers not listened to: {ended.phrases}"
    assert ears.rests, "the ears were left on the line"
    return ended


async def test_an_invoice_is_paid_by_voice() -> None:
    ended = await talk(Company(ONE), *BY_NUMBER, PAY, YES, says("repeat_or_end", "yes"), FINISH)
    assert ended.outcome is CallOutcome.PAID
    assert len(ended.company.charged) == 1
    assert ended.phrases.count("confirmation_number") == 2


@pytest.mark.parametrize(
    ("wish", "then", "paid"),
    [
        (says("all_or_choose", "all"), (YES, FINISH), 1),
        (says("all_or_choose", "choose"), (LEAVE, PAY, YES, FINISH), 1),
        (says("all_or_choose", "none"), (), 0),
    ],
)
async def test_several_invoices_are_chosen_by_voice(
    wish: Answer, then: tuple[Answer, ...], paid: int
) -> None:
    left = (LEAVE,) if len(then) == 4 else ()
    ended = await talk(Company(ONE, TWO), *BY_NUMBER, wish, *then, *left)
    assert len(ended.company.charged) == paid


async def test_invoices_are_heard_again_by_voice() -> None:
    again, none = says("all_or_choose", "again"), says("all_or_choose", "none")
    ended = await talk(Company(ONE, TWO), *BY_NUMBER, again, none)
    assert ended.phrases.count("owes_many") == 2


async def test_a_no_charges_nothing() -> None:
    ended = await talk(Company(ONE), *BY_NUMBER, PAY, NO, LEAVE)
    assert ended.company.charged == []
    assert ended.outcome is CallOutcome.NOT_PAID


async def test_another_card_is_wanted_by_voice() -> None:
    company = Company(ONE)
    company.declines(DeclineBucket.SOFT)
    another = says("after_decline", "another_card")
    ended = await talk(company, *BY_NUMBER, PAY, YES, another, YES, FINISH)
    assert ended.outcome is CallOutcome.PAID


async def test_a_word_hushes_the_prompt() -> None:
    soon = says("pay_or_leave", "no", at=0.5)
    ended = await talk(Company(ONE), *BY_NUMBER, soon)
    heard = next(each for each in ended.line.heard if each.said.phrase == "owes_one")
    assert heard.until == pytest.approx(heard.at + 0.5)
    assert "pay_one_or_leave_voice" not in ended.phrases


@pytest.mark.parametrize("said", ["repeat", "help", "back", "language=en"])
async def test_a_command_repeats_the_question(said: str) -> None:
    ended = await talk(Company(ONE), *BY_NUMBER, commands(said), LEAVE)
    assert ended.phrases.count("owes_one") == 2
    assert "language_changed" not in ended.phrases
    assert ended.phrases.count("help_voice") == (said == "help")


async def test_a_person_is_asked_for_by_voice() -> None:
    ears = ScriptedEars(QUIET, commands("agent"))
    ended = await converse(Company(), ears=ears)
    assert ended.outcome is CallOutcome.AGENT
    assert ended.line.transferred
    assert ears.rests >= 2


async def test_the_language_is_changed_by_voice() -> None:
    ears = ScriptedEars(commands("language=es", at=1.0), QUIET, QUIET)
    ended = await converse(Company(), [("ask_account_number_voice", "00#")], ears=ears)
    assert ended.line.said("ask_account_number_voice").language == "es"
    assert [language for language, _ in ears.asked] == ["en", "es", "es"]


async def test_a_goodbye_ends_the_call() -> None:
    ended = await talk(Company(ONE), *BY_NUMBER, PAY, commands("goodbye"))
    assert ended.outcome is CallOutcome.HUNG_UP
    assert ended.phrases[-1] == "goodbye"
    assert ended.line.hung_up_by_us
    assert ended.company.charged == []


async def test_too_short_a_number_is_asked_again() -> None:
    ears = ScriptedEars(QUIET, QUIET, digits("28"), CODE)
    ended = await converse(Company(), NUMBER, ears=ears)
    assert ended.call.customer == SMITH
    assert "not_understood" in ended.phrases


async def test_a_spoken_nine_is_no_language_key() -> None:
    ears = ScriptedEars(QUIET, QUIET, digits("9"), CODE)
    ended = await converse(Company(), NUMBER, ears=ears)
    assert "language_changed" not in ended.phrases


async def test_who_cannot_be_made_out_twice_is_asked_for_keys_and_then_given_to_a_person() -> None:
    ears = ScriptedEars(QUIET, NOISE, NOISE)
    ended = await converse(Company(), ears=ears)
    assert ended.outcome is CallOutcome.AGENT
    assert ended.phrases.count("not_understood") == 1
    assert ended.phrases.count("use_the_keys") == 1
    assert ended.phrases[-4:] == [
        "use_the_keys",
        "ask_account_again",
        "too_many_tries",
        "transferring",
    ]


async def test_who_was_made_out_in_between_goes_on_by_voice() -> None:
    ears = ScriptedEars(QUIET, NOISE, digits("1042"), NOISE, CODE)
    ended = await converse(Company(), ears=ears)
    assert ended.call.customer == SMITH
    assert "use_the_keys" not in ended.phrases


async def test_a_hello_to_the_welcome_is_no_try_at_answering() -> None:
    ears = ScriptedEars(NOISE, NOISE, digits("1042"), CODE)
    ended = await converse(Company(), ears=ears)
    assert ended.call.customer == SMITH
    assert "use_the_keys" not in ended.phrases


async def test_music_from_the_other_side_leads_to_the_keys_within_the_timers() -> None:
    script: Script = [("ask_account_again", "1042#"), ("ask_postal_code", "28013#")]
    music = (6.0, Unheard.TOO_MUCH)
    ended = await converse(Company(), script, ears=ScriptedEars(QUIET, music, music))
    assert ended.call.customer == SMITH
    use_the_keys = next(each for each in ended.line.heard if each.said.phrase == "use_the_keys")
    assert use_the_keys.at - ended.line.heard[0].at < 30
    assert "are_you_there" not in ended.phrases


async def test_an_account_number_is_said_where_a_name_is_asked_for() -> None:
    ended = await converse(Company(), ears=ScriptedEars(QUIET, digits("1042"), CODE))
    assert ended.call.customer == SMITH
    assert ended.phrases[1:3] == ["ask_account_number_voice", "ask_postal_code_voice"]


async def test_a_zero_said_twice_asks_for_a_person() -> None:
    ended = await converse(Company(), ears=ScriptedEars(QUIET, digits("00")))
    assert ended.outcome is CallOutcome.AGENT
    assert "not_understood" not in ended.phrases


async def test_who_talks_all_the_time_is_asked_for_keys() -> None:
    script: Script = [("ask_account_again", "1042#"), ("ask_postal_code", "28013#")]
    ears = ScriptedEars(QUIET, TALK, TALK)
    ended = await converse(Company(), script, ears=ears)
    assert ended.call.customer == SMITH
    assert len(ears.asked) == 3
    assert ended.phrases[2:6] == [
        "not_understood",
        "ask_name_again",
        "use_the_keys",
        "ask_account_again",
    ]


async def test_silence_needs_neither_keys_nor_a_voice() -> None:
    silent = await converse(Company(), ears=ScriptedEars(*[(9.9, QUIET[1])] * 4))
    assert silent.outcome is CallOutcome.AGENT
    assert silent.phrases.count("are_you_there") == 2


async def test_who_speaks_at_the_last_moment_is_heard_out() -> None:
    late = name("james smith", at=3.0 + 12.0)
    company = Company()
    ears = ScriptedEars(QUIET, late)
    await converse(company, ears=ears)
    assert company.known_names.heard == []  # began 2 s after the time was over: too late
    began = ScriptedEars(QUIET, name("james smith", at=3.0 + 10.5))
    await converse(company, ears=began)
    assert len(company.known_names.heard) == 1


async def test_a_key_stops_the_listening() -> None:
    script: Script = [("ask_account_number_voice", "10"), ("not_understood", "")]
    spoken = name("james smith", at=1.5)
    ended = await converse(Company(), script, ears=ScriptedEars(QUIET, spoken), whole_script=False)
    assert ended.company.known_names.heard == []


async def test_a_hang_up_while_somebody_listens_ends_the_call() -> None:
    script: Script = [("ask_account_number_voice", "hangs up")]
    ears = ScriptedEars(QUIET, name("james smith"))
    ended = await converse(Company(), script, ears=ears)
    assert ended.outcome is CallOutcome.HUNG_UP
    assert ears.rests == 1


async def test_the_ears_are_off_the_line_before_the_secure_part() -> None:
    company = Company(ONE)
    ears = ScriptedEars(*BY_NUMBER, PAY, YES, FINISH)
    rests: list[int] = []
    line = FakeLine(NUMBER)

    async def secure_part(capture_id: object) -> None:
        rests.append(ears.rests)
        await company.secure_part(capture_id)  # type: ignore[arg-type]  # it is a UUID

    line.secure_part = secure_part
    ended = await converse(company, line=line, ears=ears)
    assert ended.outcome is CallOutcome.PAID
    assert rests == [1]


async def test_without_a_model_for_the_language_the_keys_are_asked_for() -> None:
    ears = ScriptedEars()
    ears.languages = {"es"}
    ended = await converse(Company(ONE), PAYS_ONE, ears=ears)
    assert ended.outcome is CallOutcome.PAID
    assert ears.asked == []
    assert not [phrase for phrase in ended.phrases if phrase.endswith("_voice")]


async def test_a_caller_who_keys_everything_hears_the_same_questions() -> None:
    script: Script = [(f"{phrase}_voice", keys) for phrase, keys in PAYS_ONE]
    ended = await converse(Company(ONE), script, ears=ScriptedEars())
    assert ended.outcome is CallOutcome.PAID
    plain = await converse(Company(ONE), PAYS_ONE)
    assert [phrase.removesuffix("_voice") for phrase in ended.phrases] == plain.phrases


async def test_names_are_not_asked_for_where_nobody_knows_them() -> None:
    company = Company()
    company.names = None  # type: ignore[assignment]  # as for a daemon without them
    ears = ScriptedEars(QUIET, digits("1042"), CODE)
    ended = await converse(company, ears=ears)
    assert ended.call.customer == SMITH
    assert KNOWN[0][0] == "ask_account_number"
    assert JAMES.name not in str(ended.call.trail)
