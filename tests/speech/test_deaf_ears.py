"""What goes wrong with hearing: it costs a caller the voice, and never the call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
import structlog

from ivr.dialogue.endings import LineError
from ivr.dialogue.hearing import Expecting, Heard, Unheard
from ivr.speech.ears import LAG_SECONDS
from ivr.speech.errors import EarsBusyError
from ivr.speech.listening import CallersEars
from tests.fakes.ears import BeepModel, BeepRecogniser, TapedVoice, quiet, words
from tests.speech.test_ears import YES_NO, ears_with, hear, listening_to


async def test_a_voice_that_is_lost_leaves_the_caller_with_keys() -> None:
    assert await hear(quiet(1), BeepModel("yes")) is Unheard.DEAF


async def test_a_voice_that_cannot_be_opened_leaves_the_caller_with_keys() -> None:
    async def refuse(_: int) -> TapedVoice:
        raise LineError("no websocket")

    ears = ears_with(BeepModel("yes"))
    mine = CallersEars(ears, refuse)
    with structlog.testing.capture_logs() as logs:
        listening = await mine.listen("en", YES_NO)
    assert await listening.result() is Unheard.DEAF
    assert logs[0]["why"] == "no websocket"
    await mine.rest()
    ears.close()


async def test_a_language_without_a_model_leaves_the_caller_with_keys() -> None:
    async with listening_to(quiet(3), BeepModel("yes")) as mine:
        listening = await mine.listen("ca", YES_NO)
        assert await listening.result() is Unheard.DEAF


async def test_more_callers_than_can_be_listened_to_are_asked_for_keys() -> None:
    ears = ears_with(BeepModel("yes"), callers=1)
    first = CallersEars(ears, TapedVoice(quiet(300)).open)
    second = CallersEars(ears, TapedVoice(quiet(1) + words(1) + quiet(5)).open)
    await first.listen("en", YES_NO)
    with structlog.testing.capture_logs() as logs:
        assert await (await second.listen("en", YES_NO)).result() is Unheard.DEAF
    assert "1 callers are listened to" in logs[0]["why"]
    await first.rest()
    assert await (await second.listen("en", YES_NO)).result() == Heard("yes_no", "yes", "yes")
    await second.rest()
    ears.close()


async def test_threads_that_lag_take_nobody_new() -> None:
    ears = ears_with(BeepModel("yes"))
    ears.lag_seconds = 1.0
    with pytest.raises(EarsBusyError, match="sound waits"):
        await ears.decoding("en", YES_NO)
    ears.close()


async def test_sound_that_is_lost_on_the_way_makes_deaf_and_not_wrong() -> None:
    voice = TapedVoice(quiet(1) + words(4) + quiet(5))
    ears = ears_with(BeepModel("one oh four two"))
    mine = CallersEars(ears, voice.open)
    listening = await mine.listen("en", Expecting("digits", longest=4))
    voice.dropped_seconds = 2.0
    assert await listening.result() is Unheard.DEAF
    await mine.rest()
    ears.close()


async def test_a_recogniser_that_fails_costs_the_voice_and_not_the_call() -> None:
    class Broken(BeepModel):
        def recogniser(self, sentences: Sequence[str] | None, guesses: int) -> object:  # type: ignore[override]  # it is broken on purpose
            return object()

    assert await hear(quiet(1) + words(2) + quiet(3), Broken("yes")) is Unheard.DEAF


async def test_resting_takes_the_voice_off_the_channel_and_hearing_again_puts_it_back() -> None:
    voice = TapedVoice(quiet(300))
    ears = ears_with(BeepModel("yes"))
    mine = CallersEars(ears, voice.open)
    listening = await mine.listen("en", YES_NO)
    await mine.listen("en", YES_NO)
    assert voice.opened == 1
    assert await listening.result() is Unheard.DEAF
    await mine.rest()
    assert voice.closed
    assert ears.listened_to == 0
    await mine.listen("en", YES_NO)
    assert voice.opened == 2
    await mine.rest()
    await mine.rest()
    ears.close()


async def test_a_decoding_that_takes_long_holds_up_neither_the_calls_nor_the_reading() -> None:
    """One thread, busy for a while: the event loop runs on, and whoever comes then gets keys."""
    ears = ears_with(BeepModel("yes"))
    release = threading.Event()
    stuck = asyncio.create_task(ears.work(lambda: release.wait(10)))
    clock = asyncio.get_running_loop().time
    began = clock()
    first = asyncio.create_task(CallersEars(ears, TapedVoice(quiet(9)).open).listen("en", YES_NO))
    for _ in range(20):
        await asyncio.sleep(0.03)
    late = clock() - began
    assert late < 5.0
    assert not first.done()
    release.set()
    await stuck
    listening = await first
    assert ears.lag_seconds > LAG_SECONDS
    with pytest.raises(EarsBusyError, match="callers are asked for keys"):
        await ears.decoding("en", YES_NO)
    await listening.stop()
    ears.close()


async def test_ears_that_are_busy_understand_nobody_new_until_one_is_done() -> None:
    ears = ears_with(BeepModel("yes"), callers=1)
    first = CallersEars(ears, TapedVoice(quiet(300)).open)
    second = CallersEars(ears, TapedVoice(quiet(9)).open)
    assert second.understands("en")
    listening = await first.listen("en", YES_NO)
    assert not second.understands("en")
    await listening.stop()
    assert second.understands("en")
    assert not second.understands("ca")
    ears.lag_seconds = LAG_SECONDS + 0.1
    assert not second.understands("en")
    await first.rest()
    ears.close()


async def test_busy_ears_leave_no_voice_open_and_open_it_again_when_they_are_free() -> None:
    ears = ears_with(BeepModel("yes"), callers=1)
    voice = TapedVoice(quiet(300))
    other, mine = CallersEars(ears, TapedVoice(quiet(300)).open), CallersEars(ears, voice.open)
    await (await mine.listen("en", YES_NO)).stop()
    await other.listen("en", YES_NO)
    assert voice.opened == 1
    assert await (await mine.listen("en", YES_NO)).result() is Unheard.DEAF
    assert voice.closed
    assert ears.listened_to == 1
    await other.rest()
    assert await (await mine.listen("en", YES_NO)).result() is Unheard.DEAF  # the tape is over
    assert voice.opened == 2
    await mine.rest()
    ears.close()


class WithoutRecognisers(BeepModel):
    """As vosk, when the library says no."""

    def recogniser(self, sentences: Sequence[str] | None, guesses: int) -> BeepRecogniser:
        raise Exception("Failed to create a recognizer")  # noqa: TRY002 - just this is what vosk raises


async def test_a_recogniser_that_cannot_be_made_is_deaf_and_told_by_its_kind_alone() -> None:
    voice = TapedVoice(quiet(1) + words(1) + quiet(9))
    ears = ears_with(WithoutRecognisers("yes"))
    mine = CallersEars(ears, voice.open)
    with structlog.testing.capture_logs() as logs:
        listening = await mine.listen("en", YES_NO)
    assert await listening.result() is Unheard.DEAF
    assert [(line["event"], line["why"]) for line in logs] == [("not_listening", "Exception")]
    assert voice.closed
    assert ears.listened_to == 0
    ears.close()
