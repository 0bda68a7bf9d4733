"""A prompt, keys and a voice at once: what hushes, what waits, and what is never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from ivr.dialogue.answering import LONGEST_ANSWER_SECONDS, NOISES, answer
from ivr.dialogue.endings import HungUp, LineError
from ivr.dialogue.hearing import Heard, Listening, Unheard
from ivr.dialogue.keypad import EntryRule, KeyEntry, PlainKeys, Step
from tests.fakes.line import SECONDS_A_PHRASE, FakeLine, FakePlayback

RULE: EntryRule[PlainKeys] = EntryRule(
    is_full=lambda keys: len(keys) >= 6, is_enough=lambda keys: len(keys) >= 4
)
SOUNDS = ["fake:en/ask_account_number/"]
SAID = Heard("digits", "1042", "one oh four two")


class Told:
    """One listening: when the voice begins, when the result comes, and what it is."""

    def __init__(
        self, result: Heard | Unheard, *, at: float, speaks_at: float | None = None
    ) -> None:
        self.prompt_over_at: float | None = None
        self.is_stopped = False
        self._result = result
        self._at = at
        self._speaks_at = speaks_at

    async def speaking(self) -> None:
        if self._speaks_at is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(self._speaks_at)

    def prompt_over(self) -> None:
        if self.prompt_over_at is None:
            self.prompt_over_at = asyncio.get_running_loop().time()

    async def result(self) -> Heard | Unheard:
        await asyncio.sleep(self._at)
        return self._result

    async def stop(self) -> None:
        self.is_stopped = True


class Scripted:
    """Gives these listenings, one after the other, each after a moment."""

    def __init__(self, *told: Told, opening_seconds: float = 0.03) -> None:
        self.told = told
        self.begun = 0
        self._opening_seconds = opening_seconds

    async def __call__(self) -> Listening:
        await asyncio.sleep(self._opening_seconds)
        self.begun += 1
        return self.told[self.begun - 1]


@pytest.fixture
async def line() -> AsyncIterator[FakeLine]:
    line = FakeLine()
    yield line
    await line.quiet()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def an_entry() -> KeyEntry[PlainKeys]:
    return KeyEntry(RULE, PlainKeys())


def later(seconds: float, line: FakeLine, keys: str) -> None:
    asyncio.get_running_loop().call_later(seconds, line.press, keys)


async def test_the_first_word_hushes_the_prompt_although_the_answer_is_unfinished(
    line: FakeLine,
) -> None:
    told = Told(SAID, at=6.0, speaks_at=1.0)
    assert await answer(line, SOUNDS, an_entry(), Scripted(told)) is SAID
    assert line.heard[0].until == pytest.approx(1.03)
    assert told.prompt_over_at == pytest.approx(1.03)
    assert told.is_stopped


async def test_the_first_key_hushes_the_prompt_and_stops_the_listening(line: FakeLine) -> None:
    told, entry = Told(SAID, at=6.0), an_entry()
    later(1.0, line, "1")
    later(4.0, line, "042#")
    assert await answer(line, SOUNDS, entry, Scripted(told)) is Step.SUBMITTED
    assert entry.buffer.text == "1042"
    assert line.heard[0].until == 1.0
    assert told.is_stopped


async def test_nobody_is_listened_to_who_typed_ahead(line: FakeLine) -> None:
    line.press("1042#")
    listen = Scripted()
    assert await answer(line, SOUNDS, an_entry(), listen) is Step.SUBMITTED
    assert listen.begun == 0
    assert line.heard == []


async def test_a_noise_during_the_prompt_lets_it_go_on_and_is_listened_past(
    line: FakeLine,
) -> None:
    listen = Scripted(Told(Unheard.UNCLEAR, at=0.5), Told(SAID, at=4.0, speaks_at=3.5))
    assert await answer(line, SOUNDS, an_entry(), listen) is SAID
    assert line.heard[0].until == SECONDS_A_PHRASE


async def test_noise_without_end_during_the_prompt_leaves_the_keys(line: FakeLine) -> None:
    listen = Scripted(*[Told(Unheard.UNCLEAR, at=0.1) for _ in range(NOISES)])
    assert await answer(line, SOUNDS, an_entry(), listen) is Step.TIMED_OUT
    assert listen.begun == NOISES
    assert line.now() == SECONDS_A_PHRASE + RULE.first_key_seconds


async def test_words_that_are_no_answer_are_told_as_such(line: FakeLine) -> None:
    told = Told(Unheard.UNCLEAR, at=2.0, speaks_at=1.0)
    assert await answer(line, SOUNDS, an_entry(), Scripted(told)) is Unheard.UNCLEAR


async def test_talk_without_end_hushes_the_prompt(line: FakeLine) -> None:
    told = Told(Unheard.TOO_MUCH, at=2.0)
    assert await answer(line, SOUNDS, an_entry(), Scripted(told)) is Unheard.TOO_MUCH
    assert line.heard[0].until == pytest.approx(2.03)


async def test_deaf_ears_change_nothing_for_keys_during_the_prompt(line: FakeLine) -> None:
    entry = an_entry()
    later(SECONDS_A_PHRASE - 0.1, line, "1042#")
    deaf = Scripted(Told(Unheard.DEAF, at=0.0))
    assert await answer(line, SOUNDS, entry, deaf) is Step.SUBMITTED


async def test_after_the_prompt_nobody_speaks_to_deaf_ears(line: FakeLine) -> None:
    deaf = Scripted(Told(Unheard.DEAF, at=0.0))
    assert await answer(line, SOUNDS, an_entry(), deaf) is Unheard.DEAF
    assert line.now() == SECONDS_A_PHRASE
    lost = Scripted(Told(Unheard.DEAF, at=SECONDS_A_PHRASE + 2.0))
    assert await answer(line, SOUNDS, an_entry(), lost) is Unheard.DEAF
    assert line.now() == pytest.approx(2 * SECONDS_A_PHRASE + 2.03)


async def test_a_voice_that_is_lost_after_a_word_is_told_at_once(line: FakeLine) -> None:
    lost = Scripted(Told(Unheard.DEAF, at=1.2, speaks_at=1.0))
    assert await answer(line, SOUNDS, an_entry(), lost) is Unheard.DEAF
    assert line.now() == pytest.approx(1.23)


async def test_ears_that_never_come_to_an_end_are_not_waited_for(line: FakeLine) -> None:
    told = Told(SAID, at=1000.0, speaks_at=1.0)
    assert await answer(line, SOUNDS, an_entry(), Scripted(told)) is Step.TIMED_OUT
    assert line.now() == pytest.approx(1.03 + LONGEST_ANSWER_SECONDS)
    assert told.is_stopped


async def test_ears_that_take_long_to_open_delay_no_prompt(line: FakeLine) -> None:
    listen = Scripted(Told(SAID, at=4.0), opening_seconds=2.0)
    assert await answer(line, SOUNDS, an_entry(), listen) is SAID
    assert line.heard[0].at == 0.0


@pytest.mark.parametrize("seconds", [0.01, 1.0, SECONDS_A_PHRASE, SECONDS_A_PHRASE + 2.0])
async def test_a_hang_up_ends_the_turn_at_once(line: FakeLine, seconds: float) -> None:
    told = Told(SAID, at=20.0, speaks_at=0.5)
    asyncio.get_running_loop().call_later(seconds, line.leave)
    with pytest.raises(HungUp):
        await answer(line, SOUNDS, an_entry(), Scripted(told))
    assert line.now() == seconds


async def test_a_line_that_fails_while_it_plays_is_not_silence(line: FakeLine) -> None:
    play = line.play

    async def fail(sounds: Sequence[str]) -> FakePlayback:
        playback = await play(sounds)
        playback.breaks = LineError("the PBX went away")
        return playback

    line.play = fail  # type: ignore[method-assign]  # this line's playbacks break
    with pytest.raises(LineError):
        await answer(line, SOUNDS, an_entry(), Scripted(Told(SAID, at=20.0)))


@pytest.mark.parametrize("hundredths", range(40))
async def test_no_key_is_lost_when_a_word_and_keys_come_at_once(
    line: FakeLine, hundredths: int
) -> None:
    entry = an_entry()
    for number, key in enumerate("10427#"):
        later(1.0 + (hundredths + number) / 100, line, key)
    heard = await answer(line, SOUNDS, entry, Scripted(Told(SAID, at=1.17, speaks_at=1.0)))
    kept = entry.buffer.text + "".join([await line.next_key() for _ in range(line.keys_left)])
    await asyncio.sleep(1.0)
    kept += "".join([await line.next_key() for _ in range(line.keys_left)])
    assert (heard, kept) in {(Step.SUBMITTED, "10427"), (SAID, "10427#")}
