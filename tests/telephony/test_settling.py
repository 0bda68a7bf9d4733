"""A caller who was just answered hears the first word from its first sound on."""

import asyncio

import pytest
from aiohttp import web

from ivr.dialogue.endings import HungUp
from ivr.telephony import settling
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from tests.fakes.asterisk import FakeAsterisk
from tests.telephony.office import Desk, office, settled

WELCOME = ["sound:welcome"]


async def welcomes(line: AsteriskLine) -> float:
    """How long it took from picking up to playing."""
    clock = asyncio.get_running_loop().time
    since = clock()
    await line.answer()
    taken = clock() - since
    await line.play(WELCOME)
    return taken


async def test_nothing_is_said_before_sound_comes_from_the_caller(
    ari: Ari, pbx: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "LONGEST_SECONDS", 5.0)
    async with office(ari, desk := Desk(welcomes)):
        await pbx.call("1", state="Ring", packets=0)
        await settled()
        assert pbx.done[-1] == "answer 1"
        pbx.channels["1"].packets = 1
        assert await desk.ending() < 5.0
        assert "play 1 sound:welcome" in pbx.done


async def test_a_phone_that_sends_nothing_is_spoken_to_all_the_same(
    ari: Ari, pbx: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "LONGEST_SECONDS", 0.1)
    async with office(ari, desk := Desk(welcomes)):
        await pbx.call("1", state="Ring", packets=0)
        assert await desk.ending() >= 0.1
        assert "play 1 sound:welcome" in pbx.done


async def test_a_line_of_which_the_pbx_counts_nothing_is_spoken_to_at_once(
    ari: Ari, pbx: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_found() -> None:
        raise web.HTTPNotFound

    monkeypatch.setattr(settling, "LONGEST_SECONDS", 5.0)
    pbx.before["rtp"] = not_found
    async with office(ari, desk := Desk(welcomes)):
        await pbx.call("1", state="Ring", packets=0)
        assert await desk.ending() < 5.0
        assert "play 1 sound:welcome" in pbx.done


async def test_a_caller_who_leaves_before_they_send_a_sound_is_gone(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async with office(ari, desk := Desk(welcomes)):
        await pbx.call("1", state="Ring", packets=0)
        await settled()
        await pbx.caller_hangs_up("1")
        assert await desk.ending() is HungUp
        assert "play 1 sound:welcome" not in pbx.done
