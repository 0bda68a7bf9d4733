"""The same promises against a real Asterisk, with a real telephone call."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from ivr.dialogue.endings import HungUp, SecurePartAway
from ivr.lab import pbx as lab_pbx
from ivr.lab.packages import Tree
from ivr.lab.pbx import PbxInfo
from ivr.lab.softphone import Softphone
from ivr.telephony import events as our_events
from ivr.telephony.ami import Ami
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from ivr.telephony.operations import OPERATIONS, Operation
from ivr.telephony.places import SecurePart
from ivr.telephony.router import Router
from tests.telephony.office import Desk, office

pytestmark = pytest.mark.e2e

CAPTURE = UUID("12345678-1234-5678-1234-567812345678")
LONG = ["sound:hello-world"] * 10
SHORT = ["sound:hello-world"]


@pytest.fixture(scope="module")
def pbx(tree: Tree) -> Iterator[PbxInfo]:
    folder = Path(tempfile.mkdtemp(prefix="saldo-ari-"))
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
async def capture_ari(pbx: PbxInfo) -> AsyncIterator[Ari]:
    async with Ari(pbx.ari_url, pbx.capture_user, pbx.capture_password) as ari:
        yield ari


class Caller:
    """A softphone that dials `pay`."""

    def __init__(self, tree: Tree, pbx: PbxInfo) -> None:
        self._there = asyncio.Event()
        self._phone = Softphone(tree, 60, self._on_event)
        self._uri = f"sip:pay@{pbx.sip}"

    def _on_event(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "CALL_ESTABLISHED":
            self._there.set()

    async def dial(self) -> None:
        await self._phone.start("<sip:600100200@127.0.0.1>;regint=0;ptime=20;audio_codecs=PCMU")
        await self._phone.command("dial", self._uri)
        async with asyncio.timeout(10):
            await self._there.wait()
        await asyncio.sleep(0.3)

    async def press(self, key: str) -> None:
        await self._phone.command("sndcode", key)
        await asyncio.sleep(0.3)

    async def hang_up(self) -> None:
        await self._phone.command("hangup")

    async def close(self) -> None:
        await self._phone.close()


@pytest.fixture
async def caller(tree: Tree, pbx: PbxInfo) -> AsyncIterator[Caller]:
    caller = Caller(tree, pbx)
    yield caller
    await caller.close()


async def api_docs(pbx: PbxInfo, name: str) -> dict[str, Any]:
    headers = {"Authorization": aiohttp.encode_basic_auth(pbx.ari_user, pbx.ari_password)}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{pbx.ari_url}/api-docs/{name}.json") as response,
    ):
        answer: dict[str, Any] = json.loads(await response.text())
        return answer


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_the_pbx_knows_every_operation_we_use(pbx: PbxInfo, operation: Operation) -> None:
    docs = await api_docs(pbx, operation.path.split("/")[1])
    described = [
        one
        for api in docs["apis"]
        if api["path"] == operation.path
        for one in api["operations"]
        if one["httpMethod"] == operation.method
    ]
    assert len(described) == 1
    parameters = {one["name"]: one for one in described[0].get("parameters", ())}
    in_path = re.findall(r"\{(\w+)\}", operation.path)
    assert {*in_path, *operation.parameters} <= parameters.keys()
    demanded = {name for name, one in parameters.items() if one.get("required")}
    assert demanded <= {*in_path, *operation.parameters}


async def test_the_pbx_knows_every_event_we_read(pbx: PbxInfo) -> None:
    models = (await api_docs(pbx, "events"))["models"]
    assert our_events._READERS.keys() <= models.keys()
    assert {"args", "channel"} <= models["StasisStart"]["properties"].keys()
    assert {"digit", "channel"} <= models["ChannelDtmfReceived"]["properties"].keys()
    assert {"eventname", "userevent"} <= models["ChannelUserevent"]["properties"].keys()
    assert {"destination", "args"} <= models["ApplicationMoveFailed"]["properties"].keys()
    assert "playback" in models["PlaybackFinished"]["properties"]


async def test_the_manager_interface_knows_the_agents(pbx: PbxInfo) -> None:
    ami = Ami(pbx.ami_host, pbx.ami_port, pbx.ami_user, pbx.ami_password, ping_seconds=0.1)
    running = asyncio.create_task(ami.run())
    await asyncio.wait_for(ami.connected.wait(), 5)
    await asyncio.sleep(0.3)
    assert await ami.queue_members_available("agents") == 1
    assert await ami.queue_members_available("nobody's") is None
    await ami.ping()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def collecting(ari: Ari, desk: Desk) -> AsyncIterator[Router]:
    """The secure process's side."""
    async with asyncio.TaskGroup() as tasks:
        router = Router(ari, "saldo-capture", {"collect": desk.take_call}, tasks)
        running = tasks.create_task(router.run())
        await asyncio.wait_for(router.stream.connected.wait(), 5)
        yield router
        await router.drain(0)
        running.cancel()


async def test_a_key_hushes_the_prompt_and_the_next_one_follows_at_once(
    ari: Ari, caller: Caller
) -> None:
    async def talk(line: AsteriskLine) -> float:
        await line.answer()
        prompt = await line.play(LONG)
        await line.next_key()
        clock = asyncio.get_running_loop().time
        since = clock()
        await prompt.stop()
        follows = await line.play(SHORT)
        taken = clock() - since
        await prompt.finished()
        await follows.finished()
        return taken

    async with office(ari, desk := Desk(talk)):
        await caller.dial()
        await caller.press("5")
        assert await desk.ending() < 0.1
        assert desk.lines[0].arrived.caller == "600100200"
        assert desk.lines[0].arrived.sip_call_id


async def test_the_caller_goes_to_the_secure_part_and_back(
    ari: Ari, capture_ari: Ari, caller: Caller
) -> None:
    async def collect(line: AsteriskLine) -> tuple[str, ...]:
        await line.play(LONG)
        key = await line.next_key()
        await line.move_to("saldo", ("returned", line.args[1], "success"))
        return (*line.args, key)

    async def talk(line: AsteriskLine) -> str:
        await line.answer()
        await line.play(LONG)
        await line.enter_secure_part(CAPTURE)
        return await line.next_key()

    async with collecting(capture_ari, secure := Desk(collect)), office(ari, desk := Desk(talk)):
        await caller.dial()
        await asyncio.sleep(0.3)
        await caller.press("3")
        assert await secure.ending() == ("collect", str(CAPTURE), "3")
        await asyncio.sleep(0.1)
        await caller.press("8")
        assert await desk.ending() == "8"


async def test_without_the_secure_process_the_caller_stays_with_us(
    ari: Ari, caller: Caller
) -> None:
    async def talk(line: AsteriskLine) -> str:
        await line.answer()
        with pytest.raises(SecurePartAway):
            await line.enter_secure_part(CAPTURE)
        with pytest.raises(SecurePartAway, match="nobody is connected"):
            await line.move_to("saldo-capture", ["collect", str(CAPTURE)])
        await (await line.play(SHORT)).finished()
        return "here"

    async with office(ari, desk := Desk(talk)):
        await caller.dial()
        assert await desk.ending() == "here"


async def test_a_secure_process_that_dies_with_the_caller_does_not_keep_them(
    ari: Ari, capture_ari: Ari, caller: Caller
) -> None:
    alive = True

    async def talk(line: AsteriskLine) -> str:
        await line.answer()
        try:
            await line.enter_secure_part(CAPTURE)
        except SecurePartAway as error:
            await (await line.play(SHORT)).finished()
            return str(error)
        return "back"

    secure = SecurePart("saldo-capture", 30, is_alive=lambda: alive)
    async with office(ari, desk := Desk(talk), secure=secure):
        socket = await capture_ari.listen("saldo-capture")
        await caller.dial()
        await socket.close()
        alive = False
        async with asyncio.timeout(15):
            assert await desk.endings.get() == "the secure process has died"


async def test_hanging_up_is_noticed_while_playing_and_leaves_no_channel(
    ari: Ari, caller: Caller
) -> None:
    async def talk(line: AsteriskLine) -> None:
        await line.answer()
        await (await line.play(LONG)).finished()

    async with office(ari, desk := Desk(talk)):
        await caller.dial()
        await caller.hang_up()
        assert await desk.ending() is HungUp
        await asyncio.sleep(0.3)
        assert await ari.channels() == []


async def test_the_caller_reaches_the_agents(ari: Ari, caller: Caller) -> None:
    async def talk(line: AsteriskLine) -> bool:
        await line.answer()
        await line.play(LONG)
        await line.transfer_to_agent()
        return line.has_left

    async with office(ari, desk := Desk(talk)):
        await caller.dial()
        assert await desk.ending() is True
        trunk = [one for one in await ari.channels() if one.name.startswith("PJSIP")]
        assert [one.in_stasis for one in trunk] == [False]
        await caller.hang_up()
        await asyncio.sleep(0.3)


async def test_a_daemon_that_starts_again_leaves_no_caller_stuck(ari: Ari, caller: Caller) -> None:
    async def talk(line: AsteriskLine) -> None:
        await line.answer()
        await line.next_key()

    # Not through `office`: this daemon dies without a word.
    desk = Desk(talk)
    dead: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as tasks:
        router = Router(ari, "saldo", {"inbound": desk.take_call}, tasks)
        dead.append(tasks.create_task(router.run()))
        await asyncio.wait_for(router.stream.connected.wait(), 5)
        await caller.dial()
        dead[0].cancel()
        async with office(ari, Desk(talk)):
            await asyncio.sleep(1.0)
            ours = await ari.application("saldo")
            assert ours is not None
            assert not ours.channel_ids
        await caller.hang_up()
        await asyncio.sleep(0.3)
        for task in router._calls.values():
            task.cancel()
