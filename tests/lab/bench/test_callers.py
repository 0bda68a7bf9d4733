"""Simulated callers: what they say to a prompt, and how their voice reaches the ears."""

import ast

import numpy as np
import pytest

from ivr.billing.customers import CustomerKind
from ivr.dialogue.phrases import phrase, variant
from ivr.lab.bench.callers import (
    NONE,
    NUMBERED,
    YES,
    Answer,
    Caller,
    Kind,
    PhraseNames,
    Said,
    said,
    spelled,
)
from ivr.lab.bench.customers import Invented
from ivr.lab.bench.name_population import Somebody
from ivr.lab.bench.simulated_line import SimulatedLine
from ivr.lab.bench.voices import RATES, VARIANTS, Speaker, Studio, Tape, at_rate, speakers
from ivr.lab.errors import LabError
from ivr.lab.speaking import Speech
from ivr.settings import PROJECT

ME = Invented(7, "10000006", "28013", Somebody("Jon Baker", CustomerKind.PERSON, "en"))
SPEAKER = Speaker("en-us+f5", 162)


async def words_of(name: str, own: str) -> int:
    words = name.replace("John", "Jon").split()
    return len(words) if set(words) <= set(own.split()) else 0


def caller(kind: Kind = Kind.HONEST, language: str = "en") -> Caller:
    return Caller(ME, kind, language, SPEAKER, 0, words_of)


async def prompt(*phrases: tuple[str, dict[str, object]]) -> list[Said]:
    voice = PhraseNames()
    return [
        said(sound)
        for name, values in phrases
        for sound in await voice.sounds(name, "en", **values)
    ]


def asked(name: str) -> tuple[str, dict[str, object]]:
    return name, {}


def options(*names: str) -> list[tuple[str, dict[str, object]]]:
    numbered = enumerate(names, start=1)
    return [("name_option", {"name": name, "number": at}) for at, name in numbered]


async def test_a_caller_says_name_code_and_account_when_they_are_asked_by_voice() -> None:
    for name, words in {
        "ask_account_number": "jon baker",
        "ask_postal_code": "two eight zero one three",
        "ask_account_again": "one zero zero zero zero zero zero six",
    }.items():
        by_voice = variant(phrase(name).id, by_voice=True)  # type: ignore[arg-type]  # one of them
        assert await caller().answer(await prompt(asked(by_voice))) == Answer(words)


async def test_a_caller_presses_keys_when_only_these_are_asked_for() -> None:
    heard = await prompt(asked("use_the_keys"), asked("ask_account_again"))
    assert await caller().answer(heard) == Answer(keys="10000006#")


async def test_a_caller_answers_the_last_question_of_a_prompt_and_no_statement() -> None:
    heard = await prompt(asked("account_not_confirmed"), asked("spell_name"))
    assert await caller().answer(heard) == Answer("j, o, n, b, a, k, e, r")
    assert await caller().answer(await prompt(asked("hold_on"))) is None


async def test_a_question_that_no_caller_of_the_bench_knows_is_not_met_with_silence() -> None:
    with pytest.raises(LabError, match="no answer to ask_expiry: add it"):
        await caller().answer(await prompt(asked("ask_expiry"), asked("hold_on")))


async def test_an_honest_caller_confirms_only_a_name_that_sounds_like_their_own() -> None:
    agreed = await caller().answer(await prompt(("confirm_name", {"name": "John Baker"})))
    refused = await caller().answer(await prompt(("confirm_name", {"name": "Jane Baker"})))
    assert agreed is not None
    assert refused is not None
    assert agreed.words in YES["en"]
    assert refused.words not in YES["en"]


async def test_a_careless_caller_confirms_any_name() -> None:
    heard = await prompt(("confirm_name", {"name": "Jane Baker"}))
    answer = await caller(Kind.CARELESS).answer(heard)
    assert answer is not None
    assert answer.words in YES["en"]


async def test_a_caller_chooses_their_own_name_by_its_number_or_none() -> None:
    number_two = Answer(NUMBERED["en"].format("two"))
    mine = await prompt(*options("Jane Baker", "John Baker"), asked("none_of_these"))
    others = await prompt(*options("Jane Baker", "Tom Baker"), asked("none_of_these"))
    assert await caller().answer(mine) == number_two
    answer = await caller().answer(others)
    assert answer is not None
    assert answer.words in NONE["en"]
    assert await caller(Kind.STRANGER).answer(others) == Answer(NUMBERED["en"].format("one"))


async def test_a_caller_agrees_to_a_part_of_their_name_but_chooses_the_whole_of_it() -> None:
    part = await caller().answer(await prompt(("confirm_name", {"name": "Baker"})))
    assert part is not None
    assert part.words in YES["en"]
    both = await prompt(*options("Baker", "John Baker"), asked("none_of_these"))
    assert await caller().answer(both) == Answer(NUMBERED["en"].format("two"))


def test_a_spanish_name_is_spelled_by_the_names_of_its_letters() -> None:
    assert spelled("Muñoz Díaz", "es") == "eme, u, eñe, o, zeta, de, i, a, zeta"


def in_training(name: str) -> tuple[object, ...]:
    """A constant of the corpus, which cannot be imported without the model builder's packages."""
    for node in ast.parse((PROJECT / "grammars/build/corpus.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return tuple(ast.literal_eval(node.value))
    raise AssertionError(f"the corpus has no {name} any more")


def test_no_voice_or_rate_of_the_bench_was_heard_in_training() -> None:
    assert set(VARIANTS) <= set(in_training("HELD_OUT_VARIANTS"))
    assert not set(VARIANTS) & set(in_training("TRAINING_VARIANTS"))
    assert set(RATES) == set(in_training("HELD_OUT_RATES"))
    assert len(speakers("en")) == 3 * len(VARIANTS) * len(RATES)


def test_a_tape_gives_what_is_said_and_then_the_noise_of_the_line() -> None:
    tape = Tape(8000, batch_seconds=0.1)
    background = np.full(300, 5, np.int16)
    tape.record(Speech(np.arange(1000, 1900, dtype=np.int16), background))
    first, second = (np.frombuffer(tape.take(), "<i2") for _ in range(2))
    assert list(first) == list(range(1000, 1800))
    assert list(second[:100]) == list(range(1800, 1900))
    assert len(second) == 800
    assert len(set(second[100:])) == 1
    assert abs(int(second[-1]) - 5) <= 4  # G.711's step


def test_a_model_of_twice_the_rate_gets_twice_the_samples() -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.int16)
    wide = at_rate(tone, 16000)
    assert len(wide) == 16000
    assert abs(int(np.abs(wide[4000:12000]).max()) - 8000) < 200
    assert at_rate(tone, 8000) is tone


async def test_what_was_said_before_anybody_listened_is_still_heard() -> None:
    line = SimulatedLine(caller(), studio := Studio())
    speech = Speech(np.full(800, 1000, np.int16), np.zeros(0, np.int16))

    async def spoken(speaker: Speaker, words: str) -> Speech:
        assert (speaker, words) == (SPEAKER, "jon baker")
        return speech

    studio.speech = spoken  # type: ignore[method-assign]  # no synthesiser in a unit test
    await line.play(await PhraseNames().sounds("ask_account_number_voice", "en"))
    tape = await line.voice(8000)
    tape.forget()
    assert np.frombuffer(await tape.batch(), "<i2")[0] == 1000
