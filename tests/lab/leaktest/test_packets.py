"""What of loopback is recorded, and what is left out and counted."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.lab.leaktest import packets
from ivr.lab.leaktest.canaries import Canary
from ivr.lab.leaktest.matching import Matcher
from ivr.lab.leaktest.packets import SUMMARY, Recorder
from ivr.lab.leaktest.sinks import search_file
from ivr.lab.processes import ProcessId

CARD = Canary("4217651111111119", "visa", "1129", "583")
ARI, GATEWAY, WEB, SIP, CLIENT = 8088, 9000, 8080, 5060, 40000
Pair = tuple[()] | tuple[str, str]
SECRET = "left out: the secure process's own connections"


def frame(protocol: int, packet: bytes, *addresses: str) -> bytes:
    ends = [socket.inet_aton(one) for one in addresses or ["127.0.0.1"] * 2]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(packet), 0, 0, 64, protocol, 0, *ends)
    return bytes(12) + struct.pack("!H", 0x0800) + ip + packet


def tcp(
    source: int, target: int, payload: bytes = b"", flags: int = 0x18, addresses: Pair = ()
) -> bytes:
    head = struct.pack("!HHIIBBHHH", source, target, 1, 1, 5 << 4, flags, 0, 0, 0)
    return frame(6, head + payload, *addresses)


def udp(source: int, target: int, payload: bytes) -> bytes:
    return frame(17, struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload)


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The secure process is this one, and its connections are those from CLIENT."""
    me = ProcessId.of(os.getpid())
    assert me
    pids = {"capture": me.pid, "serve": me.pid}
    monkeypatch.setattr("ivr.lab.lab.status", lambda _: pids)
    held = {(CLIENT, ARI), (CLIENT, GATEWAY)}
    monkeypatch.setattr(packets, "_connections", lambda _: held)
    ports = frozenset({ARI, GATEWAY, WEB})
    return Recorder(tmp_path, tmp_path, ports, SIP, frozenset({ARI, GATEWAY}), GATEWAY)


def recorded(recorder: Recorder) -> dict[str, bytes]:
    recorder.close(3)
    return {
        file.stem: file.read_bytes() for file in recorder.out.glob("*.bin") if file.stat().st_size
    }


def test_keys_told_one_an_event_over_a_web_socket_are_found(recorder: Recorder) -> None:
    """Events stand in frames, several in a packet, and none of them ends a line."""
    events = [
        f'{{"type":"ChannelDtmfReceived","digit":"{key}","duration_ms":{80 + 40 * (place % 3)}}}'
        for place, key in enumerate(CARD.number)
    ]
    frames = [
        b"\x81\x7e" + struct.pack("!H", len(event) + 200) + event.encode() for event in events
    ]
    for place in range(0, len(frames), 2):
        recorder.take(tcp(ARI, CLIENT + 1, b"".join(frames[place : place + 2])))
    recorder.close(0)
    file = recorder.out / f"{ARI}-{CLIENT + 1}.bin"
    assert {hit.form for hit in search_file(Matcher([CARD]), file)} == {"one digit a line"}


def test_what_a_browser_sends_is_left_out_and_what_it_is_answered_is_not(
    recorder: Recorder,
) -> None:
    asks, answers = (packets.BROWSERS, "127.0.0.1"), ("127.0.0.1", packets.BROWSERS)
    for port in (WEB, GATEWAY):
        recorder.take(tcp(CLIENT + 1, port, flags=0x02, addresses=asks))
        recorder.take(tcp(port, CLIENT + 1, flags=0x12, addresses=answers))
        recorder.take(tcp(CLIENT + 1, port, b"typed", addresses=asks))
        recorder.take(tcp(port, CLIENT + 1, b"told", addresses=answers))
    assert recorded(recorder) == {
        f"{WEB}-{CLIENT + 1}": b"told", f"{GATEWAY}-{CLIENT + 1}": b"told",
    }  # fmt: skip
    assert recorder.counts["left out: what browsers send"] == 4


def test_both_ways_of_a_connection_are_recorded_in_order(recorder: Recorder) -> None:
    recorder.take(tcp(50000, WEB, flags=0x02))
    for part in (b"GET /metrics ", b"HTTP/1.1"):
        recorder.take(tcp(50000, WEB, part))
    recorder.take(tcp(WEB, 50000, b"200 OK"))
    found = recorded(recorder)
    assert found == {f"50000-{WEB}": b"GET /metrics HTTP/1.1", f"{WEB}-50000": b"200 OK"}


@pytest.mark.parametrize("port", [ARI, GATEWAY])
def test_what_the_secure_process_says_and_is_told_is_left_out_and_counted(
    recorder: Recorder, port: int
) -> None:
    recorder.take(tcp(CLIENT, port, flags=0x02))
    recorder.take(tcp(CLIENT, port, b"4217651111111119"))
    recorder.take(tcp(port, CLIENT, b"ChannelDtmfReceived"))
    assert recorded(recorder) == {}
    assert recorder.counts[SECRET] == 2


def test_others_at_the_same_ports_are_recorded(recorder: Recorder) -> None:
    recorder.take(tcp(50001, ARI, flags=0x02))
    recorder.take(tcp(ARI, 50001, b"told to another"))
    assert recorded(recorder) == {f"{ARI}-50001": b"told to another"}


def test_a_request_for_a_token_whose_owner_has_gone_is_left_out(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody: Callable[[int], set[tuple[int, int]]] = lambda _: set()  # noqa: E731 - one line
    monkeypatch.setattr(packets, "_connections", nobody)
    recorder.take(tcp(50002, GATEWAY, b"POST /graphql HTTP/1.1"))
    recorder.take(tcp(50002, GATEWAY, b'{"number": "4217651111111119"}'))
    assert recorded(recorder) == {}


def test_the_main_program_s_request_for_a_token_is_recorded(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.secret_ports = frozenset({ARI})  # its connection is known to be the main program's
    monkeypatch.setattr(packets, "_connections", lambda _: {(50003, GATEWAY)})
    recorder.take(tcp(50003, GATEWAY, b"POST /graphql HTTP/1.1"))
    assert recorded(recorder) == {f"50003-{GATEWAY}": b"POST /graphql HTTP/1.1"}


def test_signalling_is_recorded_but_keys_of_the_caller_are_not(recorder: Recorder) -> None:
    recorder.take(udp(50004, SIP, b"INVITE sip:pay SIP/2.0"))
    recorder.take(udp(50004, SIP, b"INFO sip:pay SIP/2.0\r\nSignal=4"))
    recorder.take(udp(SIP, 50004, b"SIP/2.0 200 OK"))
    recorder.take(udp(20000, 20002, b"voice"))
    assert recorded(recorder) == {"sip": b"INVITE sip:pay SIP/2.0\n\nSIP/2.0 200 OK\n\n"}
    assert recorder.counts["left out: SIP INFO of the caller"] == 1


def test_other_ports_other_protocols_and_half_frames_are_nothing(recorder: Recorder) -> None:
    for nothing in (tcp(1, 2, b"x"), frame(1, b"ping"), b"", b"\0" * 40, tcp(50000, WEB, b"")):
        recorder.take(nothing)
    assert recorded(recorder) == {}


def test_the_summary_tells_what_the_kernel_dropped(recorder: Recorder) -> None:
    recorder.take(tcp(50000, WEB, b"12345"))
    recorder.close(7)
    told = json.loads((recorder.out / SUMMARY).read_text())
    assert told["dropped by the kernel"] == 7
    assert (told["packets"], told["bytes"], told["connections"]) == (1, 5, 1)
