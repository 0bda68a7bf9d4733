"""The caller's voice on a real call: a softphone speaks, and we hear it while a prompt plays."""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from ivr.dialogue.endings import HungUp
from ivr.lab import pbx as lab_pbx
from ivr.lab.packages import Tree
from ivr.lab.pbx import PbxInfo
from ivr.lab.softphone import Softphone
from ivr.telephony.ari import Ari
from ivr.telephony.errors import VoiceLost
from ivr.telephony.line import AsteriskLine
from ivr.telephony.media import CallersVoice, is_ear, sweep
from ivr.telephony.router import Router
from tests.telephony.office import AGENTS

pytestmark = pytest.mark.e2e

RATE = 8000
TONE_HZ = 700
LONG = ["sound:hello-world"] * 10
Talk = Callable[[AsteriskLine, Router], Awaitable[Any]]


@pytest.fixture(scope="module")
def pbx(tree: Tree) -> Iterator[PbxInfo]:
    folder = Path(tempfile.mkdtemp(prefix="saldo-media-"))
    try:
        yield lab_pbx.start(folder, tree, folder / "sounds")
    finally:
        lab_pbx.stop(folder)
        shutil.rmtree(folder)


@pytest.fixture
async def ari(pbx: PbxInfo) -> AsyncIterator[Ari]:
    async with Ari(pbx.ari_url, pbx.ari_user, pbx.ari_password) as ari:
        yield ari


@pytest.fixture
async def phone(tree: Tree) -> AsyncIterator[Softphone]:
    phone = Softphone(tree, 60, lambda *_: None)
    yield phone
    await phone.close()


@asynccontextmanager
async def call(ari: Ari, pbx: PbxInfo, phone: Softphone, talk: Talk) -> AsyncIterator[Any]:
    """A call from that phone; gives the future of what the conversation came to."""
    ending: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def take_call(line: AsteriskLine) -> None:
        try:
            await line.answer()
            ending.set_result(await talk(line, router))
        except (HungUp, VoiceLost) as error:
            ending.set_result(error)

    async with asyncio.TaskGroup() as tasks:
        router = Router(ari, "saldo", {"inbound": take_call}, tasks, agents=AGENTS)
        running = tasks.create_task(router.run())
        await asyncio.wait_for(router.stream.connected.wait(), 5)
        await phone.start("<sip:600100200@127.0.0.1>;regint=0;ptime=20;audio_codecs=PCMU")
        await phone.command("dial", f"sip:pay@{pbx.sip}")
        try:
            async with asyncio.timeout(20):
                yield ending
        finally:
            await router.drain(0)
            running.cancel()


def tone_file(folder: Path) -> Path:
    """A second of tone, and then silence for longer than any test lasts."""
    seconds = np.arange(RATE) / RATE
    tone = (8000 * np.sin(2 * math.pi * TONE_HZ * seconds)).astype("<i2")
    file = folder / "tone.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(tone.tobytes() + bytes(2 * RATE * 40))
    return file


def pitch_hz(sound: bytes, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(np.frombuffer(sound, "<i2").astype(float)))
    return float(np.argmax(spectrum)) * rate / (len(sound) // 2)


async def until_loud(voice: CallersVoice) -> bytes:
    while True:
        batch = await voice.batch()
        if np.abs(np.frombuffer(batch, "<i2")).max() > 2000:
            return batch


async def listen_on(voice: CallersVoice) -> NoReturn:
    while True:
        await voice.batch()


async def left_over(ari: Ari) -> list[str]:
    """Channels and bridges that are not calls and are still there after a moment."""
    for _ in range(50):
        channels = [channel.id for channel in await ari.channels() if is_ear(channel.id)]
        left = channels + [bridge.id for bridge in await ari.bridges()]
        if not left:
            break
        await asyncio.sleep(0.02)
    return left


async def snoops(ari: Ari) -> list[str]:
    return [channel.name for channel in await ari.channels() if "Snoop" in channel.name]


@pytest.mark.parametrize("rate", [8000, 16000])
async def test_the_caller_is_heard_over_a_prompt_and_without_its_echo(
    ari: Ari, pbx: PbxInfo, phone: Softphone, tmp_path: Path, rate: int
) -> None:
    async def talk(line: AsteriskLine, router: Router) -> tuple[float, bool, float, float]:
        clock = asyncio.get_running_loop().time
        await line.play(LONG)
        voice = CallersVoice(ari, router.stream, line.channel_id, rate)
        since = clock()
        await voice.open()
        took = clock() - since
        try:
            quiet = b"".join([await voice.batch() for _ in range(10)])
            is_quiet = bool(np.abs(np.frombuffer(quiet, "<i2")).max() < 500)
            await phone.command("ausrc", f"aufile,{tone_file(tmp_path)}")
            await until_loud(voice)
            heard = (await voice.batch()) + (await voice.batch())
        finally:
            await voice.close()
            assert await snoops(ari) == []
        return took, is_quiet, pitch_hz(heard, rate), voice.dropped_seconds

    async with call(ari, pbx, phone, talk) as ending:
        took, is_quiet, pitch, dropped = await ending
        assert took < 0.5
        assert is_quiet, "the prompt is heard"
        assert abs(pitch - TONE_HZ) < 15
        assert dropped == 0
        assert await left_over(ari) == []


async def test_a_caller_who_hangs_up_is_told_as_a_voice_that_is_lost_and_nothing_is_left(
    ari: Ari, pbx: PbxInfo, phone: Softphone
) -> None:
    async def talk(line: AsteriskLine, router: Router) -> None:
        voice = CallersVoice(ari, router.stream, line.channel_id, RATE)
        await voice.open()
        await voice.batch()
        await phone.command("hangup")
        try:
            await listen_on(voice)
        finally:
            await voice.close()

    async with call(ari, pbx, phone, talk) as ending:
        assert isinstance(await ending, VoiceLost)
        assert await left_over(ari) == []


async def test_a_websocket_that_drops_costs_the_voice_and_not_the_call(
    ari: Ari, pbx: PbxInfo, phone: Softphone
) -> None:
    async def talk(line: AsteriskLine, router: Router) -> str:
        voice = CallersVoice(ari, router.stream, line.channel_id, RATE)
        await voice.open()
        await voice.batch()
        assert voice._websocket is not None
        await voice._websocket.close()
        with pytest.raises(VoiceLost):
            await listen_on(voice)
        await voice.close()
        await (await line.play(["sound:hello-world"])).finished()
        return "still there"

    async with call(ari, pbx, phone, talk) as ending:
        assert await ending == "still there"
        assert await left_over(ari) == []


async def test_what_a_dead_daemon_left_is_swept_away(
    ari: Ari, pbx: PbxInfo, phone: Softphone
) -> None:
    async def talk(line: AsteriskLine, router: Router) -> tuple[int, list[str]]:
        voice = CallersVoice(ari, router.stream, line.channel_id, RATE)
        await voice.open()
        swept = await sweep(ari, "saldo")
        left = await left_over(ari)
        await voice.close()
        await (await line.play(["sound:hello-world"])).finished()
        return swept, left

    async with call(ari, pbx, phone, talk) as ending:
        assert await ending == (3, [])


async def test_a_hundred_voices_opened_and_closed_leave_nothing(
    ari: Ari, pbx: PbxInfo, phone: Softphone
) -> None:
    async def talk(line: AsteriskLine, router: Router) -> list[str]:
        for _ in range(25):
            voices = [CallersVoice(ari, router.stream, line.channel_id, RATE) for _ in range(4)]
            await asyncio.gather(*(voice.open() for voice in voices))
            await asyncio.gather(*(voice.batch() for voice in voices))
            await asyncio.gather(*(voice.close() for voice in voices))
        return await left_over(ari)

    async with call(ari, pbx, phone, talk) as ending:
        assert await ending == []
