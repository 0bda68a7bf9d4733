"""What goes wrong with hearing: it costs a caller the voice, and never the call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
import structlog

from ivr.dialogue.endings import LineError
from ivr.dialogue.hearing import Expecting, Heard, Unheard
from ivr.speech.ears import LAG_SECONDS, Ears
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


@asynccontextmanager
async def threads_that_lag(ears: Ears) -> AsyncIterator[None]:
    """The only thread is busy, and what waits for it has waited too long."""
    release = threading.Event()
    stuck = [asyncio.create_task(ears.work(partial(release.wait, 10))) for _ in range(2)]
    await asyncio.sleep(LAG_SECONDS + 0.1)
    assert ears.lag_seconds > LAG_SECONDS
    yield
    release.set()
    await asyncio.gather(*stuck)


async def test_threads_that_lag_take_nobody_new() -> None:
    ears = ears_with(BeepModel("yes"))
    async with threads_that_lag(ears):
        with pytest.raises(EarsBusyError, match="sound waits"):
            await ears.decoding("en", YES_NO)
    await ears.decoding("en", YES_NO)
    ears.close()


async def test_threads_that_lag_go_on_listening_to_a_caller_who_coughed() -> None:
    ears = ears_with(BeepModel("yes"))
    mine = CallersEars(ears, TapedVoice(quiet(1) + words(1) + quiet(5)).open)
    await (await mine.listen("en", YES_NO)).stop()
    async with threads_that_lag(ears):
        again = asyncio.create_task(mine.listen("en", YES_NO))
        await asyncio.sleep(0.1)
    listening = await again
    listening.prompt_over()
    assert await listening.result() == Heard("yes_no", "yes", "yes")
    await mine.rest()
    ears.close()


async def test_one_answer_that_took_long_makes_no_lag_when_it_is_over() -> None:
    """Nothing is decoded while nobody speaks, so nothing later could tell that it is over."""
    ears = ears_with(BeepModel("yes"))
    other, mine = (CallersEars(ears, TapedVoice(quiet(300)).open) for _ in range(2))
    await other.listen("en", YES_NO)
    async with threads_that_lag(ears):
        assert not mine.understands("en")
    assert ears.lag_seconds == 0.0
    assert mine.understands("en")
    await other.rest()
    ears.close()


async def test_what_is_given_up_before_a_thread_was_free_waits_no_more() -> None:
    ears = ears_with(BeepModel("yes"))
    release = threading.Event()
    stuck = asyncio.create_task(ears.work(partial(release.wait, 10)))
    given_up = asyncio.create_task(ears.work(lambda: None))
    await asyncio.sleep(0.05)
    assert ears.lag_seconds > 0.0
    given_up.cancel()
    await asyncio.wait((given_up,))
    assert ears.lag_seconds == 0.0
    release.set()
    await stuck
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
    clock = asyncio.get_running_loop().time
    began = clock()
    first = CallersEars(ears, TapedVoice(quiet(9)).open)
    async with threads_that_lag(ears):
        assert clock() - began < 5.0
        assert await (await first.listen("en", YES_NO)).result() is Unheard.DEAF
    listening = await first.listen("en", YES_NO)
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
    await first.rest()
    async with threads_that_lag(ears):
        assert not second.understands("en")
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
