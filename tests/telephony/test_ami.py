"""The manager interface against a scripted peer that says what Asterisk 22.10.1 said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from ivr.telephony import ami as module
from ivr.telephony.ami import Ami, Destination
from ivr.telephony.errors import BadCredentials, PbxUnreachable, Refused

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
ACCEPTED = "Response: Success\r\nActionID: {id}\r\nMessage: Authentication accepted\r\n\r\n"
REJECTED = "Response: Error\r\nActionID: {id}\r\nMessage: Authentication failed\r\n\r\n"
PONG = "Response: Success\r\nActionID: {id}\r\nPing: Pong\r\nTimestamp: 1795365781.104262\r\n\r\n"
DONE = "Response: Success\r\nActionID: {id}\r\nMessage: Redirect successful\r\n\r\n"
DENIED = "Response: Error\r\nActionID: {id}\r\nMessage: Permission denied\r\n\r\n"
MUTED = "Response: Success\r\nActionID: {id}\r\n\r\n"
NOTHING_TO_MUTE = "Response: Error\r\nActionID: {id}\r\nMessage: Cannot set mute flag\r\n\r\n"
VALUE = "Response: Success\r\nActionID: {id}\r\nVariable: X\r\nValue: /a b/c.wav\r\n\r\n"
NO_VALUE = "Response: Success\r\nActionID: {id}\r\nVariable: X\r\nValue: \r\n\r\n"
NO_CHANNEL = "Response: Error\r\nActionID: {id}\r\nMessage: No such channel\r\n\r\n"
LIST_BEGINS = (
    "Response: Success\r\nActionID: {id}\r\nEventList: start\r\n"
    "Message: Queue summary will follow\r\n\r\n"
)
SUMMARY = (
    "Event: QueueSummary\r\nQueue: agents\r\nLoggedIn: 3\r\nAvailable: 1\r\nCallers: 0\r\n"
    "HoldTime: 0\r\nTalkTime: 0\r\nLongestHoldTime: 0\r\nActionID: {id}\r\n\r\n"
)
LIST_ENDS = (
    "Event: QueueSummaryComplete\r\nActionID: {id}\r\nEventList: Complete\r\nListItems: 1\r\n\r\n"
)


class Peer:
    """Answers each action by name; says nothing where the answer is empty."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {
            "Login": ACCEPTED,
            "Ping": PONG,
            "QueueSummary": LIST_BEGINS + SUMMARY + LIST_ENDS,
            "Setvar": DONE,
            "Redirect": DONE,
            "MixMonitorMute": MUTED,
            "Getvar": VALUE,
        }
        self.actions: list[dict[str, str]] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.chop = 1 << 20
        """send in pieces of so many bytes"""
        self.port = 0

    def count(self, name: str) -> int:
        return sum(action["Action"] == name for action in self.actions)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        writer.write(BANNER)
        try:
            while True:
                text = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in text.split("\r\n") if line)
                self.actions.append(action)
                answer = self.answers[action["Action"]].replace("{id}", action["ActionID"])
                data = answer.encode()
                for start in range(0, len(data), self.chop):
                    writer.write(data[start : start + self.chop])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    yield peer
    peer.hang_up()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.02)


@asynccontextmanager
async def connected(
    peer: Peer, *, ping_seconds: float = 60, answer_seconds: float = 5
) -> AsyncIterator[Ami]:
    how = {"answer_seconds": answer_seconds, "ping_seconds": ping_seconds}
    ami = Ami("127.0.0.1", peer.port, "saldo", "s3", **how)
    running = asyncio.create_task(ami.run())
    try:
        await asyncio.wait_for(ami.connected.wait(), 5)
        yield ami
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - the peer only counts
            await asyncio.sleep(0.005)


async def test_agents_who_are_logged_in_are_counted(peer: Peer) -> None:
    async with connected(peer) as ami:
        assert await ami.queue_members_available("agents") == 3
        login = peer.actions[0]
        assert (login["Username"], login["Secret"], login["Events"]) == ("saldo", "s3", "off")


@pytest.mark.parametrize("chop", [1, 7])
async def test_an_answer_in_small_pieces_is_put_together(peer: Peer, chop: int) -> None:
    peer.chop = chop
    async with connected(peer) as ami:
        assert await ami.queue_members_available("agents") == 3


async def test_a_letter_that_two_packets_share_is_not_lost(peer: Peer) -> None:
    peer.chop = 1
    peer.answers["QueueSummary"] = LIST_BEGINS + SUMMARY.replace("agents", "señal") + LIST_ENDS
    async with connected(peer) as ami:
        assert await ami.queue_members_available("señal") == 3


async def test_an_unknown_queue_is_no_number(peer: Peer) -> None:
    peer.answers["QueueSummary"] = LIST_BEGINS + LIST_ENDS
    async with connected(peer) as ami:
        assert await ami.queue_members_available("nope") is None


async def test_a_user_who_may_not_ask_is_no_number(peer: Peer) -> None:
    peer.answers["QueueSummary"] = DENIED
    async with connected(peer) as ami:
        assert await ami.queue_members_available("agents") is None
        peer.answers["Ping"] = DENIED
        with pytest.raises(Refused):
            await ami.ping()


async def test_no_connection_is_no_number(peer: Peer) -> None:
    ami = Ami("127.0.0.1", peer.port, "saldo", "s3")
    assert await ami.queue_members_available("agents") is None
    with pytest.raises(PbxUnreachable, match="not connected"):
        await ami.ping()


async def test_a_silent_peer_costs_a_moment_and_leaves_nothing_behind(peer: Peer) -> None:
    peer.answers["QueueSummary"] = ""
    async with connected(peer, answer_seconds=0.2) as ami:
        clock = asyncio.get_running_loop().time
        since = clock()
        assert await ami.queue_members_available("agents") is None
        assert clock() - since < 1
        assert ami._manager is not None
        assert ami._manager.protocol.responses == {}
        await ami.ping()


async def test_a_lost_connection_ends_the_wait_and_the_action_is_not_repeated(
    peer: Peer,
) -> None:
    peer.answers["QueueSummary"] = ""
    async with connected(peer) as ami:
        asking = asyncio.create_task(ami.queue_members_available("agents"))
        await until(lambda: peer.count("QueueSummary") == 1)
        peer.hang_up()
        assert await asking is None
        await until(lambda: peer.count("Login") == 2)
        await asyncio.wait_for(ami.connected.wait(), 5)
        await ami.ping()
        assert peer.count("QueueSummary") == 1


async def test_a_peer_that_refuses_a_ping_does_not_end_us(peer: Peer) -> None:
    async with connected(peer, ping_seconds=0.02) as ami:
        peer.answers["Ping"] = DENIED
        await until(lambda: peer.connections > 1)
        await asyncio.wait_for(ami.connected.wait(), 5)


async def test_a_peer_that_fell_silent_is_noticed_and_left(peer: Peer) -> None:
    async with connected(peer, ping_seconds=0.02, answer_seconds=0.2) as ami:
        await until(lambda: peer.count("Ping") >= 2)
        peer.answers["Ping"] = ""
        await until(lambda: peer.connections == 2)
        peer.answers["Ping"] = PONG
        await asyncio.wait_for(ami.connected.wait(), 5)
        await ami.ping()


async def test_a_wrong_secret_is_not_taken_for_a_connection(peer: Peer) -> None:
    peer.answers["Login"] = REJECTED
    ami = Ami("127.0.0.1", peer.port, "saldo", "s3cr3t")
    with capture_logs() as logs:
        running = asyncio.create_task(ami.run())
        await until(lambda: peer.connections == 3)
        assert not ami.connected.is_set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert "manager.conf" in str(logs)
    assert "s3cr3t" not in str(logs)


async def test_after_the_end_nothing_connects_again(peer: Peer) -> None:
    async with connected(peer):
        pass
    await asyncio.sleep(0.1)
    assert peer.connections == 1


async def test_an_endless_answer_is_cut_off(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_MESSAGE_BYTES", 1000)
    peer.answers["QueueSummary"] = "Event: " + "x" * 2000
    async with connected(peer) as ami:
        assert await ami.queue_members_available("agents") is None
        await until(lambda: peer.connections == 2)


@pytest.mark.parametrize("queue", ["a\r\nAction: Originate", "a\nb", "a\rb"])
async def test_a_line_break_cannot_smuggle_an_action_in(peer: Peer, queue: str) -> None:
    async with connected(peer) as ami:
        with pytest.raises(ValueError, match="line break"):
            await ami.queue_members_available(queue)
        await ami.ping()
        assert [action["Action"] for action in peer.actions] == ["Login", "Ping"]


def test_a_line_break_in_the_secret_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="line break"):
        Ami("127.0.0.1", 5038, "saldo", "a\r\nAction: Originate")


async def test_a_check_logs_in_asks_and_leaves_again(peer: Peer) -> None:
    await Ami("127.0.0.1", peer.port, "saldo", "s3").check()
    assert [action["Action"] for action in peer.actions] == ["Login", "Ping"]


async def test_a_check_tells_a_wrong_secret_from_a_pbx_that_is_away(
    peer: Peer, unused_tcp_port: int
) -> None:
    peer.answers["Login"] = REJECTED
    with pytest.raises(BadCredentials):
        await Ami("127.0.0.1", peer.port, "saldo", "wrong").check()
    with pytest.raises(PbxUnreachable):
        await Ami("127.0.0.1", unused_tcp_port, "saldo", "s3").check()


async def test_two_channels_are_taken_out_of_their_call_at_once(peer: Peer) -> None:
    async with connected(peer) as ami:
        await ami.set_variable("PJSIP/trunk-00000001", "SALDO_CAPTURE", "c1")
        first = Destination("PJSIP/trunk-00000001", "caller")
        await ami.redirect("saldo-assist", first, Destination("PJSIP/agent-00000002", "agent"))
    variable, redirect = ({**action, "ActionID": ""} for action in peer.actions[1:])
    assert variable == {
        "Action": "Setvar",
        "ActionID": "",
        "Channel": "PJSIP/trunk-00000001",
        "Variable": "SALDO_CAPTURE",
        "Value": "c1",
    }
    assert redirect == {
        "Action": "Redirect",
        "ActionID": "",
        "Channel": "PJSIP/trunk-00000001",
        "Context": "saldo-assist",
        "Exten": "caller",
        "Priority": "1",
        "ExtraChannel": "PJSIP/agent-00000002",
        "ExtraContext": "saldo-assist",
        "ExtraExten": "agent",
        "ExtraPriority": "1",
    }


async def test_a_channel_that_is_gone_is_not_redirected_and_that_is_told(peer: Peer) -> None:
    peer.answers["Redirect"] = DENIED
    async with connected(peer) as ami:
        with pytest.raises(Refused):
            await ami.redirect(
                "saldo-assist", Destination("a", "caller"), Destination("b", "agent")
            )


async def test_the_recordings_of_a_channel_are_muted_both_ways_and_un_muted(peer: Peer) -> None:
    async with connected(peer) as ami:
        await ami.mute_recordings("1.2", muted=True)
        await ami.mute_recordings("1.2", muted=False)
    asked = [action for action in peer.actions if action["Action"] == "MixMonitorMute"]
    assert [(one["Channel"], one["Direction"], one["State"]) for one in asked] == [
        ("1.2", "both", "1"),
        ("1.2", "both", "0"),
    ]


async def test_a_channel_that_nothing_listens_to_needs_no_muting(peer: Peer) -> None:
    peer.answers["MixMonitorMute"] = NOTHING_TO_MUTE
    async with connected(peer) as ami:
        await ami.mute_recordings("1.2", muted=True)


@pytest.mark.parametrize("answer", [NO_CHANNEL, DENIED])
async def test_a_muting_that_was_refused_is_told(peer: Peer, answer: str) -> None:
    peer.answers["MixMonitorMute"] = answer
    async with connected(peer) as ami:
        with pytest.raises(Refused):
            await ami.mute_recordings("1.2", muted=True)


@pytest.mark.parametrize(("answer", "value"), [(VALUE, "/a b/c.wav"), (NO_VALUE, "")])
async def test_a_variable_of_a_channel_is_read(peer: Peer, answer: str, value: str) -> None:
    peer.answers["Getvar"] = answer
    async with connected(peer) as ami:
        assert await ami.variable("1.2", "MIXMONITOR_FILENAME") == value


async def test_a_variable_of_a_channel_that_is_gone_is_no_value(peer: Peer) -> None:
    peer.answers["Getvar"] = NO_CHANNEL
    async with connected(peer) as ami:
        with pytest.raises(Refused, match="No such channel"):
            await ami.variable("1.2", "MIXMONITOR_FILENAME")
