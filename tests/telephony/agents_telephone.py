"""An agent's telephone without sound: engaged or answering, it keeps what it was told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

COPIED = re.compile(rb"^(?:Via|From|To|Call-ID|CSeq):.*\r\n", re.MULTILINE | re.IGNORECASE)
TOLD = re.compile(r"^(X-Saldo-[A-Za-z]+): *(.*?)\r?$", re.MULTILINE)
SHOWN = re.compile(r'^From: *(?:"([^"]*)")? *<sip:([^@>]*)', re.MULTILINE)
FIVE_DIGITS = 10_000


class AgentsTelephone(asyncio.DatagramProtocol):
    """Is engaged with 486, or answers and is silent."""

    def __init__(self, *, answers: bool) -> None:
        self.answered = asyncio.Event()
        """the PBX has put the call through"""
        self._answers = answers
        self._invites: asyncio.Queue[str] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is None:
            return
        if data.startswith(b"ACK ") and self._answers:
            self.answered.set()
        elif data.startswith(b"INVITE "):
            self._invites.put_nowait(data.decode())
            self._transport.sendto(self._answer(data), addr)
        elif data.startswith(b"BYE "):
            self._transport.sendto(_response(b"200 OK", data), addr)

    @property
    def port(self) -> int:
        """Where it is called."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    async def called(self, within: float = 20.0) -> tuple[dict[str, str], str, str]:
        """Of the next call: the X-Saldo headers, the name shown and the number shown."""
        invite = await asyncio.wait_for(self._invites.get(), within)
        shown = SHOWN.search(invite)
        assert shown, "no From header"
        return dict(TOLD.findall(invite)), shown[1] or "", shown[2]

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _answer(self, invite: bytes) -> bytes:
        if not self._answers:
            return _response(b"486 Busy Here", invite)
        description = (
            "v=0\r\no=agent 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        contact = f"Contact: <sip:agent@127.0.0.1:{self.port}>\r\n"
        kind = "Content-Type: application/sdp\r\n"
        return _response(b"200 OK", invite, (contact + kind).encode(), description.encode())


def _response(status: bytes, request: bytes, headers: bytes = b"", body: bytes = b"") -> bytes:
    lines = [
        line.replace(b"\r\n", b";tag=agent\r\n")
        if line.lower().startswith(b"to:") and b";tag=" not in line
        else line
        for line in COPIED.findall(request)
    ]
    length = f"Content-Length: {len(body)}\r\n\r\n".encode()
    return b"".join([b"SIP/2.0 ", status, b"\r\n", *lines, headers, length, body])


@asynccontextmanager
async def agents_telephone(*, answers: bool = False) -> AsyncIterator[AgentsTelephone]:
    """One on a free port of this machine, of five digits: the lab's dial plan knows no other."""
    loop = asyncio.get_running_loop()
    phones: list[AgentsTelephone] = []
    try:
        while not phones or phones[-1].port < FIVE_DIGITS:
            _, phone = await loop.create_datagram_endpoint(
                lambda: AgentsTelephone(answers=answers), local_addr=("127.0.0.1", 0)
            )
            phones.append(phone)
        yield phones[-1]
    finally:
        for phone in phones:
            phone.close()
