"""Who gets a channel that enters our application."""

import asyncio

import pytest
from aiohttp.web import HTTPServiceUnavailable

from ivr.telephony import router as module
from ivr.telephony.ari import Ari
from ivr.telephony.line import AsteriskLine
from tests.fakes.asterisk import FakeAsterisk, FakeChannel
from tests.telephony.office import Desk, office, settled


async def wait(line: AsteriskLine) -> None:
    await line.next_key()


async def test_every_call_has_a_task_of_its_own(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> str:
        return line.channel_id + await line.next_key()

    async with office(ari, desk := Desk(talk)) as router:
        await pbx.call("1")
        await pbx.call("2")
        await settled()
        assert router.calls == 2
        await pbx.press("2", "7")
        assert await desk.ending() == "27"
        await pbx.press("1", "8")
        assert await desk.ending() == "18"
        await settled()
        assert router.calls == 0


async def test_a_finished_conversation_leaves_no_channel(ari: Ari, pbx: FakeAsterisk) -> None:
    async with office(ari, desk := Desk(AsteriskLine.answer)):
        await pbx.call("1")
        await desk.ending()
        await settled()
        assert pbx.channels == {}


async def test_a_conversation_that_fails_hangs_up_and_disturbs_no_other(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def talk(line: AsteriskLine) -> str:
        if await line.next_key() == "0":
            raise RuntimeError("a fault of ours")
        return "fine"

    async with office(ari, desk := Desk(talk)) as router:
        await pbx.call("1")
        await pbx.call("2")
        await pbx.press("1", "0")
        await settled()
        assert list(pbx.channels) == ["2"]
        await pbx.press("2", "1")
        assert await desk.ending() == "fine"
        assert router.is_connected


async def test_a_conversation_that_fails_brings_a_caller_back_whom_an_agent_waits_for(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def fails(_: AsteriskLine) -> None:
        raise RuntimeError("a fault of ours")

    async with office(ari, Desk(fails)):
        await pbx.call("1", "inbound", "pay", "back=201")
        await settled()
        assert pbx.done[-1] == "continue 1 agents queue"


async def test_a_channel_with_arguments_nobody_knows_goes_to_the_agents(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async with office(ari, desk := Desk(wait)):
        for number, args in enumerate([("dialled-wrong",), ("returned", "x", "success"), ("",)]):
            await pbx.call(str(number), *args)
        expected = {f"continue {number} agents queue" for number in range(3)}
        async with asyncio.timeout(5):
            while not expected <= set(pbx.done):
                await settled()
        assert sum(one.startswith("continue") for one in pbx.done) == len(expected)
        assert desk.lines == []


async def test_callers_of_a_daemon_that_died_go_to_the_agents(ari: Ari, pbx: FakeAsterisk) -> None:
    pbx.channels["left over"] = FakeChannel("left over", "saldo")
    async with office(ari, Desk(wait)):
        await asyncio.sleep(0.7)
        assert pbx.done[-1] == "continue left over agents queue"


async def test_a_pbx_that_stumbles_keeps_no_such_caller(
    ari: Ari, pbx: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumbles() -> None:
        del pbx.before["continue"]
        raise HTTPServiceUnavailable

    monkeypatch.setattr(module, "RELEASE_PAUSES_SECONDS", (0.01, 0.01))
    pbx.before["continue"] = stumbles
    async with office(ari, Desk(wait)):
        await pbx.call("1", "what")
        await settled()
        assert pbx.done[-2:] == ["continue 1 agents queue"] * 2
        assert pbx.channels["1"].app == ""


async def test_without_agents_such_callers_are_hung_up(ari: Ari, pbx: FakeAsterisk) -> None:
    async with office(ari, Desk(wait), agents=None):
        await pbx.call("1", "what")
        await settled()
        assert pbx.done[-1] == "hang_up 1"


async def test_what_becomes_of_them_can_be_decided(ari: Ari, pbx: FakeAsterisk) -> None:
    seen: list[str] = []

    async def decide(channel_id: str) -> None:
        seen.append(channel_id)

    async with office(ari, Desk(wait), on_orphan=decide):
        await pbx.call("1", "what")
        await settled()
        assert seen == ["1"]


async def test_a_caller_given_to_somebody_who_is_away_goes_to_the_agents(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async def give_back(channel_id: str) -> None:
        await ari.move(channel_id, "serve", ("returned",))

    async with office(ari, Desk(wait), on_orphan=give_back):
        await pbx.call("1", "what")
        await settled()
        assert pbx.done[-2:] == ["move 1 serve returned", "continue 1 agents queue"]


async def test_draining_lets_running_calls_finish_and_sends_new_ones_to_the_agents(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async with office(ari, desk := Desk(wait)) as router:
        await pbx.call("1")
        await settled()
        draining = asyncio.create_task(router.drain(5))
        await settled()
        await pbx.call("2")
        await settled()
        assert pbx.done[-1] == "continue 2 agents queue"
        assert not draining.done()
        await pbx.press("1", "5")
        await desk.ending()
        await asyncio.wait_for(draining, 1)
        assert "1" not in pbx.channels


async def test_draining_nothing_takes_no_time(ari: Ari, pbx: FakeAsterisk) -> None:
    async with office(ari, Desk(wait)) as router:
        await asyncio.wait_for(router.drain(60), 0.1)


async def test_a_call_that_outlasts_draining_goes_to_the_agents(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async with office(ari, Desk(wait)) as router:
        await pbx.call("1")
        await settled()
        await router.drain(0.05)
        assert pbx.done[-1] == "continue 1 agents queue"
        assert router.calls == 0


async def test_the_same_channel_may_come_twice(ari: Ari, pbx: FakeAsterisk) -> None:
    async def talk(line: AsteriskLine) -> str:
        return await line.next_key()

    async with office(ari, desk := Desk(talk)):
        await pbx.call("1")
        await pbx.press("1", "1")
        assert await desk.ending() == "1"
        await settled()
        await pbx.call("1")
        await pbx.press("1", "2")
        assert await desk.ending() == "2"
        assert len({line.arrived.id for line in desk.lines}) == 2
