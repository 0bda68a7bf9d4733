"""Customers who say who they are: found, misheard, chosen, spelled, told apart, not betrayed."""

from __future__ import annotations

import asyncio

import pytest

from ivr.billing.calls import CallOutcome
from ivr.billing.customers import Customer, CustomerKind
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.matches import Choose, Named, Sure
from tests.dialogue.company import SMITH, Company
from tests.dialogue.conversation import Conversation, converse
from tests.dialogue.saying import (
    CODE,
    JAIME,
    JAMES,
    JANE,
    NO,
    NOISE,
    QUIET,
    YES,
    Answer,
    digits,
    name,
    says,
)  # fmt: skip
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script

RUIZ = Customer(4, "1044", CustomerKind.COMPANY, "Talleres Hermanos Ruiz", "es", "46001")
OTHER_SMITH = Customer(5, "2042", CustomerKind.PERSON, "James Smith", "en", "08001")


def a_company() -> Company:
    company = Company()
    company.known_names.spoken = {
        "james smith": Sure(JAMES),
        "james myth": Choose((JANE, JAMES, JAIME)),
        "jim smith": Choose((JAMES,)),
    }
    company.known_names.spelled = {"5263776484": Sure(Named("James Smith", (1,), 0.0))}
    return company


async def talk(company: Company, *answers: Answer, script: Script = ()) -> Conversation:
    ears = ScriptedEars(*answers)
    ended = await converse(company, script, ears=ears)
    assert ears.left == 0, f"{ears.left} answers not listened to: {ended.phrases}"
    return ended


async def test_a_name_is_found_at_first_try() -> None:
    company = a_company()
    ended = await talk(company, QUIET, name("james smith", "james myth"), YES, CODE)
    assert ended.call.customer == SMITH
    assert ended.outcome is CallOutcome.NOTHING_OWED
    assert ended.phrases == [
        "welcome",
        "ask_account_number_voice",
        "confirm_name",
        "ask_postal_code_voice",
        "nothing_owed",
        "goodbye",
    ]
    assert ended.line.said("confirm_name").values == "name=James Smith"
    assert [(one.text, one.cost) for one in company.known_names.heard[0]] == [
        ("james smith", 0.0),
        ("james myth", 0.15),
    ]


async def test_the_names_at_hand_are_listened_for() -> None:
    company = a_company()
    company.known_names.listened_for = ("james smith", "jane smith")
    ears = ScriptedEars(QUIET, name("james smith"), YES, CODE)
    await converse(company, (), ears=ears)
    names = ("james smith", "jane smith")
    assert [one.at_hand for _, one in ears.asked][:3] == [names, names, ()]


async def test_the_welcome_does_not_wait_for_a_database_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    company = a_company()
    at_hand = company.known_names.at_hand
    times = iter((3600.0, 0.0))

    async def hangs() -> tuple[str, ...]:
        await asyncio.sleep(next(times))
        return await at_hand()

    monkeypatch.setattr(company.known_names, "at_hand", hangs)
    ended = await converse(company, (), ears=ScriptedEars(QUIET, name("james smith"), YES, CODE))
    assert ended.call.customer == SMITH
    assert ended.line.heard[0].at < 1.0


async def test_the_welcome_is_interrupted_by_a_name() -> None:
    ended = await talk(a_company(), name("james smith", at=1.0), YES, CODE)
    assert ended.call.customer == SMITH
    assert ended.line.heard[0].until == pytest.approx(ended.line.heard[0].at + 1.0)
    assert ended.phrases[:2] == ["welcome", "confirm_name"]


async def test_a_hello_to_the_welcome_is_nobodys_name() -> None:
    ended = await talk(a_company(), name("hello", at=1.0), name("james smith"), YES, CODE)
    assert ended.call.customer == SMITH
    assert "spell_name" not in ended.phrases


async def test_a_misheard_name_is_chosen_from_three() -> None:
    chosen = says("option", "2", at=16.0)
    ended = await talk(a_company(), QUIET, name("james myth"), chosen, CODE)
    assert ended.call.customer == SMITH
    assert ended.phrases[2:7] == ["choose_name", *["name_option"] * 3, "none_of_these"]
    offered = [each.said.values for each in ended.line.heard if "option" in each.said.phrase]
    assert offered[0] == "name=Jane Smith number=1"


async def test_the_other_one_of_two_is_the_second() -> None:
    company = a_company()
    company.known_names.spoken["james myth"] = Choose((JANE, JAMES))
    ended = await talk(company, QUIET, name("james myth"), says("option", "other"), CODE)
    assert ended.call.customer == SMITH
    assert ended.phrases.count("choose_name") == 1


async def test_the_other_one_of_three_is_asked_for_by_number() -> None:
    other, second = says("option", "other"), says("option", "2")
    ended = await talk(a_company(), QUIET, name("james myth"), other, second, CODE)
    assert ended.call.customer == SMITH
    again = ended.phrases.index("not_understood")
    assert ended.phrases[again : again + 2] == ["not_understood", "choose_name"]


async def test_the_last_one_of_three_is_taken_before_it_is_read() -> None:
    company = a_company()
    company.known_names.spoken["james myth"] = Choose((JANE, JAIME, JAMES))
    ended = await talk(company, QUIET, name("james myth"), says("option", "last"), CODE)
    assert ended.call.customer == SMITH


async def test_a_name_is_chosen_by_key() -> None:
    script: Script = [("choose_name", "2")]
    ended = await talk(a_company(), QUIET, name("james myth"), QUIET, CODE, script=script)
    assert ended.call.customer == SMITH


async def test_a_single_likely_name_is_asked_for_and_not_listed() -> None:
    ended = await talk(a_company(), QUIET, name("jim smith"), YES, CODE)
    assert ended.call.customer == SMITH
    assert "choose_name" not in ended.phrases


@pytest.mark.parametrize("no", [NO, says("yes_no", "no", at=1.0)])
async def test_a_no_leads_to_spelling_and_no_name_is_read_before_the_postal_code(
    no: Answer,
) -> None:
    script: Script = [("spell_name", "5263776484#")]
    said = name("james smith")
    ended = await talk(a_company(), QUIET, said, no, QUIET, CODE, YES, script=script)
    assert ended.call.customer == SMITH
    assert ended.phrases[3:6] == ["spell_name", "ask_postal_code_voice", "confirm_name"]


async def test_none_of_the_three_leads_to_spelling() -> None:
    script: Script = [("spell_name", "5263776484#")]
    answers = (QUIET, name("james myth"), says("option", "none"), QUIET, CODE, YES)
    ended = await talk(a_company(), *answers, script=script)
    assert ended.call.customer == SMITH


async def test_a_name_is_spelled_letter_by_letter() -> None:
    spelled = says("spelling", "james smith")
    ended = await talk(a_company(), QUIET, name("mumble jumble"), NO, spelled, CODE, YES)
    assert ended.call.customer == SMITH


async def test_a_company_is_found() -> None:
    company = a_company()
    company.rows.customers[RUIZ.id] = RUIZ
    company.known_names.spoken["tires hermanos ruiz"] = Choose((Named(RUIZ.name, (RUIZ.id,), 0.5),))
    said = name("tires hermanos ruiz")
    ended = await talk(company, QUIET, said, YES, digits("46001"))
    assert ended.call.customer == RUIZ
    assert "language_changed" in ended.phrases


async def test_a_spanish_surname_in_an_english_call_is_looked_up_as_english_ears_heard_it() -> None:
    company = a_company()
    garcia = Customer(6, "1043", CustomerKind.PERSON, "María García", "es", "28004")
    company.rows.customers[6] = garcia
    company.known_names.spoken["maria gar see a"] = Sure(Named("María García", (6,), 0.2))
    ended = await talk(company, QUIET, name("maria gar see a"), YES, digits("28004"))
    assert ended.call.customer == garcia
    assert company.known_names.languages == ["en"]


async def test_people_of_whom_the_same_was_said_are_told_apart_by_the_postal_code() -> None:
    company = a_company()
    lopez = Customer(8, "1048", CustomerKind.PERSON, "María García López", "en", "28004")
    ruiz = Customer(9, "1049", CustomerKind.PERSON, "María García Ruiz", "en", "08002")
    company.rows.customers |= {each.id: each for each in (lopez, ruiz)}
    company.known_names.spoken["maria garcia"] = Choose((Named("María García", (8, 9), 0.3),))
    ended = await talk(company, QUIET, name("maria garcia"), YES, digits("08002"), YES)
    assert ended.call.customer == ruiz
    confirmed = [each.said.values for each in ended.line.heard if "confirm" in each.said.phrase]
    assert confirmed == ["name=María García", "name=María García Ruiz"]


async def test_a_namesake_at_a_customers_postal_code_says_no_to_the_rest_of_the_name() -> None:
    company = a_company()
    lopez = Customer(8, "1048", CustomerKind.PERSON, "María García López", "en", "28004")
    company.rows.customers[lopez.id] = lopez
    company.known_names.spoken["maria garcia"] = Choose((Named("María García", (8,), 0.3),))
    script: Script = [("ask_account_number_voice", ""), ("ask_account_number_voice", "00#")]
    answers = (QUIET, name("maria garcia"), YES, digits("28004"), NO, QUIET)
    ended = await talk(company, *answers, script=script)
    assert ended.call.customer is None
    assert "account_not_confirmed" in ended.phrases


async def test_two_people_of_one_name_are_told_apart_by_the_postal_code() -> None:
    company = a_company()
    company.rows.customers[OTHER_SMITH.id] = OTHER_SMITH
    company.known_names.spoken["james smith"] = Sure(Named("James Smith", (1, 5), 0.0))
    ended = await talk(company, QUIET, name("james smith"), YES, digits("08001"))
    assert ended.call.customer == OTHER_SMITH


async def test_two_people_of_one_name_and_postal_code_are_asked_for_the_account_number() -> None:
    company = a_company()
    twin = Customer(7, "3042", CustomerKind.PERSON, "James Smith", "en", "28013")
    company.rows.customers[7] = twin
    company.known_names.spoken["james smith"] = Sure(Named("James Smith", (1, 7), 0.0))
    script: Script = [("ask_account_number_voice", ""), ("ask_account_number_voice", "3042#")]
    answers = (QUIET, name("james smith"), YES, CODE, QUIET, CODE)
    ended = await talk(company, *answers, script=script)
    assert ended.call.customer == twin


async def test_a_misheard_postal_code_gives_the_name_one_more_chance() -> None:
    said = name("james smith")
    ended = await talk(a_company(), QUIET, said, YES, digits("28030"), said, YES, CODE)
    assert ended.call.customer == SMITH
    assert ended.phrases.count("account_not_confirmed") == 1


async def test_three_wrong_postal_codes_lead_to_a_person() -> None:
    said, wrong = name("james smith"), digits("11111")
    number = digits("1042")
    ended = await talk(a_company(), QUIET, said, YES, wrong, said, YES, wrong, number, wrong)
    assert ended.outcome is CallOutcome.AGENT
    assert ended.call.customer is None
    assert ended.phrases[-3:] == ["account_not_confirmed", "too_many_tries", "transferring"]


async def heard_after_spelling(keys: str, code: Answer) -> list[tuple[float, str]]:
    script: Script = [("spell_name", keys), ("ask_account_number_voice", "00#")]
    answers = (QUIET, name("mumble jumble"), NO, QUIET, code, QUIET)
    ended = await converse(a_company(), script, ears=ScriptedEars(*answers), whole_script=False)
    began = ended.line.heard[0].at
    return [(round(each.at - began, 3), each.said.phrase) for each in ended.line.heard]


async def test_a_spelled_name_sounds_alike_whether_or_not_it_is_a_customers() -> None:
    known = await heard_after_spelling("5263776484#", digits("11111"))
    unknown = await heard_after_spelling("9999999999#", CODE)
    assert known == unknown
    assert "account_not_confirmed" in [phrase for _, phrase in known]
    assert [phrase for _, phrase in known].count("confirm_name") == 1


async def test_a_first_name_alone_is_not_answered_with_surnames() -> None:
    company = a_company()
    company.known_names.spoken["james"] = Choose((JAMES, Named("James Jones", (2,), 0.3)))
    line = FakeLine([("ask_name_again", ""), ("confirm_name", "00#")])
    ended = await converse(company, ears=ScriptedEars(QUIET, *[name("james")] * 2), line=line)
    assert not {"choose_name", "name_option"} & set(ended.phrases)
    assert ended.line.said("confirm_name").values == "name=James"


@pytest.mark.parametrize("word", ["james", "banana", "my name is smith"])
async def test_one_word_is_asked_about_once_more_whether_or_not_it_is_a_name(word: str) -> None:
    company = a_company()
    company.known_names.spoken["james"] = Sure(JAMES)
    ended = await talk(company, QUIET, name(word), name("james smith"), YES, CODE)
    assert ended.call.customer == SMITH
    assert ended.phrases[1:4] == ["ask_account_number_voice", "ask_name_again", "confirm_name"]
    assert len(company.known_names.heard) == 1


async def said_and_confirmed(words: str) -> tuple[list[tuple[float, str]], list[str]]:
    """What a caller hears who says a name and a wrong postal code, when; and what was looked up."""
    company = a_company()
    ears = ScriptedEars(QUIET, name(words), YES, digits("11111"), QUIET)
    script: Script = [("ask_account_number_voice", ""), ("ask_account_number_voice", "00#")]
    ended = await converse(company, script, ears=ears)
    began = ended.line.heard[0].at
    heard = [(round(each.at - began, 3), each.said.phrase) for each in ended.line.heard]
    names = company.known_names
    return heard, [*["by name"] * len(names.heard), *[code for _, code in names.looked_up]]


async def test_a_name_sounds_alike_whether_or_not_it_is_a_customers() -> None:
    known, asked_of_known = await said_and_confirmed("james smith")
    unknown, asked_of_unknown = await said_and_confirmed("john nobody")
    assert known == unknown
    assert asked_of_known == asked_of_unknown == ["by name", "11111"]
    assert "confirm_name" in [phrase for _, phrase in known]
    assert "account_not_confirmed" in [phrase for _, phrase in known]


async def test_a_name_that_nobody_bears_is_read_as_it_was_heard() -> None:
    ended = await talk(a_company(), QUIET, name("my name is john nobody"), NO, QUIET, QUIET)
    assert ended.line.said("confirm_name").values == "name=John Nobody"
    assert "spell_name" in ended.phrases


@pytest.mark.parametrize("words", ["james smith", "john nobody"])
async def test_a_name_called_into_the_welcome_and_then_denied_is_asked_for(words: str) -> None:
    answers = (name(words, at=1.0), NO, name("james smith"), YES, CODE)
    ended = await talk(a_company(), *answers)
    assert ended.call.customer == SMITH
    assert ended.phrases[1:4] == ["confirm_name", "ask_account_number_voice", "confirm_name"]


async def test_the_names_that_are_read_out_may_be_said_again() -> None:
    ears = ScriptedEars(QUIET, name("james myth"), says("option", "2", at=16.0), CODE)
    await converse(a_company(), ears=ears)
    offered = [expecting.among for _, expecting in ears.asked if expecting.grammar == "option"]
    assert offered == [("Jane Smith", "James Smith", "Jaime Smith")]


async def test_who_does_not_spell_is_asked_for_the_account_number() -> None:
    number = digits("1042")
    ended = await talk(a_company(), QUIET, name("mumble jumble"), NO, QUIET, QUIET, number, CODE)
    assert ended.call.customer == SMITH
    assert "ask_account_again_voice" in ended.phrases


async def test_a_name_that_nobody_can_pronounce_is_spelled() -> None:
    company = a_company()
    company.known_names.mute = True
    script: Script = [("spell_name", "5263776484#")]
    ended = await talk(company, QUIET, name("james smith"), QUIET, CODE, YES, script=script)
    assert ended.call.customer == SMITH
    assert ended.call.failures == []


async def test_an_account_number_is_keyed_instead_of_a_name() -> None:
    script: Script = [
        ("ask_account_number_voice", "1042#"),
        ("ask_postal_code_voice", "28013#"),
    ]
    ended = await talk(a_company(), QUIET, QUIET, QUIET, script=script)
    assert ended.call.customer == SMITH


async def test_a_cough_is_no_name() -> None:
    ended = await talk(a_company(), QUIET, NOISE, name("james smith"), YES, CODE)
    assert ended.call.customer == SMITH
    assert ended.phrases[2:4] == ["not_understood", "ask_name_again"]


async def test_a_slow_look_up_of_a_name_is_filled() -> None:
    company = a_company()
    company.look_up_seconds = 9.0
    ended = await talk(company, QUIET, name("james smith"), YES, CODE)
    assert ended.call.customer == SMITH
    assert ended.phrases[2:4] == ["hold_on", "still_working"]


async def test_a_database_that_is_away_leads_to_a_person() -> None:
    company = a_company()
    company.answers_left = 2
    ended = await talk(company, QUIET, name("james smith"))
    assert ended.outcome is CallOutcome.FAILED
    assert isinstance(ended.call.failures[0], LedgerUnavailable)
    assert ended.phrases[-2:] == ["technical_problem", "transferring"]


async def test_the_trail_tells_no_name() -> None:
    ended = await talk(a_company(), QUIET, name("james smith"), YES, CODE)
    steps = " ".join(ended.call.trail)
    assert "name Sure" in steps
    assert "mith" not in steps
