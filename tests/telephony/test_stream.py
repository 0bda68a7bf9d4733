"""The event stream: order, reconnecting, and making good what was missed meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import pytest

from ivr.telephony import stream as module
from ivr.telephony.ari import Ari
from ivr.telephony.errors import ApplicationTaken, BadCredentials, PbxUnreachable
from ivr.telephony.events import (
    ChannelDestroyed,
    ChannelDtmfReceived,
    Event,
    Resynchronised,
    StasisStart,
)
from ivr.telephony.stream import EventStream, pauses
from tests.fakes.asterisk import USER, FakeAsterisk, FakeChannel


class Listening:
    """A stream and what came out of it."""

    def __init__(self, ari: Ari) -> None:
        self.strays: list[Event] = []
        self.orphans: list[str] = []
        self.stream = EventStream(
            ari, "saldo", strays=self.strays.append, orphans=self._take_orphans
        )

    async def _take_orphans(self, channel_ids: Collection[str]) -> None:
        self.orphans.extend(sorted(channel_ids))


@asynccontextmanager
async def listening(ari: Ari) -> AsyncIterator[Listening]:
    it = Listening(ari)
    running = asyncio.create_task(it.stream.run())
    try:
        async with asyncio.timeout(5):
            await it.stream.connected.wait()
        yield it
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until_lost(it: Listening) -> None:
    async with asyncio.timeout(5):
        while it.stream.connected.is_set():  # noqa: ASYNC110 - an Event cannot be waited out
            await asyncio.sleep(0.005)


async def until_back(it: Listening) -> None:
    async with asyncio.timeout(5):
        await it.stream.connected.wait()


async def settled() -> None:
    await asyncio.sleep(0.05)


async def test_each_channels_events_arrive_in_order_whatever_others_do(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async with listening(ari) as it:
        heard: dict[str, list[str]] = {"a": [], "b": []}

        def sink(event: Event) -> None:
            assert isinstance(event, ChannelDtmfReceived)
            heard[event.channel_id].append(event.digit)

        for name in heard:
            pbx.channels[name] = FakeChannel(name, "saldo")
            it.stream.open(name, sink)
        for digit in "0123456789":
            await pbx.press("a", digit)
            await pbx.press("b", digit)
        await settled()
        assert heard == {"a": list("0123456789"), "b": list("0123456789")}


async def test_an_owner_who_fails_does_not_silence_the_others(ari: Ari, pbx: FakeAsterisk) -> None:
    async with listening(ari) as it:
        heard: list[Event] = []

        def fails(event: Event) -> None:
            raise RuntimeError(event)

        for name, sink in (("a", fails), ("b", heard.append)):
            pbx.channels[name] = FakeChannel(name, "saldo")
            it.stream.open(name, sink)
        await pbx.press("a", "1")
        await pbx.press("b", "1")
        await settled()
        assert len(heard) == 1
        assert it.stream.connected.is_set()


async def test_what_nobody_opened_goes_to_the_strays(ari: Ari, pbx: FakeAsterisk) -> None:
    async with listening(ari) as it:
        await pbx.call("new")
        await pbx.send("saldo", "not JSON at all")
        await settled()
        assert isinstance(it.strays[0], StasisStart)
        assert it.stream.connected.is_set()


async def test_a_lost_connection_is_made_again(ari: Ari, pbx: FakeAsterisk) -> None:
    async with listening(ari) as it:
        await pbx.drop("saldo")
        await until_lost(it)
        await until_back(it)
        await pbx.call("after")
        await settled()
        assert [event.channel_id for event in it.strays] == ["after"]


async def test_a_caller_who_left_meanwhile_is_reported_as_gone(ari: Ari, pbx: FakeAsterisk) -> None:
    async with listening(ari) as it:
        heard: list[Event] = []
        it.stream.open("gone", heard.append)
        pbx.channels["moved"] = FakeChannel("moved", "another")
        it.stream.open("moved", heard.append)
        pbx.channels["here"] = FakeChannel("here", "saldo")
        it.stream.open("here", heard.append)
        await pbx.drop("saldo")
        await until_lost(it)
        await until_back(it)
        assert sorted(heard, key=lambda event: event.channel_id) == [
            ChannelDestroyed("gone"),
            Resynchronised("here", here=True),
            Resynchronised("moved", here=False),
        ]


async def test_callers_left_over_by_a_daemon_that_died_are_found(
    ari: Ari, pbx: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANNOUNCED_WITHIN_SECONDS", 0.01)
    pbx.channels["left over"] = FakeChannel("left over", "saldo")
    pbx.channels["not ours"] = FakeChannel("not ours", "")
    async with listening(ari) as it:
        await settled()
        assert it.orphans == ["left over"]


async def test_a_call_that_comes_while_we_connect_is_no_orphan(
    ari: Ari, pbx: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANNOUNCED_WITHIN_SECONDS", 0.1)
    pbx.channels["new"] = FakeChannel("new", "saldo")
    async with listening(ari) as it:
        await pbx.enter("new", "saldo", "inbound", "900")
        await asyncio.sleep(0.2)
        assert it.orphans == []
        assert len(it.strays) == 1


async def test_what_was_read_does_not_overrule_what_was_announced_since(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    async with listening(ari) as it:
        heard: list[Event] = []
        pbx.channels["back"] = FakeChannel("back", "saldo-capture")
        it.stream.open("back", heard.append)

        async def comes_back() -> None:
            await pbx.enter("back", "saldo", "returned", "x", "success")
            await settled()

        # After the application was read as not having it, and before that is acted upon.
        pbx.before["channels"] = comes_back
        await pbx.drop("saldo")
        await until_lost(it)
        await until_back(it)
        assert [type(event) for event in heard] == [StasisStart]


async def test_a_state_that_cannot_be_read_is_read_again(ari: Ari, pbx: FakeAsterisk) -> None:
    async def fails() -> None:
        del pbx.before["channels"]
        raise RuntimeError("the PBX stumbles once")

    pbx.before["channels"] = fails
    async with listening(ari) as it:
        assert it.stream.connected.is_set()
        assert pbx.done.count("channels") == 2


async def test_another_program_under_our_name_ends_us_with_a_reason(
    ari: Ari, pbx: FakeAsterisk
) -> None:
    it = Listening(ari)
    running = asyncio.create_task(it.stream.run())
    await pbx.connected("saldo")
    await it.stream.connected.wait()
    other = await ari.listen("saldo")
    with pytest.raises(ApplicationTaken, match=r"asterisk\.app"):
        await asyncio.wait_for(running, 5)
    assert not it.stream.connected.is_set()
    await other.close()


async def test_a_wrong_password_at_the_start_is_not_tried_for_ever(pbx: FakeAsterisk) -> None:
    async with Ari(pbx.url, USER, "wrong") as ari:
        with pytest.raises(BadCredentials):
            await asyncio.wait_for(Listening(ari).stream.run(), 5)


async def test_a_pbx_that_is_not_there_yet_is_waited_for(pbx: FakeAsterisk, ari: Ari) -> None:
    pbx.refuses_websockets = True
    it = Listening(ari)
    running = asyncio.create_task(it.stream.run())
    await asyncio.sleep(0.1)
    assert not it.stream.connected.is_set()
    pbx.refuses_websockets = False
    await until_back(it)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_listening_to_nobody_is_an_error_not_a_hang() -> None:
    async with Ari("http://127.0.0.1:1", "u", "p", answer_seconds=0.5) as ari:
        with pytest.raises(PbxUnreachable):
            await ari.listen("saldo")


def test_pauses_grow_to_a_limit_and_are_not_all_alike() -> None:
    pause = pauses(1.0, 8.0)
    taken = [pause() for _ in range(200)]
    assert 0.5 <= taken[0] <= 1
    assert 1 <= taken[1] <= 2
    assert all(4 <= one <= 8 for one in taken[4:])
    assert len(set(taken[4:])) > 100
