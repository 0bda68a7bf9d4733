"""Silence behind every prompt: there whenever keys may come, gone before anything else happens."""

from __future__ import annotations

from uuid import uuid4

import pytest
from aiohttp import web
from structlog.testing import capture_logs
from structlog.typing import EventDict

from ivr.dialogue.endings import SecurePartAway
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from tests.fakes.asterisk import FakeAsterisk
from tests.telephony.office import Desk, office, settled

SOUNDS = ["sound:welcome"]


async def test_silence_lies_behind_each_prompt_and_only_once(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> list[tuple[int, int]]:
        seen = []
        for _ in range(3):
            playback = await line.play(SOUNDS)
            await settled()
            seen.append((len(pbx.channels["1"].playing), len(pbx.channels["1"].silences)))
            await playback.stop()
            await settled()
            seen.append((len(pbx.channels["1"].playing), len(pbx.channels["1"].silences)))
        return seen

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() == [(1, 1), (0, 1)] * 3


async def test_silence_goes_on_for_as_long_as_the_caller_thinks(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def talk(line: AsteriskLine) -> list[list[str]]:
        await (await line.play(SOUNDS)).stop()
        seen = []
        for _ in range(3):
            await settled()
            seen.append(list(pbx.channels["1"].silences))
            await pbx.silence_ends("1")
        return seen

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        first, second, third = await desk.ending()
        assert [len(each) for each in (first, second, third)] == [1, 1, 1]
        assert len({*first, *second, *third}) == 3


async def test_a_pbx_without_that_sound_is_not_asked_for_it_for_ever(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def talk(line: AsteriskLine) -> list[str]:
        await line.play(SOUNDS)
        await settled()
        await pbx.silence_ends("1", state="failed")
        await settled()
        return list(pbx.channels["1"].silences)

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() == []


async def test_a_missing_silence_is_told_while_the_call_goes_on_and_a_cut_off_one_is_not(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def talk(line: AsteriskLine) -> list[int]:
        told = []
        await line.play(SOUNDS)
        await settled()
        await pbx.silence_ends("1", state="failed")
        await settled()
        told.append(len(missing(logs)))
        await line.play(SOUNDS)
        told.append(len(missing(logs)))
        return told

    with capture_logs() as logs:
        async with office(ari, desk := Desk(talk)):
            await pbx.call("1")
            assert await desk.ending() == [0, 1]


def missing(logs: list[EventDict]) -> list[EventDict]:
    return [one for one in logs if one["event"] == "sound_not_played"]


async def test_no_silence_keeps_a_caller_from_the_secure_part(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> str:
        await line.play(SOUNDS)
        with pytest.raises(SecurePartAway):  # nobody is connected; the PBX would have moved it
            await line.enter_secure_part(uuid4())
        return "asked"

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending() == "asked"
        assert pbx.channels["1"].silences == []


async def test_a_prompt_is_played_though_its_silence_cannot_be(ari: Ari, pbx: FakeAsterisk) -> None:
    async def refuse() -> None:
        raise web.HTTPInternalServerError

    async def talk(line: AsteriskLine) -> bool:
        pbx.before["silence"] = refuse
        playback = await line.play(SOUNDS)
        await settled()
        await pbx.finish("1")
        await playback.finished()
        return True

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        assert await desk.ending()
