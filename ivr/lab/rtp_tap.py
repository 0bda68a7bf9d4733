"""Counts what the PBX sends to a phone: packets of voice and packets that carry digits."""

from __future__ import annotations

import asyncio
import re
from typing import Self, cast

from ivr.lab.processes import LOOPBACK

_AUDIO = re.compile(rb"(?m)^(m=audio )(\d+)")
_DIGITS = re.compile(rb"(?im)^a=rtpmap:(\d+)\s+telephone-event/")
_RTP_HEADER = 12
_PAYLOAD_TYPE = 0x7F


class RtpTap(asyncio.DatagramProtocol):
    """Stands between a PBX and the phone it calls, on loopback: the PBX calls `port`.

    SIP passes as it is, but the phone's answer names our port for the voice; what comes there is
    counted and passed on. Nothing of a packet is kept. What the phone sends goes straight to the
    PBX, and so do later requests of either side.
    """

    def __init__(self, phone: tuple[str, int], counter: _Counter) -> None:
        self._phone = phone
        self._counter = counter
        self._pbx: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, phone_port: int) -> Self:
        """Listen on two free ports for a phone that is called at `phone_port`."""
        loop = asyncio.get_running_loop()
        _, counter = await loop.create_datagram_endpoint(_Counter, local_addr=(LOOPBACK, 0))
        _, tap = await loop.create_datagram_endpoint(
            lambda: cls((LOOPBACK, phone_port), counter), local_addr=(LOOPBACK, 0)
        )
        return tap

    @property
    def port(self) -> int:
        """Where the PBX calls."""
        return _port(self._transport)

    @property
    def digit_packets(self) -> int:
        """RFC 4733 packets that the PBX has sent to the phone so far."""
        return self._counter.digits

    @property
    def voice_packets(self) -> int:
        """Every other RTP packet that it has sent so far."""
        return self._counter.voice

    def close(self) -> None:
        """Stop listening: the phone hears nothing more."""
        for transport in (self._transport, self._counter.transport):
            if transport is not None:
                transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: up to Python 3.11 asyncio's own transport is none by class.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is None:
            return
        if addr != self._phone:
            self._pbx = addr
            self._transport.sendto(data, self._phone)
        elif self._pbx is not None:
            self._transport.sendto(self._answer(data), self._pbx)

    def _answer(self, message: bytes) -> bytes:
        """The phone's message, naming our port for the voice (as many figures as before)."""
        audio = _AUDIO.search(message)
        if audio is None:
            return message
        self._counter.phone = (LOOPBACK, int(audio[2]))
        self._counter.digit_types = {int(each) for each in _DIGITS.findall(message)}
        ours = str(_port(self._counter.transport)).encode().rjust(len(audio[2]), b"0")
        return message[: audio.start(2)] + ours + message[audio.end(2) :]


class _Counter(asyncio.DatagramProtocol):
    """The voice's way to the phone."""

    def __init__(self) -> None:
        self.phone: tuple[str, int] | None = None
        self.digit_types: set[int] = set()
        self.digits = 0
        self.voice = 0
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - asyncio names it
        if self.phone is None or self.transport is None or len(data) < _RTP_HEADER:
            return
        if data[1] & _PAYLOAD_TYPE in self.digit_types:
            self.digits += 1
        else:
            self.voice += 1
        self.transport.sendto(data, self.phone)


def _port(transport: asyncio.DatagramTransport | None) -> int:
    return int(transport.get_extra_info("sockname")[1]) if transport is not None else 0
