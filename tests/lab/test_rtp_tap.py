"""Between a PBX and the agent's phone: what is passed on, and what is counted."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from ivr.lab.processes import LOOPBACK
from ivr.lab.rtp_tap import RtpTap

OFFER = b"INVITE sip:agent@127.0.0.1 SIP/2.0\r\n\r\nm=audio 10002 RTP/AVP 0 101\r\n"
ANSWER = (
    b"SIP/2.0 200 OK\r\n\r\nm=audio %d RTP/AVP 0 101\r\n"
    b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)


@contextmanager
def a_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))
        sock.setblocking(False)
        yield sock


@pytest.fixture
def pbx() -> Iterator[socket.socket]:
    with a_socket() as sock:
        yield sock


@pytest.fixture
def phone() -> Iterator[socket.socket]:
    with a_socket() as sock:
        yield sock


@pytest.fixture
def voice() -> Iterator[socket.socket]:
    """Where the phone listens."""
    with a_socket() as sock:
        yield sock


@pytest.fixture
async def tap(phone: socket.socket) -> AsyncIterator[RtpTap]:
    tap = await RtpTap.open(phone.getsockname()[1])
    yield tap
    tap.close()


async def received(sock: socket.socket) -> bytes:
    async with asyncio.timeout(2):
        return await asyncio.get_running_loop().sock_recv(sock, 2048)


async def test_the_answer_names_our_port_and_only_voice_and_digits_are_counted(
    tap: RtpTap, pbx: socket.socket, phone: socket.socket, voice: socket.socket
) -> None:
    pbx.sendto(OFFER, (LOOPBACK, tap.port))
    assert await received(phone) == OFFER
    phone.sendto(ANSWER % voice.getsockname()[1], (LOOPBACK, tap.port))
    answer = await received(pbx)
    found = re.search(rb"m=audio (\d+) ", answer)
    assert found is not None
    assert int(found[1]) != voice.getsockname()[1]
    packets = [bytes([0x80, payload]) + bytes(170) for payload in (0, 0x80, 101, 101 | 0x80, 0)]
    for packet in (*packets, b"short"):
        pbx.sendto(packet, (LOOPBACK, int(found[1])))
    assert [await received(voice) for _ in packets] == packets
    assert (tap.voice_packets, tap.digit_packets) == (3, 2)


async def test_a_phone_that_nobody_called_tells_nobody_anything(
    tap: RtpTap, phone: socket.socket
) -> None:
    phone.sendto(b"SIP/2.0 200 OK\r\n\r\n", (LOOPBACK, tap.port))
    await asyncio.sleep(0.05)
    assert (tap.voice_packets, tap.digit_packets) == (0, 0)
