"""A caller whom an agent passed on, through the real dial plan back to that agent."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ivr.lab import pbx as lab_pbx
from ivr.lab.packages import Tree
from ivr.lab.pbx import PbxInfo
from ivr.lab.sip_headers import HeaderRelay
from ivr.lab.softphone import Softphone
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from tests.telephony.agents_telephone import agents_telephone
from tests.telephony.office import AGENTS, Desk, office

pytestmark = pytest.mark.e2e

LONG = ["sound:hello-world"] * 10
CALLER = "<sip:+34600100200@127.0.0.1>"
NOT_PAID = {"result": "not-paid"}
HIDDEN = '"Anonymous" <sip:anonymous@anonymous.invalid>'


@pytest.fixture(scope="module")
def pbx(tree: Tree) -> Iterator[PbxInfo]:
    folder = Path(tempfile.mkdtemp(prefix="saldo-back-"))
    try:
        yield lab_pbx.start(folder, tree, folder / "sounds")
    finally:
        lab_pbx.stop(folder)
        shutil.rmtree(folder)


@pytest.fixture
async def ari(pbx: PbxInfo) -> AsyncIterator[Ari]:
    async with Ari(pbx.ari_url, pbx.ari_user, pbx.ari_password) as ari:
        yield ari


Calling = Callable[..., Awaitable[None]]


@pytest.fixture
async def calls(tree: Tree, pbx: PbxInfo) -> AsyncIterator[Calling]:
    """Dials with such headers."""
    phone = Softphone(tree, 60, lambda *_: None)
    relays: list[HeaderRelay] = []

    async def call(headers: Mapping[str, str], caller: str = CALLER, to: str = "pay") -> None:
        relays.append(await HeaderRelay.open((pbx.sip_host, pbx.sip_port), headers))
        await phone.start(f"{caller};regint=0;ptime=20;audio_codecs=PCMU")
        await phone.command("dial", f"sip:{to}@127.0.0.1:{relays[0].port}")

    yield call
    await phone.close()
    for relay in relays:
        await relay.close()


@asynccontextmanager
async def somebody_talks(
    ari: Ari, words: Mapping[str, str], *, transfer: bool = False
) -> AsyncIterator[list[AsteriskLine]]:
    """A conversation during which word is left, and which then dies, or ends as it should."""

    async def talk(line: AsteriskLine) -> None:
        await line.answer()
        await line.play(LONG)
        await asyncio.sleep(0.2)
        async with asyncio.timeout(1):  # what is playing is stopped, or it would have to end first
            await line.leave_word(words)
        if transfer:
            await line.transfer_to_agent()
        else:
            await ari.continue_in_dialplan(line.channel_id, AGENTS.context, AGENTS.extension)

    async with office(ari, desk := Desk(talk)):
        yield desk.lines


async def the_recorded_agent_talks(ari: Ari) -> None:
    async with asyncio.timeout(15):
        while not any("agent@lab-agents" in one.name for one in await ari.channels()):  # noqa: ASYNC110 - the PBX has to be asked again
            await asyncio.sleep(0.1)


async def test_the_agent_is_told_the_result_and_an_engaged_one_is_replaced_by_the_queue(
    ari: Ari, calls: Calling
) -> None:
    words = {"paid": "42.50 EUR + 9.99 USD", "confirmation": "12345678 + 8", "result": "paid"}
    async with agents_telephone() as agent, somebody_talks(ari, words, transfer=True) as lines:
        await calls({"X-Saldo-Back": str(agent.port), "X-Saldo-Handoff": "case-7"})
        headers, name, number = await agent.called()
        assert headers == {
            "X-Saldo-Result": "paid",
            "X-Saldo-Paid": "42.50 EUR + 9.99 USD",
            "X-Saldo-Confirmation": "12345678 + 8",
            "X-Saldo-Handoff": "case-7",
        }
        assert name == "paid 42.50 EUR + 9.99 USD 12345678 + 8"
        assert number == "+34600100200"
        assert lines[0].hints["back"] == str(agent.port)
        await the_recorded_agent_talks(ari)


@pytest.mark.parametrize(
    ("words", "result"),
    [({"paid": "42.50 EUR", "confirmation": "12345678"}, "paid"), ({}, "unknown")],
)
async def test_a_saldo_that_dies_does_not_hide_what_was_paid(
    ari: Ari, calls: Calling, words: dict[str, str], result: str
) -> None:
    async with agents_telephone() as agent, somebody_talks(ari, words):
        await calls({"X-Saldo-Back": str(agent.port)})
        headers, name, _ = await agent.called()
        assert headers["X-Saldo-Result"] == result
        assert name == " ".join([result, *words.values()])


async def test_with_saldo_away_the_caller_goes_back_at_once(calls: Calling) -> None:
    async with agents_telephone() as agent:
        await calls({"X-Saldo-Back": str(agent.port)})
        headers, name, _ = await agent.called()
        assert (headers, name) == ({"X-Saldo-Result": "failed"}, "failed")


async def test_the_name_shown_tells_the_result_of_a_hidden_caller_too(
    ari: Ari, calls: Calling
) -> None:
    async with agents_telephone() as agent, somebody_talks(ari, NOT_PAID, transfer=True):
        await calls({"X-Saldo-Back": str(agent.port), "Privacy": "id"}, HIDDEN)
        headers, name, number = await agent.called()
        assert headers == {"X-Saldo-Result": "not-paid"}
        assert (name, number) == ("not-paid", "anonymous")


async def they_talk(ari: Ari) -> None:
    """The PBX joins both a moment after the agent's telephone has answered."""
    async with asyncio.timeout(5):
        while not any(len(one.channel_ids) > 1 for one in await ari.bridges()):  # noqa: ASYNC110 - the PBX has to be asked again
            await asyncio.sleep(0.05)


async def transferred(pbx: PbxInfo, channel: str, to: str) -> None:
    """What a telephone's transfer key does in the end."""
    reader, writer = await asyncio.open_connection(pbx.ami_host, pbx.ami_port)
    for action in (
        f"Login\r\nUsername: {pbx.ami_user}\r\nSecret: {pbx.ami_password}",
        f"BlindTransfer\r\nChannel: {channel}\r\nContext: from-trunk\r\nExten: {to}",
        "Logoff",
    ):
        writer.write(f"Action: {action}\r\n\r\n".encode())
    text = (await asyncio.wait_for(reader.read(), 10)).decode()
    writer.close()
    assert "Transfer succeeded" in text


async def test_an_agent_of_this_pbx_transfers_the_caller_and_gets_them_back(
    pbx: PbxInfo, ari: Ari, calls: Calling
) -> None:
    async def talk(line: AsteriskLine) -> None:
        assert (line.hints["back"], line.hints["account"]) == ("lab-agent", "1042")
        await line.leave_word(NOT_PAID)
        await line.transfer_to_agent()

    async with agents_telephone(answers=True) as agent, office(ari, desk := Desk(talk)):
        await calls({}, to=f"talk{agent.port}")
        assert (await agent.called())[0] == {}
        await asyncio.wait_for(agent.answered.wait(), 5)
        await they_talk(ari)
        (own,) = [one.name for one in await ari.channels() if "lab-agent" in one.name]
        await transferred(pbx, own, "line")
        await desk.ending()
        assert (await agent.called())[0] == {"X-Saldo-Result": "not-paid"}


async def test_what_an_earlier_visit_left_is_not_told_again(ari: Ari, calls: Calling) -> None:
    earlier = {"paid": "42.50 EUR", "confirmation": "12345678", "result": "paid"}

    async def talk(line: AsteriskLine) -> None:
        if not desk.lines[1:]:
            await line.leave_word(earlier)
            await ari.continue_in_dialplan(line.channel_id, "saldo-inbound", "start")
        else:
            await line.transfer_to_agent()

    async with agents_telephone() as agent, office(ari, desk := Desk(talk)):
        await calls({"X-Saldo-Back": str(agent.port)})
        assert (await agent.called())[0] == {"X-Saldo-Result": "unknown"}


@pytest.mark.parametrize(
    "back",
    ["34911234567", "trunk", "pay", "i", "1),Hangup(", "sip:x@198.51.100.1"],
)
async def test_who_is_not_listed_is_not_rung_and_the_queue_has_the_caller(
    ari: Ari, calls: Calling, back: str
) -> None:
    async with somebody_talks(ari, NOT_PAID, transfer=True):
        await calls({"X-Saldo-Back": back})
        await the_recorded_agent_talks(ari)
        names = {one.name.partition("-")[0] for one in await ari.channels()}
        assert names == {"PJSIP/trunk", "Local/agent@lab"}
