"""Sounds and keys at once: what hushes, what waits, and that no key is lost or shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from ivr.dialogue.endings import HungUp, LineError
from ivr.dialogue.keypad import EntryRule, KeyEntry, PlainKeys, Step
from ivr.dialogue.turn import enter_keys
from tests.fakes.line import SECONDS_A_PHRASE, FakeLine, FakePlayback

RULE: EntryRule[PlainKeys] = EntryRule(
    is_full=lambda keys: len(keys) >= 6, is_enough=lambda keys: len(keys) >= 4
)
SOUNDS = ["fake:en/ask_account_number/"]


@pytest.fixture
async def line() -> AsyncIterator[FakeLine]:
    line = FakeLine()
    yield line
    await line.quiet()


def an_entry() -> KeyEntry[PlainKeys]:
    return KeyEntry(RULE, PlainKeys())


def later(seconds: float, line: FakeLine, keys: str) -> None:
    asyncio.get_running_loop().call_later(seconds, line.press, keys)


async def test_the_first_key_hushes_the_prompt_although_the_answer_is_unfinished(
    line: FakeLine,
) -> None:
    entry = an_entry()
    later(1.0, line, "1")
    later(4.0, line, "042#")
    assert await enter_keys(line, SOUNDS, entry) is Step.SUBMITTED
    assert line.heard[0].until == 1.0
    assert entry.buffer.text == "1042"


async def test_nothing_is_played_to_a_caller_who_typed_ahead(line: FakeLine) -> None:
    entry = an_entry()
    line.press("1042#7")
    assert await enter_keys(line, SOUNDS, entry) is Step.SUBMITTED
    assert line.heard == []
    assert line.keys_left == 1


async def test_a_pound_left_over_from_the_last_answer_hushes_nothing(line: FakeLine) -> None:
    line.press("#")
    later(1.0, line, "#")
    assert await enter_keys(line, SOUNDS, an_entry()) is Step.TIMED_OUT
    assert line.heard[0].until == SECONDS_A_PHRASE
    assert line.now() == SECONDS_A_PHRASE + RULE.first_key_seconds


async def test_the_first_key_timer_runs_from_the_end_of_the_prompt(line: FakeLine) -> None:
    entry = an_entry()
    later(SECONDS_A_PHRASE + RULE.first_key_seconds - 0.1, line, "1042#")
    assert await enter_keys(line, SOUNDS, entry) is Step.SUBMITTED


async def test_only_the_timer_between_keys_applies_after_the_first(line: FakeLine) -> None:
    later(1.0, line, "1")
    assert await enter_keys(line, SOUNDS, an_entry()) is Step.TIMED_OUT
    assert line.now() == 1.0 + RULE.between_keys_seconds


async def test_a_valid_length_is_submitted_when_the_caller_stops(line: FakeLine) -> None:
    later(1.0, line, "1042")
    assert await enter_keys(line, SOUNDS, an_entry()) is Step.SUBMITTED


async def test_a_star_comes_back_and_the_same_entry_goes_on(line: FakeLine) -> None:
    entry = an_entry()
    line.press("99*1042#")
    assert await enter_keys(line, SOUNDS, entry) is Step.CLEARED
    assert await enter_keys(line, SOUNDS, entry) is Step.SUBMITTED
    assert entry.buffer.text == "1042"


async def test_a_second_star_while_cleared_is_said_leaves(line: FakeLine) -> None:
    entry = an_entry()
    line.press("9*")
    await enter_keys(line, SOUNDS, entry)
    later(1.0, line, "*")
    assert await enter_keys(line, SOUNDS, entry) is Step.LEFT
    assert line.heard[-1].until == 1.0


@pytest.mark.parametrize("seconds", [1.0, SECONDS_A_PHRASE, SECONDS_A_PHRASE + 2.0])
async def test_a_hang_up_ends_the_turn_at_once(line: FakeLine, seconds: float) -> None:
    asyncio.get_running_loop().call_later(seconds, line.leave)
    with pytest.raises(HungUp):
        await enter_keys(line, SOUNDS, an_entry())
    assert line.now() == seconds


async def test_a_line_that_fails_while_it_plays_is_not_silence(line: FakeLine) -> None:
    play = line.play

    async def fail(sounds: Sequence[str]) -> FakePlayback:
        playback = await play(sounds)
        playback.breaks = LineError("the PBX went away")
        return playback

    line.play = fail  # type: ignore[method-assign]  # this line's playbacks break
    with pytest.raises(LineError):
        await enter_keys(line, SOUNDS, an_entry())


@pytest.mark.parametrize("hundredths", range(40))
async def test_no_key_is_lost_at_the_moment_the_prompt_ends(
    line: FakeLine, hundredths: int
) -> None:
    entry = an_entry()
    for number, key in enumerate("10427#"):
        later(SECONDS_A_PHRASE - 0.2 + (hundredths + number) / 100, line, key)
    assert await enter_keys(line, SOUNDS, entry) is Step.SUBMITTED
    assert entry.buffer.text == "10427"


async def test_no_task_or_log_shows_a_key(
    line: FakeLine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio's debug mode logs the repr of finished tasks, their results included."""
    shown: list[str] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: object, **named: object) -> object:
        task: asyncio.Task[object] = asyncio.Task(coro, loop=loop, **named)  # type: ignore[arg-type]  # as asyncio calls it
        task.add_done_callback(lambda done: shown.append(repr(done)))
        return task

    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    monkeypatch.setattr(loop, "slow_callback_duration", 0.0)
    loop.set_task_factory(factory)  # type: ignore[arg-type]  # see above
    later(1.0, line, "7777")
    await enter_keys(line, SOUNDS, an_entry())
    loop.set_debug(False)
    assert shown
    assert "'7'" not in "".join([*shown, caplog.text])
