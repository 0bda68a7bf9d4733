"""The caller's voice against a fake PBX: set up, read, lost, and always taken down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from ivr.telephony import media
from ivr.telephony.ari import Ari
from ivr.telephony.errors import VoiceLost
from ivr.telephony.media import CallersVoice, is_ear, sweep
from ivr.telephony.router import Router
from tests.fakes.asterisk import PASSWORD, USER, FakeChannel
from tests.fakes.media import PACKET, FakeMediaPbx
from tests.telephony.office import Desk, office, settled

RATE = 8000
PACKETS_A_BATCH = 2
BATCH = PACKET * PACKETS_A_BATCH


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
def voice(ari: Ari, router: Router) -> CallersVoice:
    return CallersVoice(ari, router.stream, "c1", RATE)


def left(pbx: FakeMediaPbx) -> list[str]:
    return [channel for channel in pbx.channels if is_ear(channel)] + list(pbx.bridges)


async def test_snoop_and_websocket_are_bridged_and_are_no_calls(
    pbx: FakeMediaPbx, router: Router, voice: CallersVoice
) -> None:
    await voice.open()
    assert {"snoop c1 in", "external_media slin INCOMING", "media media"} <= set(pbx.done)
    assert "create_bridge mixing" in pbx.done
    [bridged] = pbx.bridges.values()
    assert sorted(bridged) == sorted(channel for channel in pbx.channels if is_ear(channel))
    assert router.calls == 1
    await voice.close()
    assert left(pbx) == []
    assert "c1" in pbx.channels


async def test_sound_is_handed_on_in_batches(pbx: FakeMediaPbx, voice: CallersVoice) -> None:
    await voice.open()
    socket = await pbx.socket()
    for number in range(1, PACKETS_A_BATCH):
        await socket.send_bytes(bytes([number]) * len(PACKET))
    batch = await voice.batch()
    assert len(batch) == len(BATCH)
    assert batch[-1] == PACKETS_A_BATCH - 1
    await voice.close()


async def test_a_slow_listener_loses_the_oldest_sound_and_knows_how_much(
    pbx: FakeMediaPbx, voice: CallersVoice
) -> None:
    await voice.open()
    socket = await pbx.socket()
    for _ in range(49 + 150):
        await socket.send_bytes(PACKET)
    await socket.send_bytes(b"\1" * len(PACKET))
    await settled()
    assert voice.dropped_seconds == pytest.approx(1.02)
    kept = b"".join([await voice.batch() for _ in range(15)])
    assert len(kept) == 3 * RATE * 2
    assert kept[-1] == 1
    await voice.close()


async def test_what_was_said_to_an_earlier_question_can_be_forgotten(
    pbx: FakeMediaPbx, voice: CallersVoice
) -> None:
    await voice.open()
    socket = await pbx.socket()
    await socket.send_bytes(b"\1" * len(BATCH))
    await settled()
    voice.forget()
    await socket.send_bytes(b"\2" * len(BATCH))
    assert set(await voice.batch()) == {2}
    await voice.close()


async def test_a_websocket_that_closes_is_a_lost_voice(
    pbx: FakeMediaPbx, voice: CallersVoice
) -> None:
    await voice.open()
    await (await pbx.socket()).close()
    with pytest.raises(VoiceLost, match="closed the websocket"):
        await voice.batch()
    await voice.close()
    assert left(pbx) == []


async def test_a_pbx_that_sends_nothing_is_a_lost_voice(
    voice: CallersVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "SILENT_SECONDS", 0.05)
    await voice.open()
    with pytest.raises(VoiceLost, match="sends nothing"):
        await voice.batch()
    await voice.close()


async def test_a_process_that_stood_still_for_a_while_has_lost_no_voice(
    pbx: FakeMediaPbx, voice: CallersVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "SILENT_SECONDS", 0.2)
    await voice.open()
    socket = await pbx.socket()
    batch = asyncio.create_task(voice.batch())
    await settled()
    await socket.send_bytes(BATCH)
    time.sleep(0.3)  # noqa: ASYNC251 - nothing runs meanwhile: just that
    assert len(await batch) >= len(BATCH)
    await voice.close()


async def test_a_snoop_that_ends_is_a_lost_voice(pbx: FakeMediaPbx, voice: CallersVoice) -> None:
    await voice.open()
    [snoop] = [channel for channel in pbx.channels if channel.endswith("-s")]
    await pbx.caller_hangs_up(snoop)
    with pytest.raises(VoiceLost, match="took the caller's voice away"):
        await voice.batch()
    await voice.close()
    assert left(pbx) == []


def refusal() -> Callable[[], Awaitable[None]]:
    async def refuse() -> None:
        raise web.HTTPInternalServerError

    return refuse


def delay() -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        await asyncio.sleep(1)

    return wait


@pytest.mark.parametrize(
    "operation", ["snoop", "external_media", "media", "create_bridge", "add_to_bridge"]
)
@pytest.mark.parametrize("trouble", [refusal, delay])
async def test_whatever_step_fails_nothing_is_left(
    pbx: FakeMediaPbx,
    router: Router,
    voice: CallersVoice,
    operation: str,
    trouble: Callable[[], Callable[[], Awaitable[None]]],
) -> None:
    pbx.before[operation] = trouble()
    with pytest.raises(VoiceLost, match="cannot be had"):
        await voice.open()
    await asyncio.sleep(1.1 if trouble is delay else 0.05)  # what was asked late is done late
    await settled()
    # A websocket channel that nobody connects to is ended by the PBX itself, after 30 s (measured).
    assert [one.id for one in pbx.channels.values() if is_ear(one.id) and one.state] == []
    assert router.calls == 1


async def test_a_pbx_without_the_websocket_driver_is_told_as_such(
    pbx: FakeMediaPbx, voice: CallersVoice
) -> None:
    pbx.tells_ids = False
    with pytest.raises(VoiceLost, match="needs chan_websocket"):
        await voice.open()
    assert left(pbx) == []


async def test_channels_that_never_arrive_are_given_up(
    pbx: FakeMediaPbx, voice: CallersVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "ENTER_SECONDS", 0.05)
    pbx.announces = False
    with pytest.raises(VoiceLost, match="did not reach our application"):
        await voice.open()
    assert left(pbx) == []


async def test_a_rate_the_pbx_does_not_have_is_refused(ari: Ari, router: Router) -> None:
    with pytest.raises(VoiceLost, match="no format for 11025"):
        await CallersVoice(ari, router.stream, "c1", 11025).open()


async def test_a_conversation_that_is_cancelled_leaves_nothing(
    pbx: FakeMediaPbx, voice: CallersVoice
) -> None:
    async def listen() -> None:
        try:
            await voice.open()
            while True:
                await voice.batch()
        finally:
            await voice.close()

    listening = asyncio.create_task(listen())
    await pbx.socket()
    await settled()
    listening.cancel()
    await asyncio.wait((listening,))
    assert left(pbx) == []


async def test_a_listener_cancelled_while_it_closes_still_closes(
    pbx: FakeMediaPbx, voice: CallersVoice
) -> None:
    await voice.open()
    closing = asyncio.create_task(voice.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait((closing,))
    assert left(pbx) == []


async def test_a_lost_event_stream_does_not_end_a_voice_that_is_open(
    pbx: FakeMediaPbx, router: Router, voice: CallersVoice
) -> None:
    await voice.open()
    await pbx.drop("saldo")
    await pbx.connected("saldo")
    await asyncio.sleep(0.8)  # the state is read, and what nobody owns is looked for
    await (await pbx.socket()).send_bytes(BATCH)
    assert await voice.batch()
    assert router.is_connected
    await voice.close()


async def test_what_a_dead_daemon_left_is_hung_up_and_no_call(pbx: FakeMediaPbx, ari: Ari) -> None:
    pbx.channels["ear-saldo-1-s"] = FakeChannel("ear-saldo-1-s", "saldo")
    async with office(ari, Desk(lambda line: line.next_key())):
        await asyncio.sleep(0.8)
    assert "hang_up ear-saldo-1-s" in pbx.done
    assert not [done for done in pbx.done if done.startswith("continue")]


async def test_a_daemon_that_starts_sweeps_up_its_own_and_nobody_elses(
    pbx: FakeMediaPbx, ari: Ari
) -> None:
    for channel in ("ear-saldo-1-s", "ear-saldo-1-m", "ear-saldo-capture-1-s", "c1"):
        pbx.channels[channel] = FakeChannel(channel, "saldo")
    pbx.bridges = {"ear-saldo-1-b": [], "theirs": []}
    assert await sweep(ari, "saldo") == 3
    assert set(pbx.channels) == {"ear-saldo-capture-1-s", "c1"}
    assert set(pbx.bridges) == {"theirs"}
