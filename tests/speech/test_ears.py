"""Answers made out of sound by a model that understands beeps; models and grammars that fail."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from ivr.billing.names import INTRODUCTIONS
from ivr.dialogue.hearing import NAME, Expecting, Heard, Unheard
from ivr.speech.ears import Ears, Tongue, check, unknown_words
from ivr.speech.errors import GrammarError, ModelError
from ivr.speech.grammar import UNKNOWN
from ivr.speech.judging import Strictness
from ivr.speech.listening import CallersEars
from ivr.speech.recogniser import Guess, VoskModel
from tests.fakes.ears import BeepModel, TapedVoice, beep, noise, quiet, words
from tests.speech.shipped import GRAMMARS

TODAY = dt.date(2026, 11, 25)
YES_NO = Expecting("yes_no", patience_seconds=3)
LOOSE = Strictness(
    longest_second_a_word=10,
    voiced_seconds=0,
    wandering=-1,
    better_a_second=-100,
    answer_better_a_second=-100,
    command_better_a_second=-100,
)
"""beeps are no voice"""


def ears_with(model: BeepModel, *, callers: int = 0) -> Ears:
    return Ears({"en": Tongue(model, GRAMMARS["en"], LOOSE)}, threads=1, callers=callers)


@asynccontextmanager
async def listening_to(sound: bytes, model: BeepModel) -> AsyncIterator[CallersEars]:
    ears = ears_with(model)
    mine = CallersEars(ears, TapedVoice(sound).open, lambda: TODAY)
    try:
        yield mine
    finally:
        await mine.rest()
        assert ears.listened_to == 0
        ears.close()


async def hear(
    sound: bytes, model: BeepModel, expecting: Expecting = YES_NO, *, asked: bool = True
) -> Heard | Unheard:
    async with listening_to(sound, model) as mine:
        listening = await mine.listen("en", expecting)
        if asked:
            listening.prompt_over()
        async with asyncio.timeout(10):
            return await listening.result()


async def test_an_answer_is_made_out_with_its_meaning() -> None:
    heard = await hear(quiet(1) + words(2) + quiet(5), BeepModel("yes please"))
    assert heard == Heard("yes_no", "yes", "yes please")


async def test_a_command_is_understood_at_any_question() -> None:
    heard = await hear(quiet(1) + words(2) + quiet(5), BeepModel("agent please"))
    assert heard == Heard("command", "agent", "agent please")


async def test_digits_end_at_their_full_length() -> None:
    expecting = Expecting("digits", longest=4)
    async with listening_to(quiet(1) + words(4) + quiet(5), BeepModel("one oh four two")) as mine:
        listening = await mine.listen("en", expecting)
        listening.prompt_over()
        assert await listening.result() == Heard("digits", "1042", "one oh four two")
        assert 0.22 < getattr(listening, "delay_seconds") < 0.5  # noqa: B009 - not of the port


async def test_a_word_is_told_while_the_prompt_plays_so_that_it_can_be_hushed() -> None:
    sound = quiet(2) + words(1) + quiet(5)
    async with listening_to(sound, BeepModel("yes")) as mine:
        listening = await mine.listen("en", YES_NO)
        async with asyncio.timeout(5):
            await listening.speaking()
        assert await listening.result() == Heard("yes_no", "yes", "yes")


async def test_silence_is_told_after_the_prompt_and_the_patience() -> None:
    assert await hear(quiet(9), BeepModel("yes")) is Unheard.SILENCE


async def test_while_the_prompt_plays_there_is_no_silence() -> None:
    assert await hear(quiet(9), BeepModel("yes"), asked=False) is Unheard.DEAF  # the tape is over


@pytest.mark.parametrize("sound", [beep(0.04), beep(0.14), noise(0.3, 4000)])
async def test_clicks_and_coughs_are_silence(sound: bytes) -> None:
    model = BeepModel("")
    assert await hear(quiet(1) + sound + quiet(6), model) is Unheard.SILENCE


async def test_what_is_no_answer_is_unclear() -> None:
    model = BeepModel("one two three", guesses=[Guess("banana", 0.0)])
    assert await hear(quiet(1) + words(3) + quiet(3), model) is Unheard.UNCLEAR


@pytest.mark.parametrize("said", [f"yes {UNKNOWN}", UNKNOWN, ""])
async def test_words_beside_the_answer_make_it_unclear(said: str) -> None:
    model = BeepModel("yes", guesses=[Guess(said, 0.0)])
    assert await hear(quiet(1) + words(2) + quiet(3), model) is Unheard.UNCLEAR


async def test_whoever_talks_all_the_time_is_told_as_such() -> None:
    said = " ".join(["yes"] * 60)
    assert await hear(quiet(1) + words(60), BeepModel(said)) is Unheard.TOO_MUCH


async def test_a_name_comes_with_what_else_it_may_have_been() -> None:
    guesses = [Guess("james smith", 3.0), Guess("james smyth", 2.0), Guess("jane smith", 1.0)]
    model = BeepModel("james smith", guesses=guesses)
    heard = await hear(quiet(1) + words(2) + quiet(3), model, Expecting(NAME))
    others = ("james smyth", "jane smith")
    assert heard == Heard(NAME, "james smith", "james smith", others, (1.0, 2.0))
    assert model.told[1:] == [None, [UNKNOWN]]


async def test_names_at_hand_are_listened_for_by_themselves() -> None:
    guesses = [Guess("james smith", 3.0)]
    model = BeepModel("james smith", guesses=guesses, unknown=["xylophone"])
    names = ("james smith", "james xylophone")
    await hear(quiet(1) + words(2) + quiet(3), model, Expecting(NAME, at_hand=names))
    assert model.told[-1] == ["james smith", *INTRODUCTIONS, UNKNOWN]


OFFERED = Expecting("option", among=("James Smith", "Jane Smith", "Hans Ørsted"))


@pytest.mark.parametrize(
    ("said", "place"), [("jane smith", "2"), ("james", "1"), ("the second one", "2")]
)
async def test_one_of_the_names_that_were_read_out_is_said(said: str, place: str) -> None:
    count = len(said.split())
    heard = await hear(quiet(1) + words(count) + quiet(3), BeepModel(said), OFFERED)
    assert heard == Heard("option", place, said)


async def test_what_two_of_the_names_share_is_unclear() -> None:
    assert await hear(quiet(1) + words(1) + quiet(3), BeepModel("smith"), OFFERED) is (
        Unheard.UNCLEAR
    )


async def test_a_name_that_the_model_does_not_know_can_only_be_chosen_by_its_number() -> None:
    model = BeepModel("jane", unknown=["ørsted"])
    await hear(quiet(1) + words(1) + quiet(3), model, OFFERED)
    told = model.told[0]
    assert told is not None
    assert {"jane", "jane smith", "hans"} <= set(told)
    assert not any("ørsted" in sentence for sentence in told)


def test_words_that_the_model_does_not_know_are_told_with_their_file() -> None:
    model = BeepModel(unknown=["agent", "yes"])
    missing = unknown_words(GRAMMARS["en"], model)
    assert missing["en/yes_no.jsgf"] == ["yes"]
    assert missing["en/command.jsgf"] == ["agent"]
    with pytest.raises(GrammarError, match=r"en/.*\.jsgf: the speech model does not know"):
        check("en", Tongue(model, GRAMMARS["en"]), strictly=True)
    with structlog.testing.capture_logs() as logs:
        check("en", Tongue(model, GRAMMARS["en"]), strictly=False)
    assert {"grammar": "en/yes_no.jsgf", "words": ["yes"]}.items() <= logs[-1].items()


async def test_sentences_with_unknown_words_are_not_listened_for() -> None:
    model = BeepModel("no", unknown=["yes"])
    assert await hear(quiet(1) + words(1) + quiet(3), model) == Heard("yes_no", "no", "no")
    told = model.told[0]
    assert told is not None
    assert "no" in told
    assert not any("yes" in sentence.split() for sentence in told)


def test_a_grammar_of_which_nothing_can_be_heard_is_an_error() -> None:
    words_of_numbers = sorted(GRAMMARS["en"]["number"].words)
    with pytest.raises(GrammarError, match=r"number.*\.jsgf: the speech model knows no whole"):
        ears_with(BeepModel(unknown=words_of_numbers))


def test_a_model_without_the_unknown_word_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"has no \[unk\]"):
        check("en", Tongue(BeepModel(unknown=[UNKNOWN]), GRAMMARS["en"]), strictly=False)


def model_folder(tmp_path: Path, **text: str) -> Path:
    for name in ("am/final.mdl", "graph/HCLr.fst", "graph/Gr.fst", "conf/mfcc.conf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.get(Path(name).stem, ""))
    return tmp_path


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda folder: (folder / "am").rename(folder / "ma"), r"has no am/final\.mdl"),
        (without("graph/Gr.fst"), r"has no graph/Gr\.fst: it is incomplete, or of a kind"),
        (without("conf/mfcc.conf"), r"has no conf/mfcc\.conf"),
        (
            lambda folder: (folder / "conf/mfcc.conf").write_text("--sample-frequency=11025\n"),
            "made for 11025 samples a second; Asterisk gives 8000 or 16000",
        ),
        (lambda _: None, "is broken"),
    ],
)
def test_a_model_folder_that_is_not_usable_is_told_with_its_setting(
    tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    folder = model_folder(tmp_path, mfcc="--sample-frequency=8000\n")
    spoil(folder)
    with pytest.raises(ModelError, match=why) as caught:
        VoskModel(folder, "SALDO_SPEECH__MODELS__EN")
    assert str(folder) in str(caught.value)
    assert "SALDO_SPEECH__MODELS__EN" in str(caught.value)


def test_a_model_folder_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="saldo speech install"):
        VoskModel(tmp_path / "nowhere", "speech.models.en")


def spelt(letters: int, pause: float) -> bytes:
    return b"".join(words(1) + quiet(pause) for _ in range(letters))


async def test_who_thinks_between_letters_is_heard_out() -> None:
    sound = quiet(1) + spelt(5, pause=1.1) + quiet(5)
    heard = await hear(sound, BeepModel("j a m e s"), Expecting("spelling"))
    assert heard == Heard("spelling", "james", "j a m e s")


async def test_an_account_number_is_not_cut_off_before_it_can_be_whole() -> None:
    expecting = Expecting("digits", longest=10, shortest=4)
    sound = quiet(1) + words(2) + quiet(1.7) + words(2) + quiet(5)
    heard = await hear(sound, BeepModel("one oh four two"), expecting)
    assert heard == Heard("digits", "1042", "one oh four two")


async def test_a_slow_caller_is_given_longer_pauses() -> None:
    sound = quiet(1) + words(4) + quiet(1.4) + words(1) + quiet(9)
    expecting = Expecting("digits", longest=10, shortest=4)
    for pauses, number in ((1.0, "1042"), (2.0, "10427")):
        tongue = Tongue(BeepModel("one oh four two seven"), GRAMMARS["en"], LOOSE, pauses)
        ears = Ears({"en": tongue}, threads=1)
        mine = CallersEars(ears, TapedVoice(sound).open)
        heard = await (await mine.listen("en", expecting)).result()
        assert isinstance(heard, Heard)
        assert heard.meaning == number
        await mine.rest()
        ears.close()


async def test_a_full_name_is_over_soon_and_one_word_of_it_is_not() -> None:
    async with listening_to(quiet(1) + words(2) + quiet(5), BeepModel("james smith")) as mine:
        listening = await mine.listen("en", Expecting(NAME))
        await listening.result()
        assert 0.3 < getattr(listening, "delay_seconds") < 0.6  # noqa: B009 - not of the port
    sound = quiet(1) + words(1) + quiet(0.5) + words(1) + quiet(5)
    heard = await hear(sound, BeepModel("james smith"), Expecting(NAME))
    assert heard == Heard(NAME, "james smith", "james smith")


async def test_a_sound_without_words_that_does_not_end_leads_to_the_keys() -> None:
    async with listening_to(quiet(1) + words(40), BeepModel("")) as mine:
        listening = await mine.listen("en", Expecting(NAME, patience_seconds=10))
        listening.prompt_over()
        assert await listening.result() is Unheard.TOO_MUCH
