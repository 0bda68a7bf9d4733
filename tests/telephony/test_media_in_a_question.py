"""A voice that fails in the middle of a question: the keys answer it, and the call goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from ivr.dialogue.answering import answer
from ivr.dialogue.hearing import Expecting, Heard, Unheard
from ivr.dialogue.keypad import EntryRule, KeyEntry, PlainKeys, Step
from ivr.hearing import Hearing
from ivr.speech.ears import Ears, Tongue
from ivr.speech.listening import CallersEars
from ivr.telephony import media
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from ivr.telephony.media import is_ear
from ivr.telephony.router import Router
from tests.fakes.asterisk import PASSWORD, USER
from tests.fakes.ears import BeepModel, quiet, words
from tests.fakes.media import FakeMediaPbx
from tests.speech.shipped import GRAMMARS
from tests.speech.test_ears import LOOSE
from tests.telephony.office import Desk, office, settled

Outcome = Step | Heard | Unheard
FOUR: EntryRule[PlainKeys] = EntryRule(lambda keys: len(keys) == 4, lambda keys: len(keys) == 4)
FRAME_BYTES = 320


@pytest.fixture
async def pbx() -> AsyncIterator[FakeMediaPbx]:
    async with FakeMediaPbx() as pbx:
        yield pbx


@pytest.fixture
async def ari(pbx: FakeMediaPbx) -> AsyncIterator[Ari]:
    async with Ari(pbx.url, USER, PASSWORD, answer_seconds=0.5) as ari:
        yield ari


async def ask(line: AsteriskLine, ears: CallersEars) -> Outcome:
    """The question for four digits, as a conversation asks it."""
    entry = KeyEntry(FOUR, PlainKeys())
    expecting = Expecting("digits", longest=4)
    return await answer(line, ["sound:beep"], entry, lambda: ears.listen("en", expecting))


@asynccontextmanager
async def call_with(
    pbx: FakeMediaPbx, ari: Ari, talk: Callable[[AsteriskLine, CallersEars], Awaitable[object]]
) -> AsyncIterator[Desk]:
    """One call whose caller says "one oh four two"; nothing of their voice is left afterwards."""
    model = BeepModel("one oh four two")
    ears = Ears({"en": Tongue(model, GRAMMARS["en"], LOOSE)})
    hearing = Hearing(ears)
    routers: list[Router] = []

    async def conversation(line: AsteriskLine) -> object:
        await hearing.connect(ari, routers[0].stream)
        mine = hearing.of(line.channel_id)
        assert mine is not None
        try:
            return await talk(line, mine)
        finally:
            await mine.rest()

    desk = Desk(conversation)
    async with office(ari, desk) as router:
        routers.append(router)
        await pbx.call("c1")
        yield desk
    assert [channel for channel in pbx.channels if is_ear(channel)] == []
    assert pbx.bridges == {}
    assert ears.listened_to == 0
    ears.close()


async def say(socket: web.WebSocketResponse, sound: bytes) -> None:
    for start in range(0, len(sound), FRAME_BYTES):
        await socket.send_bytes(sound[start : start + FRAME_BYTES])


@pytest.mark.parametrize("prompt_is_over", [False, True])
async def test_a_websocket_that_drops_ends_the_turn_and_the_next_question_hears_again(
    pbx: FakeMediaPbx, ari: Ari, *, prompt_is_over: bool
) -> None:
    async def talk(line: AsteriskLine, ears: CallersEars) -> list[Outcome]:
        return [await ask(line, ears), await ask(line, ears)]

    async with call_with(pbx, ari, talk) as desk:
        first = await pbx.socket()
        await settled()
        if prompt_is_over:
            await pbx.finish("c1")
        await say(first, quiet(0.2) + words(1))
        await first.close()
        await settled()
        if not prompt_is_over:
            await pbx.finish("c1")
        while (second := await pbx.socket()) is first:
            await settled()
        await settled()
        await say(second, quiet(0.3) + words(4) + quiet(1.5))
        lost, heard = await desk.ending()
        assert lost is Unheard.DEAF
        assert isinstance(heard, Heard)
        assert heard.meaning == "1042"


@pytest.mark.parametrize("trouble", ["refused", "never answered", "never announced", "mute"])
async def test_a_websocket_that_never_opens_leaves_the_keys(
    pbx: FakeMediaPbx, ari: Ari, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> None:
        raise web.HTTPInternalServerError

    async def wait() -> None:
        await asyncio.sleep(1)

    if trouble == "never announced":
        monkeypatch.setattr(media, "ENTER_SECONDS", 0.3)
        pbx.announces = False
    elif trouble == "mute":
        monkeypatch.setattr(media, "SILENT_SECONDS", 0.3)
    else:
        pbx.before["media"] = refuse if trouble == "refused" else wait

    async with call_with(pbx, ari, ask) as desk:
        await settled()
        await pbx.press("c1", "10")
        await asyncio.sleep(0.6)  # meanwhile hearing is given up
        await pbx.press("c1", "42")
        assert await desk.ending() is Step.SUBMITTED
        await asyncio.sleep(0.6)  # what was asked for late is done late


async def test_a_snoop_that_the_pbx_takes_away_leaves_the_keys(pbx: FakeMediaPbx, ari: Ari) -> None:
    async with call_with(pbx, ari, ask) as desk:
        await pbx.socket()
        await settled()
        (snoop,) = [channel for channel in pbx.channels if channel.endswith("-s")]
        await pbx.caller_hangs_up(snoop)
        await settled()
        await pbx.press("c1", "1042")
        assert await desk.ending() is Step.SUBMITTED
