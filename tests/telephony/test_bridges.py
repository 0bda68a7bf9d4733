"""The bridge of a caller and an agent against a fake PBX: what is asked of it, in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiohttp import web

from ivr.telephony import bridges
from ivr.telephony.ari import Ari
from ivr.telephony.bridges import (
    KEYS_MODE,
    PARTNER_VARIABLE,
    TalkBridge,
    give_back,
    rejoin,
    sweep,
)
from ivr.telephony.errors import ChannelGone
from tests.fakes.asterisk import PASSWORD, USER, FakeChannel
from tests.fakes.media import FakeMediaPbx

CAPTURE = UUID("6f2f1c1e-54a5-4f7a-8d2a-0f6d7c9c1a11")


@pytest.fixture
async def pbx() -> AsyncIterator[FakeMediaPbx]:
    async with FakeMediaPbx() as pbx:
        for role, other in (("caller", "agent"), ("agent", "caller")):
            pbx.channels[role] = FakeChannel(
                role,
                "saldo-capture",
                context="saldo-assist",
                extension=role,
                variables={PARTNER_VARIABLE: f"PJSIP/trunk-{other}"},
            )
        yield pbx


@pytest.fixture
async def ari(pbx: FakeMediaPbx) -> AsyncIterator[Ari]:
    async with Ari(pbx.url, USER, PASSWORD, answer_seconds=0.5) as ari:
        yield ari


@pytest.fixture
def bridge(ari: Ari) -> TalkBridge:
    return TalkBridge(ari, CAPTURE, "caller", "agent")


async def test_only_the_callers_keys_are_absorbed(pbx: FakeMediaPbx, bridge: TalkBridge) -> None:
    await bridge.open()
    assert pbx.done == [
        f"variable {KEYS_MODE}",
        "create_bridge mixing,dtmf_events",
        "add_to_bridge absorbs",
        "add_to_bridge",
    ]
    assert pbx.bridges == {f"talk-{CAPTURE}": ["caller", "agent"]}
    await bridge.close()
    assert pbx.bridges == {}


@pytest.mark.parametrize("mode", ["rfc4733", "info", "inband", "auto", ""])
async def test_keys_are_heard_unless_the_pbx_is_sure_that_they_are_not(
    pbx: FakeMediaPbx, bridge: TalkBridge, mode: str
) -> None:
    pbx.keys_mode = mode
    await bridge.open()
    assert bridge.keys_are_heard == (mode not in ("rfc4733", "info"))


async def test_a_hushed_caller_is_muted_and_the_agent_hears_silence(
    pbx: FakeMediaPbx, bridge: TalkBridge
) -> None:
    await bridge.unhush()
    await bridge.hush()
    await bridge.hush()
    await bridge.unhush()
    await bridge.unhush()
    assert pbx.done == [
        "mute caller in",
        "start_silence agent",
        "unmute caller in",
        "stop_silence agent",
    ]


async def test_a_hush_that_failed_in_the_middle_is_undone_all_the_same(
    pbx: FakeMediaPbx, bridge: TalkBridge
) -> None:
    del pbx.channels["agent"]
    with pytest.raises(ChannelGone):
        await bridge.hush()
    await bridge.unhush()
    assert "unmute caller in" in pbx.done


async def test_bridges_of_talks_that_went_on_without_us_are_swept(
    pbx: FakeMediaPbx, ari: Ari
) -> None:
    pbx.bridges = {"talk-old": [], "talk-now": ["c3"], "another": []}
    await sweep(ari)
    assert set(pbx.bridges) == {"talk-now", "another"}


@pytest.mark.parametrize("found", ["caller", "agent"])
async def test_a_talk_that_a_dead_process_left_goes_on(
    pbx: FakeMediaPbx, ari: Ari, bridge: TalkBridge, found: str
) -> None:
    await bridge.open()
    assert await give_back(ari, found)
    assert await give_back(ari, "agent" if found == "caller" else "caller")
    continued = [one for one in pbx.done if one.startswith("continue")]
    assert continued[0] == "continue agent saldo-assist wait"
    assert continued[-1] == "continue caller saldo-assist talk"
    assert pbx.bridges == {}


@pytest.fixture
def agent_at_the_callers_order(pbx: FakeMediaPbx) -> list[str]:
    """The application that the agent was in when the caller was sent to fetch them."""
    found: list[str] = []

    async def look() -> None:
        if pbx.done[-1] == "continue caller saldo-assist talk":
            found.append(pbx.channels["agent"].app)

    pbx.before["continue"] = look
    return found


@pytest.mark.parametrize("found", ["caller", "agent"])
async def test_the_caller_fetches_the_agent_only_once_they_wait_in_the_dial_plan(
    pbx: FakeMediaPbx,
    ari: Ari,
    bridge: TalkBridge,
    found: str,
    agent_at_the_callers_order: list[str],
) -> None:
    pbx.leave_seconds = 0.1
    await bridge.open()
    await give_back(ari, found)
    if found == "agent":
        await give_back(ari, "caller")
    assert agent_at_the_callers_order == [""]


async def test_an_agent_whom_somebody_else_sent_away_is_waited_for_too(
    pbx: FakeMediaPbx, ari: Ari, agent_at_the_callers_order: list[str]
) -> None:
    """No bridge tells who they are: the agent has left it and is still in our application."""
    pbx.leave_seconds = 0.1
    await ari.continue_in_dialplan("agent", "saldo-assist", "wait")
    await give_back(ari, "caller")
    assert agent_at_the_callers_order == [""]


async def test_two_who_give_the_same_talk_back_do_no_harm(
    pbx: FakeMediaPbx, ari: Ari, bridge: TalkBridge, agent_at_the_callers_order: list[str]
) -> None:
    pbx.leave_seconds = 0.1
    await bridge.open()
    await asyncio.gather(rejoin(ari, "caller", "agent"), give_back(ari, "caller"))
    assert set(agent_at_the_callers_order) == {""}
    assert not any(one.startswith("continue caller saldo-assist wait") for one in pbx.done)
    assert not any(one.startswith("continue agent saldo-assist talk") for one in pbx.done)


async def test_an_agent_who_waits_already_is_not_taken_for_the_caller(
    pbx: FakeMediaPbx, ari: Ari
) -> None:
    pbx.channels["agent"].extension = "wait"
    assert await give_back(ari, "agent")
    assert not any(one.startswith("continue caller") for one in pbx.done)
    assert pbx.done[-2] == "continue agent saldo-assist wait"


async def test_a_caller_goes_on_though_the_agent_does_not_leave(
    pbx: FakeMediaPbx, ari: Ari, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridges, "LEAVE_SECONDS", 0.05)
    pbx.leave_seconds = 0.3
    await give_back(ari, "caller")
    assert pbx.done[-1] == "continue caller saldo-assist talk"


async def test_a_caller_whose_agent_is_gone_goes_on(pbx: FakeMediaPbx, ari: Ari) -> None:
    del pbx.channels["agent"]
    assert await give_back(ari, "caller")
    assert pbx.done[-1] == "continue caller saldo-assist talk"


async def test_a_bridge_that_somebody_else_takes_down_is_no_trouble(
    pbx: FakeMediaPbx, ari: Ari, bridge: TalkBridge
) -> None:
    async def refuses() -> None:
        raise web.HTTPConflict(text='{"message": "Bridge not in Stasis application"}')

    await bridge.open()
    pbx.before["destroy_bridge"] = refuses
    assert await give_back(ari, "caller")


async def test_a_caller_of_a_segment_is_no_end_of_a_talk(pbx: FakeMediaPbx, ari: Ari) -> None:
    pbx.channels["c1"] = FakeChannel("c1", "saldo-capture", context="saldo-inbound")
    assert not await give_back(ari, "c1")
