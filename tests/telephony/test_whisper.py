"""What is whispered to one end of a talk, against a fake PBX."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ivr.dialogue.endings import HungUp
from ivr.telephony import whisper as whispering
from ivr.telephony.ari import Ari
from ivr.telephony.errors import VoiceLost
from ivr.telephony.media import is_ear, sweep
from ivr.telephony.router import Router
from ivr.telephony.whisper import Whisper
from tests.fakes.asterisk import PASSWORD, USER
from tests.fakes.media import FakeMediaPbx
from tests.telephony.office import Desk, office, settled


@pytest.fixture
async def pbx() -> AsyncIterator[FakeMediaPbx]:
    async with FakeMediaPbx() as pbx:
        yield pbx


@pytest.fixture
async def ari(pbx: FakeMediaPbx) -> AsyncIterator[Ari]:
    async with Ari(pbx.url, USER, PASSWORD, answer_seconds=0.5) as ari:
        yield ari


@pytest.fixture
async def router(pbx: FakeMediaPbx, ari: Ari) -> AsyncIterator[Router]:
    """One call, "c1", that goes on."""
    async with office(ari, Desk(lambda line: line.next_key())) as router:
        await pbx.call("c1")
        await settled()
        yield router


@pytest.fixture
async def whisper(ari: Ari, router: Router) -> AsyncIterator[Whisper]:
    whisper = Whisper(ari, router.stream, "c1")
    yield whisper
    await whisper.close()


async def test_it_is_on_the_channel_from_the_first_sound_until_it_is_closed(
    pbx: FakeMediaPbx, whisper: Whisper, router: Router
) -> None:
    assert whisper.id not in pbx.channels
    await whisper.play(["sound:one"])
    await whisper.play(["sound:two"])
    assert pbx.done.count("snoop c1 none") == 1
    assert f"play {whisper.id} sound:one" in pbx.done
    assert router.calls == 1  # it is no call
    await whisper.close()
    await whisper.close()
    assert whisper.id not in pbx.channels
    assert "c1" in pbx.channels


async def test_a_sound_ends_when_the_pbx_says_so(pbx: FakeMediaPbx, whisper: Whisper) -> None:
    playback = await whisper.play(["sound:one"])
    ending = asyncio.create_task(playback.finished())
    await settled()
    assert not ending.done()
    await pbx.finish(whisper.id)
    await asyncio.wait_for(ending, 2)


async def test_a_caller_who_hangs_up_ends_what_is_waited_for(
    pbx: FakeMediaPbx, whisper: Whisper
) -> None:
    playback = await whisper.play(["sound:one"])
    ending = asyncio.create_task(playback.finished())
    await settled()
    await pbx.caller_hangs_up(whisper.id)  # the PBX ends a snoop with its channel
    with pytest.raises(HungUp):
        await asyncio.wait_for(ending, 2)
    with pytest.raises(HungUp):
        await whisper.play(["sound:two"])


async def test_one_that_does_not_come_is_lost_and_taken_down(
    pbx: FakeMediaPbx, whisper: Whisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whispering, "ENTER_SECONDS", 0.05)
    pbx.announces = False
    with pytest.raises(VoiceLost):
        await whisper.play(["sound:one"])
    await whisper.close()
    assert not any(is_ear(channel) for channel in pbx.channels)


async def test_what_a_dead_process_left_is_swept(
    pbx: FakeMediaPbx, ari: Ari, whisper: Whisper
) -> None:
    await whisper.play(["sound:one"])
    assert await sweep(ari, "saldo") == 1
    assert whisper.id not in pbx.channels
