"""An Asterisk of the lab's own, with the configuration that is copied to real ones."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ivr.lab import pbx, processes
from ivr.lab.packages import Tree
from ivr.lab.pbx import PbxInfo
from ivr.telephony.installing import SITE, SOURCE

SCENARIO = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a call with headers">
  <send><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+34600111222@[local_ip]:[local_port]>;tag=[pid]x[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
X-Saldo-Account: 10-42),Hangup(${EXTEN}
X-Saldo-Language: es
X-Saldo-Amount: 42.50
Content-Type: application/sdp
Content-Length: [len]

v=0
o=caller 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200"/>
  <send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+34600111222@[local_ip]:[local_port]>;tag=[pid]x[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0
]]></send>
  <recv request="BYE"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0
]]></send>
</scenario>
"""


def _config(name: str) -> list[str]:
    text = (SOURCE / name).read_text(encoding="utf-8")
    return [line.partition(";")[0].strip() for line in text.splitlines()]


def test_every_section_of_the_site_file_is_taken_in_by_some_file() -> None:
    sections = re.findall(r"^\[(site-[^\]]+)\]\(!\)", (SOURCE / SITE).read_text(), re.MULTILINE)
    used = "\n".join(path.read_text() for path in SOURCE.glob("*.conf") if path.name != SITE)
    assert len(sections) >= 8
    assert [name for name in sections if f"({name})" not in used] == []


def test_no_log_of_asterisk_holds_digits() -> None:
    levels = {
        level.strip()
        for line in _config("logger.conf")
        if "=>" in line
        for level in line.partition("=>")[2].split(",")
    }
    assert levels == {"notice", "warning", "error", "security"}


def test_the_manager_user_has_no_right_that_it_does_not_need() -> None:
    rights = [line for line in _config("manager.conf") if line.startswith(("read ", "write "))]
    assert rights == ["write = call"]


def test_what_leaks_digits_or_lets_strangers_in_is_not_loaded() -> None:
    loaded = set(_config("modules.conf")) | set(_config("lab/modules_lab.conf"))
    assert "autoload = no" in loaded
    forbidden = re.compile(r"_hep|pjsip_(history|logger|refer|dtmf_info)|anonymous|shell|func_env")
    assert [line for line in loaded if forbidden.search(line)] == []


def _dial_plan() -> dict[str, list[str]]:
    """What each context says and takes in, comments left out."""
    contexts: dict[str, list[str]] = {}
    for line in (*_config(SITE), *_config("extensions.conf")):
        if heading := re.match(r"\[([\w-]+)\](?:\(([\w-]+)\))?", line):
            contexts[heading[1]] = list(contexts.get(heading[2] or "", []))
            lines = contexts[heading[1]]
        elif line and not line.startswith("#"):
            lines.append(line)
    return contexts


def test_a_caller_can_reach_no_way_out() -> None:
    contexts = _dial_plan()
    text = "\n".join(line for lines in contexts.values() for line in lines)
    assert not re.search(r"\bSystem\(|\binclude\s*=>", text)
    dials = [(name, line) for name, lines in contexts.items() for line in lines if "Dial(" in line]
    assert [name for name, _ in dials] == ["saldo-return"]
    assert dials[0][1].startswith("exten => ring,1,Dial(${ARG1},")


def test_nobody_may_get_a_caller_back_until_the_company_names_them() -> None:
    contexts = _dial_plan()
    assert contexts["saldo-back"] == ["exten => i,1,Goto(agents,queue,wait)"]
    text = "\n".join(line for lines in contexts.values() for line in lines)
    assert "saldo-return,ring" not in text


async def _within(limit: float, holds: Callable[[], Awaitable[bool]]) -> bool:
    try:
        async with asyncio.timeout(limit):
            while not await holds():  # noqa: ASYNC110 - ARI has to be asked again
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def _call(
    tree: Tree, info: PbxInfo, folder: Path, number: str = "pay"
) -> AsyncIterator[asyncio.subprocess.Process]:
    scenario = folder / "call.xml"
    scenario.write_text(SCENARIO)
    port = processes.free_port(transport="udp")
    sipp = await asyncio.create_subprocess_exec(
        *(str(tree.program("sipp")), "-sf", str(scenario), info.sip, "-s", number, "-m", "1"),
        *("-i", "127.0.0.1", "-p", str(port), "-nostdin", "-timeout", "30"),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield sipp
    finally:
        if sipp.returncode is None:
            sipp.kill()
        await asyncio.wait_for(sipp.wait(), 5)


def _ari(info: PbxInfo) -> aiohttp.ClientSession:
    credentials = aiohttp.encode_basic_auth(info.ari_user, info.ari_password)
    return aiohttp.ClientSession(headers={"Authorization": credentials})


async def _places(ari: aiohttp.ClientSession, info: PbxInfo) -> set[str]:
    async with ari.get(f"{info.ari_url}/channels") as answer:
        channels = await answer.json()
    return {f"{one['dialplan']['context']},{one['dialplan']['exten']}" for one in channels}


def _command(tree: Tree, info: PbxInfo, command: str) -> str:
    done = subprocess.run(
        [tree.program("asterisk"), "-C", info.config / "asterisk.conf", "-rx", command],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return done.stdout


@pytest.mark.e2e
async def test_it_starts_without_a_complaint(tree: Tree, lab: Path) -> None:
    info = pbx.start(lab, tree, lab / "sounds")
    log = (info.logs / "messages.log").read_text()
    assert "modules will be loaded" in log
    assert [line for line in log.splitlines() if "ERROR" in line or "WARNING" in line] == []


@pytest.mark.e2e
async def test_starting_twice_gives_the_same_one_and_stopping_ends_it(
    tree: Tree, lab: Path
) -> None:
    info = pbx.start(lab, tree, lab / "sounds")
    assert pbx.start(lab, tree, lab / "sounds") == info
    assert pbx.running(lab) == info
    assert pbx.stop(lab)
    assert pbx.running(lab) is None
    assert not info.process.alive
    assert not pbx.stop(lab)


@pytest.mark.e2e
async def test_one_left_by_an_interrupted_start_is_replaced(tree: Tree, lab: Path) -> None:
    left = pbx.start(lab, tree, lab / "sounds")
    (lab / "asterisk" / "pbx.json").unlink()
    info = pbx.start(lab, tree, lab / "sounds")
    assert info.process.alive
    assert not left.process.alive


@pytest.mark.e2e
async def test_two_labs_run_side_by_side(tree: Tree, lab: Path, other_lab: Path) -> None:
    one = pbx.start(lab, tree, lab / "sounds")
    two = pbx.start(other_lab, tree, other_lab / "sounds")
    assert one.process.alive
    assert two.process.alive
    assert len({one.sip_port, two.sip_port}) == 2
    assert len({one.ari_url, two.ari_url}) == 2
    assert one.rtp_last < two.rtp_first or two.rtp_last < one.rtp_first
    assert one.ari_password != two.ari_password


@pytest.mark.e2e
async def test_a_port_taken_at_the_last_moment_leads_to_another(
    tree: Tree, lab: Path, other_lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = pbx.start(other_lab, tree, other_lab / "sounds")
    choose = pbx._choose_ports
    chosen: list[pbx._Ports] = []

    def choose_a_taken_one_first() -> pbx._Ports:
        ports = choose()
        if not chosen:
            ports = pbx._Ports(taken.sip_port, ports.rtp_first, ports.ari, ports.ami)
        chosen.append(ports)
        return ports

    monkeypatch.setattr(pbx, "_choose_ports", choose_a_taken_one_first)
    info = pbx.start(lab, tree, lab / "sounds")
    assert len(chosen) >= 2  # more when other tests take ports meanwhile
    assert info.sip_port != taken.sip_port
    assert taken.process.alive


@pytest.mark.e2e
async def test_with_saldo_away_a_caller_comes_to_a_person(tree: Tree, lab: Path) -> None:
    info = pbx.start(lab, tree, lab / "sounds")
    async with _ari(info) as ari, _call(tree, info, lab):

        async def talks_to_the_agent() -> bool:
            return {"agents,queue", "lab-agents,agent"} <= await _places(ari, info)

        assert await _within(15, talks_to_the_agent)


@pytest.mark.e2e
async def test_the_plain_dial_plan_asks_like_any_pbx(tree: Tree, lab: Path) -> None:
    info = pbx.start(lab, tree, lab / "sounds")
    async with _ari(info) as ari, _call(tree, info, lab, "plain"):

        async def asks() -> bool:
            async with ari.get(f"{info.ari_url}/channels") as answer:
                return [one["dialplan"]["app_name"] for one in await answer.json()] == ["Read"]

        assert await _within(15, asks)


async def _next(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            event: dict[str, Any] = await socket.receive_json()
            if event["type"] == kind:
                return event


@pytest.mark.e2e
async def test_what_a_caller_writes_in_headers_arrives_as_plain_words(
    tree: Tree, lab: Path
) -> None:
    info = pbx.start(lab, tree, lab / "sounds")
    events = f"{info.ari_url}/events?app=saldo"
    async with _ari(info) as ari, ari.ws_connect(events) as socket, _call(tree, info, lab) as sipp:
        event = await _next(socket, "StasisStart")
        *known, sip = event["args"]
        assert known == [
            *("inbound", "pay", "account=10-42HangupEXTEN", "invoice="),
            *("language=es", "handoff=", "amount=42.50", "back="),
        ]
        assert re.fullmatch(r"sip=[\w.@-]+", sip)  # the caller's own Call-ID
        channel = event["channel"]
        assert channel["caller"]["number"] == "+34600111222"
        await ari.post(f"{info.ari_url}/channels/{channel['id']}/answer")
        await ari.post(f"{info.ari_url}/channels/{channel['id']}/continue")
        assert await asyncio.wait_for(sipp.wait(), 10) == 0  # saldo is done: the call ends


@pytest.mark.e2e
async def test_a_call_whose_saldo_died_does_not_stay_for_ever(tree: Tree, lab: Path) -> None:
    info = pbx.start(lab, tree, lab / "sounds")
    _command(tree, info, "dialplan set global SALDO_LONGEST_CALL 1")
    events = f"{info.ari_url}/events?app=saldo"
    async with _ari(info) as ari, ari.ws_connect(events) as socket, _call(tree, info, lab) as sipp:
        event = await _next(socket, "StasisStart")
        await ari.post(f"{info.ari_url}/channels/{event['channel']['id']}/answer")
        await socket.close()
        assert await asyncio.wait_for(sipp.wait(), 10) == 0


@pytest.mark.e2e
async def test_the_manager_tells_the_queue_and_no_keys(tree: Tree, lab: Path) -> None:
    info = pbx.start(lab, tree, lab / "sounds")
    reader, writer = await asyncio.open_connection(info.ami_host, info.ami_port)
    for action in (
        f"Login\r\nUsername: {info.ami_user}\r\nSecret: {info.ami_password}",
        "Ping",
        "QueueStatus\r\nQueue: agents",
        "Originate\r\nChannel: Local/queue@agents\r\nApplication: Echo",
        "Logoff",
    ):
        writer.write(f"Action: {action}\r\n\r\n".encode())
    text = (await asyncio.wait_for(reader.read(), 10)).decode()
    writer.close()
    assert "Response: Success\r\nPing: Pong" in text
    assert "Event: QueueMember" in text
    assert "Permission denied" in text


@pytest.mark.e2e
async def test_one_user_of_ari_cannot_read_the_password_of_the_other(tree: Tree, lab: Path) -> None:
    info = pbx.start(lab, tree, lab / "sounds")
    text = "".join(file.read_text() for file in info.config.glob("*.conf"))
    assert info.ari_password not in text
    assert info.capture_password not in text
    place = f"{info.ari_url}/asterisk/config/dynamic/res_ari/user/{info.capture_user}"
    async with _ari(info) as ari, ari.get(place) as answer:
        shown = {one["attribute"]: one["value"] for one in await answer.json()}
    assert shown["password_format"] == "crypt"
    assert shown["password"].startswith("$6$")
    wrong = {"Authorization": aiohttp.encode_basic_auth(info.ari_user, shown["password"])}
    async with _ari(info) as ari, ari.get(f"{info.ari_url}/channels", headers=wrong) as answer:
        assert answer.status == 401
