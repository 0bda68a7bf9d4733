"""Talks of agents and callers at a fake PBX: found, lent, commanded, given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from ivr.billing.assisted_captures import FieldProgress, FieldState, Talk
from ivr.billing.captures import CaptureField, ErrorType
from ivr.billing.errors import TalkNotFound, TalkRecorded, TalkUnreachable
from ivr.telephony import muting as muting_module
from ivr.telephony.ami import Destination
from ivr.telephony.ari import Ari
from ivr.telephony.assisting import AsteriskTalks, told
from ivr.telephony.errors import PbxUnreachable, Refused, TelephonyError
from ivr.telephony.events import ChannelUserevent, parse
from ivr.telephony.lending import CAPTURE_ALIVE, CAPTURE_COMMAND, CAPTURE_ENDED, CAPTURE_PROGRESS
from ivr.telephony.muting import FILENAME, MARK, Muting, is_muted
from ivr.telephony.places import SecurePart
from tests.fakes.asterisk import PASSWORD, USER, FakeChannel
from tests.fakes.media import FakeMediaPbx
from tests.telephony.office import AGENTS, Desk, office, settled

CAPTURE = uuid4()


@dataclass
class FakeManager:
    """Notes what AMI is asked; `files` are those that MixMonitors write, by channel."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    fails: dict[str, TelephonyError] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    """what is noted on the channels of the muting"""
    connected: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.connected.set()

    async def variable(self, channel: str, name: str) -> str:
        return (self.files if name == FILENAME else self.marks).get(channel, "")

    async def set_variable(self, channel: str, name: str, value: str) -> None:
        if name == MARK:
            self.marks[channel] = value
        else:
            self._ask("set", channel, name, value)

    async def mute_recordings(self, channel: str, *, muted: bool) -> None:
        self._ask("mute" if muted else "unmute", channel)

    async def redirect(self, context: str, first: Destination, second: Destination) -> None:
        legs = (first.channel, first.extension, second.channel, second.extension)
        self._ask("redirect", context, *legs)

    def _ask(self, what: str, *about: str) -> None:
        self.asked.append((what, *about))
        if what in self.fails:
            raise self.fails[what]


class Exchange:
    """The PBX, and our view of its talks."""

    def __init__(self, pbx: FakeMediaPbx, ari: Ari) -> None:
        self.pbx = pbx
        self.manager = FakeManager()
        self.muting = Muting(ari, self.manager, "saldo", "saldo-capture")
        self.is_alive = True
        secure = SecurePart("saldo-capture", 600, is_alive=lambda: self.is_alive)
        self.talks = AsteriskTalks(
            ari, self.manager, self.muting, secure, AGENTS, is_connected=lambda: True
        )

    def leg(self, channel_id: str, **has: Any) -> None:
        since = f"2026-11-23T02:00:{channel_id.zfill(2)}.000+0000"
        self.pbx.channels[channel_id] = FakeChannel(channel_id, "", **{"since": since, **has})

    def talk(self) -> None:
        """A caller whom the queue has given to an agent."""
        self.leg("1", doing="Queue", number="+447700900199")
        self.leg("2", doing="AppQueue", number="201")
        self.pbx.bridges["b"] = ["2", "1"]

    async def held(self) -> Talk:
        """The talk is in the secure part."""
        self.talk()
        talk = await self.talks.find("1", "")
        for channel in self.pbx.channels.values():
            channel.app = "saldo-capture"
        return talk


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with FakeMediaPbx() as pbx, Ari(pbx.url, USER, PASSWORD, answer_seconds=1.0) as ari:
        yield Exchange(pbx, ari)


async def test_a_talk_of_two_is_listed_with_the_agent_as_whom_the_queue_called(
    exchange: Exchange,
) -> None:
    exchange.talk()
    (talk,) = await exchange.talks.going_on()
    assert (talk.caller.channel_id, talk.caller.channel) == ("1", "PJSIP/trunk-1")
    assert (talk.caller.number, talk.agent.number) == ("+447700900199", "201")
    assert talk.since.startswith("2026-11-23T02:00:01")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"doing": "Dial"}, {"doing": "AppDial"}),
        ({"doing": "Bridge", "context": "saldo-assist", "extension": "talk"}, {"doing": "AppDial"}),
        ({"doing": "Bridge"}, {"context": "saldo-assist", "extension": "wait", "since": "1970"}),
        ({"doing": "Bridge"}, {"doing": "Bridge"}),
    ],
)
async def test_caller_and_agent_are_told_apart(
    exchange: Exchange, one: dict[str, str], other: dict[str, str]
) -> None:
    exchange.leg("1", **one)
    exchange.leg("2", **other)
    exchange.pbx.bridges["b"] = ["2", "1"]
    (talk,) = await exchange.talks.going_on()
    assert (talk.caller.channel_id, talk.agent.channel_id) == ("1", "2")


async def test_three_in_a_bridge_one_alone_and_calls_of_applications_are_no_talks(
    exchange: Exchange,
) -> None:
    for number in range(1, 7):
        exchange.leg(str(number))
    exchange.pbx.channels["6"].app = "saldo"
    exchange.pbx.bridges.update({"a": ["1", "2", "3"], "b": ["4"], "c": ["5", "6"], "d": []})
    assert await exchange.talks.going_on() == []
    for channel in ("1", "4", "5", "6", "nobody"):
        with pytest.raises(TalkNotFound):
            await exchange.talks.find(channel, "")


async def test_a_talk_through_a_local_channel_is_one_talk(exchange: Exchange) -> None:
    """As with queue members named Local/201@agents: two bridges, one conversation."""
    exchange.leg("1", doing="Queue")
    exchange.leg("2", doing="AppQueue", name="Local/201@agents-00000000;1")
    exchange.leg("3", doing="Dial", name="Local/201@agents-00000000;2")
    exchange.leg("4", doing="AppDial")
    exchange.pbx.bridges.update({"a": ["3", "4"], "b": ["1", "2"]})
    (talk,) = await exchange.talks.going_on()
    assert (talk.caller.channel_id, talk.agent.channel_id) == ("1", "2")
    with pytest.raises(TalkNotFound, match="caller's own"):
        await exchange.talks.find("3", "")


async def test_whose_card_it_is_says_who_asks(exchange: Exchange) -> None:
    """Also when the agent called the customer: then Dial's called leg is the customer."""
    exchange.talk()
    talk = await exchange.talks.find("PJSIP/trunk-2", "1")
    assert (talk.caller.channel_id, talk.agent.channel_id) == ("2", "1")
    assert await exchange.talks.find("2", "PJSIP/trunk-1") == talk
    with pytest.raises(TalkNotFound, match="agent's channel"):
        await exchange.talks.find("1", "3")


async def test_both_are_sent_at_once_and_each_knows_the_capture_and_the_other(
    exchange: Exchange,
) -> None:
    exchange.talk()
    await exchange.talks.lend(await exchange.talks.find("1", ""), CAPTURE)
    caller, agent = "PJSIP/trunk-1", "PJSIP/trunk-2"
    assert exchange.manager.asked == [
        ("set", caller, "SALDO_CAPTURE", str(CAPTURE)),
        ("set", caller, "SALDO_PARTNER", agent),
        ("set", agent, "SALDO_CAPTURE", str(CAPTURE)),
        ("set", agent, "SALDO_PARTNER", caller),
        ("mute", "1"),
        ("mute", "2"),
        ("redirect", "saldo-assist", caller, "caller", agent, "agent"),
    ]


@pytest.mark.parametrize(
    ("what", "trouble", "raised"),
    [
        ("set", Refused(400, "no"), TalkNotFound),
        ("set", PbxUnreachable("away"), TalkUnreachable),
        ("redirect", Refused(400, "no"), TalkNotFound),
    ],
)
async def test_a_talk_that_cannot_be_lent_is_told_and_recorded_on(
    exchange: Exchange, what: str, trouble: TelephonyError, raised: type[Exception]
) -> None:
    exchange.talk()
    exchange.manager.fails[what] = trouble
    with pytest.raises(raised):
        await exchange.talks.lend(await exchange.talks.find("1", ""), CAPTURE)
    orders = [order for order, *_ in exchange.manager.asked]
    assert orders.count("unmute") == orders.count("mute")
    assert set(exchange.manager.marks.values()) <= {""}


async def test_what_the_pbx_records_of_both_is_muted_until_they_are_out_again(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(muting_module, "LOOK_SECONDS", 0.01)
    exchange.talk()
    exchange.manager.files = {"1": "/monitor/caller.wav", "2": "/monitor/agent.wav"}
    looking = asyncio.create_task(exchange.muting.run())
    await exchange.talks.lend(await exchange.talks.find("1", ""), CAPTURE)
    await asyncio.sleep(0.1)  # still on their way
    for channel, file in exchange.manager.files.items():
        assert is_muted(exchange.manager.marks[channel], file)
    async with Ari(exchange.pbx.url, USER, PASSWORD) as capture:
        socket = await capture.listen("saldo-capture")
        await exchange.pbx.connected("saldo-capture")
        for each in exchange.pbx.channels.values():
            each.app = "saldo-capture"
        await asyncio.sleep(0.1)
        assert ("unmute", "1") not in exchange.manager.asked
        exchange.pbx.channels["2"].app = ""
        await asyncio.sleep(0.1)
        await socket.close()
    assert exchange.manager.asked[-1] == ("unmute", "2")
    assert is_muted(exchange.manager.marks["1"], "/monitor/caller.wav")
    assert exchange.manager.marks["2"] == ""
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def test_a_talk_whose_recording_cannot_be_muted_is_left_as_it_is(exchange: Exchange) -> None:
    exchange.talk()
    exchange.manager.fails["mute"] = Refused(400, "Permission denied")
    with pytest.raises(TalkRecorded, match=r"Permission denied: give saldo's user .* write = call"):
        await exchange.talks.lend(await exchange.talks.find("1", ""), CAPTURE)
    asked = exchange.manager.asked
    assert [what for what, *_ in asked if what == "redirect"] == []
    assert asked[-2:] == [("unmute", "1"), ("unmute", "2")]


async def test_a_redirect_without_an_answer_may_have_been_done(exchange: Exchange) -> None:
    exchange.talk()
    exchange.manager.fails["redirect"] = PbxUnreachable("no answer")
    await exchange.talks.lend(await exchange.talks.find("1", ""), CAPTURE)


async def test_commands_reach_the_secure_process_by_name(exchange: Exchange) -> None:
    with pytest.raises(TalkUnreachable):
        await exchange.talks.tell(CAPTURE, "cancel")
    async with Ari(exchange.pbx.url, USER, PASSWORD) as capture:
        socket = await capture.listen("saldo-capture")
        await exchange.pbx.connected("saldo-capture")
        await exchange.talks.tell(CAPTURE, "ask", CaptureField.SECURITY_CODE)
        await exchange.talks.tell(CAPTURE, "complete")
        heard = [parse((await socket.receive()).data) for _ in range(2)]
        await socket.close()
    assert [type(event) for event in heard] == [ChannelUserevent] * 2
    ask, complete = (event for event in heard if isinstance(event, ChannelUserevent))
    assert ask.name == complete.name == CAPTURE_COMMAND
    both = {"capture": str(CAPTURE)}
    assert dict(ask.variables) == {**both, "action": "ask", "field": "security-code"}
    assert dict(complete.variables) == {**both, "action": "complete"}


async def test_the_secure_process_is_away_when_it_is_dead_or_not_connected(
    exchange: Exchange,
) -> None:
    assert await exchange.talks.is_secure_part_away()
    await exchange.held()
    assert not await exchange.talks.is_secure_part_away()
    exchange.is_alive = False
    assert await exchange.talks.is_secure_part_away()


async def test_a_held_talk_goes_on_in_the_dial_plan_the_agent_first(exchange: Exchange) -> None:
    talk = await exchange.held()
    assert await exchange.talks.is_held(talk)
    await exchange.talks.give_back(talk)
    assert not await exchange.talks.is_held(talk)
    orders = [done for done in exchange.pbx.done if done.startswith("continue")]
    assert orders == ["continue 2 saldo-assist wait", "continue 1 saldo-assist talk"]


async def test_a_caller_left_alone_goes_to_the_queue(exchange: Exchange) -> None:
    talk = await exchange.held()
    del exchange.pbx.channels["2"]
    await exchange.talks.give_back(talk)
    assert exchange.pbx.done[-1] == "continue 1 agents queue"


async def test_an_agent_left_alone_is_hung_up(exchange: Exchange) -> None:
    talk = await exchange.held()
    del exchange.pbx.channels["1"]
    await exchange.talks.give_back(talk)
    assert exchange.pbx.channels == {}


async def test_who_is_back_already_is_left_alone(exchange: Exchange) -> None:
    talk = await exchange.held()
    for channel in exchange.pbx.channels.values():
        channel.app = ""
    await exchange.talks.give_back(talk)
    assert not [done for done in exchange.pbx.done if done.startswith("continue")]


async def test_a_pbx_that_is_away_is_told_as_such(exchange: Exchange) -> None:
    talk = await exchange.held()
    async with Ari("http://127.0.0.1:1", USER, PASSWORD) as nowhere:
        secure = SecurePart("saldo-capture", 600)
        parts = (nowhere, exchange.manager, exchange.muting, secure, AGENTS)
        away = AsteriskTalks(*parts, is_connected=lambda: False)
        for request in (
            away.going_on(),
            away.is_held(talk),
            away.give_back(talk),
            away.is_secure_part_away(),
        ):
            with pytest.raises(TalkUnreachable):
                await request
        assert not away.hears


@dataclass
class Heard:
    """What was passed on."""

    all: list[tuple[UUID, CaptureField | None, FieldProgress | None, bool]] = field(
        default_factory=list
    )

    def __call__(
        self,
        capture_id: UUID,
        about: CaptureField | None = None,
        progress: FieldProgress | None = None,
        *,
        is_ended: bool = False,
    ) -> None:
        self.all.append((capture_id, about, progress, is_ended))


PROGRESS = {
    "capture": str(CAPTURE),
    "field": "payment-card-number",
    "state": "wrong",
    "masked": "•••• 1111",
    "attempt": "2",
    "error_type": "invalid-card-number",
}


def test_what_the_secure_process_tells_is_passed_on() -> None:
    heard = Heard()
    told(ChannelUserevent("", CAPTURE_ALIVE, {"capture": str(CAPTURE)}), heard)
    told(ChannelUserevent("", CAPTURE_PROGRESS, PROGRESS), heard)
    told(ChannelUserevent("", CAPTURE_ENDED, {"capture": str(CAPTURE), "result": "x"}), heard)
    wrong = FieldProgress(FieldState.WRONG, "•••• 1111", 2, ErrorType.INVALID_CARD_NUMBER)
    assert heard.all == [
        (CAPTURE, None, None, False),
        (CAPTURE, CaptureField.CARD_NUMBER, wrong, False),
        (CAPTURE, None, None, True),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"field": "pin"},
        {"state": "odd"},
        {"attempt": "many"},
        {"error_type": "odd"},
        {"capture": "x"},
    ],
)
def test_what_is_not_understood_is_left_out(change: dict[str, str]) -> None:
    heard = Heard()
    told(ChannelUserevent("", CAPTURE_PROGRESS, {**PROGRESS, **change}), heard)
    assert heard.all == []


async def test_messages_of_other_programs_come_through_the_router(exchange: Exchange) -> None:
    messages: list[ChannelUserevent] = []

    async def talk(_: object) -> None:
        await asyncio.sleep(5)

    async with (
        Ari(exchange.pbx.url, USER, PASSWORD) as ari,
        office(ari, Desk(talk), on_message=messages.append),
    ):
        await ari.user_event(CAPTURE_PROGRESS, "saldo", PROGRESS)
        await settled()
    assert [message.name for message in messages] == [CAPTURE_PROGRESS]
    assert dict(messages[0].variables) == PROGRESS
