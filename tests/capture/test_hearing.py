"""The secure process's ears: opened for the fields, and the guard looks at every one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from ivr.billing.captures import CaptureField
from ivr.capture import cards
from ivr.capture.hearing import GuardedEars, Overheard
from ivr.capture.secret import SecretDigits
from ivr.capture.spoken_digits import spoken_field
from ivr.dialogue.endings import LineError
from ivr.dialogue.hearing import Heard, Unheard
from ivr.speech.ears import Ears, Tongue
from tests.capture.secure_part import CHANNEL, TODAY, FakeEyes, good_facts, pan
from tests.fakes.ears import BeepModel, TapedVoice, quiet, words
from tests.speech.shipped import GRAMMARS
from tests.speech.test_ears import LOOSE

pytestmark = pytest.mark.usefixtures("nothing_kept")
NUMBER = spoken_field(CaptureField.CARD_NUMBER, cards.UNKNOWN, TODAY, 3.0)
CARD = "four" + " one" * 15


class Voice(TapedVoice):
    """What the caller says, with its parts in the PBX."""

    parts = ("ear-s", "ear-m", "ear-b")


class Patient:
    """One caller in the secure part, who says the test card."""

    def __init__(self, said: str = CARD, sound: bytes | None = None, pauses: float = 1.0) -> None:
        self.model = BeepModel(said)
        self.ears = Ears({"en": Tongue(self.model, GRAMMARS["en"], LOOSE, pauses)}, threads=1)
        self.eyes = FakeEyes()
        self.voices: list[Voice] = []
        self.refuses: Exception | None = None
        self.guarded = GuardedEars(self.ears, self._open, self.eyes, CHANNEL, lambda: TODAY)
        self.sound = sound or quiet(0.6) + words(len(said.split())) + quiet(6)

    async def _open(self, rate: int) -> Voice:
        if self.refuses:
            raise self.refuses
        self.voices.append(Voice(self.sound, rate))
        return self.voices[-1]

    async def hear(self, into: SecretDigits) -> Heard | Unheard:
        async with asyncio.timeout(10):
            assert await self.guarded.may_speak("en")
            listening = await self.guarded.listen("en", NUMBER, into)
            listening.prompt_over()
            try:
                return await listening.result()
            finally:
                await listening.stop()

    @property
    def is_open(self) -> bool:
        return any(not voice.closed for voice in self.voices)

    async def over(self) -> None:
        await self.guarded.rest()
        assert not self.is_open
        assert self.ears.listened_to == 0
        self.ears.close()


async def test_a_number_that_is_said_arrives_as_digits_alone() -> None:
    caller = Patient()
    with SecretDigits() as into, capture_logs() as logs:
        assert await caller.hear(into) == Heard("digits", "", "")
        assert into.reveal() == pan()
    await caller.over()
    assert {key for line in logs for key in line} <= {"event", "log_level", "heard", "delay_ms"}
    assert "one" not in str(logs)


@pytest.mark.parametrize(("pauses", "heard"), [(1.0, Unheard.UNCLEAR), (2.0, "digits")])
async def test_a_slow_caller_is_given_longer_pauses_between_the_groups(
    pauses: float, heard: object
) -> None:
    sound = quiet(0.6) + words(8) + quiet(2.5) + words(8) + quiet(6)
    caller = Patient(sound=sound, pauses=pauses)
    with SecretDigits() as into:
        told = await caller.hear(into)
        assert (told.grammar if isinstance(told, Heard) else told) == heard
        assert len(into) == (16 if heard == "digits" else 0)
    await caller.over()


async def test_one_voice_serves_all_fields_and_goes_with_the_last() -> None:
    caller = Patient()
    with SecretDigits() as into:
        await caller.hear(into)
        assert caller.is_open
        assert await caller.guarded.may_speak("en")
    assert len(caller.voices) == 1
    await caller.over()


async def test_after_a_rest_it_is_opened_again_for_the_next_card() -> None:
    caller = Patient()
    for _ in range(2):
        with SecretDigits() as into:
            assert await caller.hear(into) == Heard("digits", "", "")
        await caller.guarded.rest()
    assert len(caller.voices) == 2
    await caller.over()


async def test_an_ear_that_nobody_listened_with_is_taken_down_too() -> None:
    caller = Patient()
    assert await caller.guarded.may_speak("en")
    await caller.over()


async def test_a_language_without_a_model_is_keyed() -> None:
    caller = Patient()
    assert not await caller.guarded.may_speak("es")
    assert caller.voices == []
    await caller.over()


@pytest.mark.parametrize(
    "facts",
    [
        good_facts(running={"9.9": "ChanSpy"}),
        good_facts(bridges={"ear-b": frozenset({"ear-s", "9.9"})}),
        None,
    ],
    ids=["spy", "bridge", "nothing known"],
)
async def test_a_doubt_of_the_voice_alone_leaves_the_keys_for_the_whole_segment(facts: Any) -> None:
    caller = Patient()
    caller.eyes.facts = facts
    with capture_logs() as logs:
        assert not await caller.guarded.may_speak("en")
    assert not caller.is_open
    caller.eyes.facts = good_facts()
    assert not await caller.guarded.may_speak("en")
    assert [line["event"] for line in logs] == ["no_card_by_voice"]
    await caller.over()


async def test_a_doubt_of_the_keys_as_well_ends_the_segment() -> None:
    caller = Patient()
    caller.eyes.later = good_facts(recorded_to="/monitor/x.wav")
    assert await caller.guarded.may_speak("en")
    with pytest.raises(Overheard, match="MixMonitor"):
        await caller.guarded.may_speak("en")
    assert not caller.is_open
    await caller.over()


async def test_a_voice_that_cannot_be_opened_leaves_the_keys() -> None:
    caller = Patient()
    caller.refuses = LineError("no websocket")
    assert not await caller.guarded.may_speak("en")
    await caller.over()


async def test_a_voice_that_breaks_off_is_not_opened_again_in_this_segment() -> None:
    caller = Patient(sound=quiet(0.5))
    with SecretDigits() as into:
        assert await caller.hear(into) is Unheard.DEAF
        assert not await caller.guarded.may_speak("en")
        assert into.reveal() == ""
    assert len(caller.voices) == 1
    await caller.over()


async def test_too_many_callers_at_once_leave_the_keys_until_one_is_done() -> None:
    caller = Patient()
    assert await caller.guarded.may_speak("en")
    free, caller.ears.callers = caller.ears.callers, 0
    assert not await caller.guarded.may_speak("en")
    assert not caller.is_open
    caller.ears.callers = free
    assert await caller.guarded.may_speak("en")
    await caller.over()


async def test_ears_that_become_busy_after_the_look_are_off_for_the_segment() -> None:
    caller = Patient()
    assert await caller.guarded.may_speak("en")
    caller.ears.callers = 0
    with SecretDigits() as into:
        listening = await caller.guarded.listen("en", NUMBER, into)
        assert await listening.result() is Unheard.DEAF
    assert not caller.is_open
    await caller.guarded.rest()
    caller.ears.callers = 9
    assert not await caller.guarded.may_speak("en")
    await caller.over()


async def test_a_caller_who_keys_meanwhile_leaves_no_word_behind() -> None:
    caller = Patient()
    with SecretDigits() as into:
        assert await caller.guarded.may_speak("en")
        listening = await caller.guarded.listen("en", NUMBER, into)
        async with asyncio.timeout(5):
            await listening.speaking()
        await listening.stop()
        assert await listening.result() is Unheard.DEAF
        assert into.reveal() == ""
        assert "four" not in texts_of(listening)
    await caller.over()


def texts_of(listening: object) -> str:
    """Every text that hangs on a listening, one and two steps away."""
    held = vars(listening)
    return repr(held) + repr([vars(each) for each in held.values() if hasattr(each, "__dict__")])


async def test_the_words_of_an_answer_would_be_found_in_a_listening_that_kept_them() -> None:
    caller = Patient()
    with SecretDigits() as into:
        assert await caller.guarded.may_speak("en")
        listening = await caller.guarded.listen("en", NUMBER, into)
        async with asyncio.timeout(5):
            await listening.speaking()
        assert "four" in texts_of(listening)
        await listening.stop()
    await caller.over()
