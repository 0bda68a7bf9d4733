from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr.capture import facts as facts_module
from ivr.capture.doctor.running import EVERY_CHANNEL
from ivr.capture.facts import FactReader, FactsMissing
from ivr.capture.guard import doubts, doubts_of_voice
from tests.capture.secure_part import CHANNEL

# What Asterisk 22.10.1 answered on a real call, shortened to what the guard reads.
INFO = {"system": {"version": "22.10.1+dfsg+~cs6.17.60671434-1", "entity_id": "02:fc:00:00:00:01"}}
LOGS = [
    {
        "channel": "/log/messages.log",
        "type": "File",
        "status": "Enabled",
        "configuration": "NOTICE WARNING ERROR ",
    },
    {"channel": "", "type": "Console", "status": "Enabled", "configuration": "NOTICE VERBOSE "},
]


def application(name: str, channels: list[str], endpoints: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "channel_ids": channels,
        "bridge_ids": [],
        "endpoint_ids": endpoints,
        "device_names": [],
        "events_allowed": [],
        "events_disallowed": [],
    }


def channel(channel_id: str, name: str, app: str = "Stasis") -> dict[str, Any]:
    return {"id": channel_id, "name": name, "dialplan": {"app_name": app}}


class FakePbx:
    """Answers the guard's questions as Asterisk does."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.variables: dict[str, str] = {}
        """of the channel, by name; others are answered by path"""
        self.answers: dict[str, Any] = {
            "/ari/asterisk/info": INFO,
            "/ari/asterisk/logging": LOGS,
            "/ari/applications": [application("saldo-capture", [CHANNEL], [])],
            "/ari/channels": [channel(CHANNEL, "PJSIP/loop-00000003")],
            "/ari/bridges": [{"id": "b", "channels": ["2.2"]}],
        }

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        assert request.headers["Authorization"].startswith("Basic ")
        variable = self.variables.get(request.query.get("variable", ""))
        if variable is not None:
            return web.json_response({"value": variable})
        answer = self.answers.get(request.path)
        if answer is None:
            body = {"message": "Provided variable was not found"}
            return web.json_response(body, status=404)
        response = answer() if callable(answer) else web.json_response(answer)
        assert isinstance(response, web.Response)
        return response


@pytest.fixture
async def pbx() -> AsyncIterator[tuple[FakePbx, FactReader]]:
    fake = FakePbx()
    app = web.Application()
    app.router.add_get("/{path:.*}", fake.answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        async with FactReader(url, "saldo-capture", "secret", "saldo-capture") as reader:
            yield fake, reader


async def test_the_facts_of_a_quiet_pbx_leave_no_doubt(pbx: tuple[FakePbx, FactReader]) -> None:
    _, reader = pbx
    facts = await reader.read(CHANNEL)
    assert facts.channel_names == {CHANNEL: "PJSIP/loop-00000003"}
    assert facts.bridges == {"b": {"2.2"}}
    assert facts.running == {CHANNEL: "Stasis"}
    assert doubts(facts) == []


async def test_a_client_that_sees_everything_is_found(pbx: tuple[FakePbx, FactReader]) -> None:
    fake, reader = pbx
    fake.answers["/ari/applications"].append(application("spy", [EVERY_CHANNEL], []))
    assert "spy" in doubts(await reader.read(CHANNEL))[0]


async def test_a_mixmonitor_is_found(pbx: tuple[FakePbx, FactReader]) -> None:
    fake, reader = pbx
    fake.answers[f"/ari/channels/{CHANNEL}/variable"] = {"value": "/spool/monitor/x.wav"}
    assert "MixMonitor" in doubts(await reader.read(CHANNEL))[0]


async def test_a_mixmonitor_that_is_known_to_be_muted_is_no_doubt(
    pbx: tuple[FakePbx, FactReader],
) -> None:
    fake, reader = pbx
    fake.answers[f"/ari/channels/{CHANNEL}/variable"] = {"value": "/spool/monitor/x.wav"}
    fake.variables["SALDO_MIXMONITOR"] = "muted saldo /spool/monitor/x.wav"
    assert doubts(await reader.read(CHANNEL)) == []
    fake.variables["SALDO_MIXMONITOR"] = "muted saldo /spool/monitor/before.wav"
    assert "MixMonitor" in doubts(await reader.read(CHANNEL))[0]


async def test_a_mixmonitor_on_the_agents_channel_is_found(
    pbx: tuple[FakePbx, FactReader],
) -> None:
    fake, reader = pbx
    fake.answers["/ari/channels/2.2/variable"] = {"value": "/spool/monitor/x.wav"}
    facts = await reader.read(CHANNEL, ("ear-w",), ("talk-1", "2.2"))
    assert facts.company == {"talk-1", "2.2"}
    (doubt,) = doubts(facts)
    assert doubt.startswith("the agent's channel has a MixMonitor")
    fake.variables["SALDO_MIXMONITOR"] = "muted saldo /spool/monitor/x.wav"
    assert doubts(await reader.read(CHANNEL, ("ear-w",), ("talk-1", "2.2"))) == []


async def test_a_mixmonitor_on_our_own_ear_is_found(pbx: tuple[FakePbx, FactReader]) -> None:
    fake, reader = pbx
    fake.answers["/ari/channels/ear-s/variable"] = {"value": "/spool/monitor/x.wav"}
    facts = await reader.read(CHANNEL, ("ear-s", "ear-m", "ear-b"))
    assert facts.ears == {"ear-s", "ear-m", "ear-b"}
    assert "MixMonitor" in doubts(facts)[0]


async def test_a_spy_in_the_dial_plan_is_found(pbx: tuple[FakePbx, FactReader]) -> None:
    fake, reader = pbx
    fake.answers["/ari/channels"].append(channel("9.9", "PJSIP/boss-1", "ChanSpy"))
    assert "PJSIP/boss-1 runs ChanSpy" in doubts_of_voice(await reader.read(CHANNEL))[0]


async def test_subscribers_are_asked_every_time_and_the_version_only_now_and_then(
    pbx: tuple[FakePbx, FactReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, reader = pbx
    await reader.read(CHANNEL)
    assert len(fake.asked) == 7
    await reader.read(CHANNEL)
    assert "/ari/applications" in fake.asked[7:]
    assert len(fake.asked) == 12
    monkeypatch.setattr(facts_module, "SETTLED_SECONDS", 0.0)
    await reader.read(CHANNEL)
    assert len(fake.asked) == 19


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=401),
        lambda: web.Response(status=500, text="broken"),
        lambda: web.Response(text="<html>not a PBX</html>"),
        {"unexpected": 1},
        [{"no": "name"}],
        [1, 2],
    ],
    ids=["credentials", "fault", "not JSON", "shape", "fields", "type"],
)
@pytest.mark.parametrize("path", ["/ari/applications", "/ari/channels", "/ari/asterisk/logging"])
async def test_an_answer_that_says_nothing_is_no_fact(
    pbx: tuple[FakePbx, FactReader], path: str, answer: object
) -> None:
    fake, reader = pbx
    fake.answers[path] = answer
    with pytest.raises(FactsMissing):
        await reader.read(CHANNEL)


async def test_a_pbx_that_is_away_is_no_fact(unused_tcp_port: int) -> None:
    async with FactReader(f"http://127.0.0.1:{unused_tcp_port}", "u", "p", "app") as reader:
        with pytest.raises(FactsMissing, match="did not answer"):
            await reader.read(CHANNEL)
