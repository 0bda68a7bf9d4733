"""Changes a softphone's first request as a trunk would: more headers, another offer of media."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Self, cast

from ivr.lab.processes import LOOPBACK

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


Change = Callable[[bytes], bytes]
"""what is made of a whole SIP message"""


def as_it_is(message: bytes) -> bytes:
    """No change."""
    return message


def is_header(name: str, value: str) -> bool:
    """Whether it can stand in a request as it is, without ending its line."""
    return bool(_HEADER.fullmatch(name)) and value.isprintable()


class HeaderRelay(asyncio.DatagramProtocol):
    """Passes SIP between a phone and a PBX on loopback; INVITEs get the headers and the change.

    The softphone has no way to send headers or an offer of one's own, so it dials `port` instead of
    the PBX.
    Only the first exchange comes through here: later ones follow the Contact of either side.
    """

    def __init__(
        self, pbx: tuple[str, int], headers: Mapping[str, str], change: Change = as_it_is
    ) -> None:
        self._pbx = pbx
        self._change = change
        self._extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        self._phone: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()

    @classmethod
    async def open(
        cls, pbx: tuple[str, int], headers: Mapping[str, str], change: Change = as_it_is
    ) -> Self:
        """Listen on a free loopback port; `close` it after the call."""
        loop = asyncio.get_running_loop()
        _, relay = await loop.create_datagram_endpoint(
            lambda: cls(pbx, headers, change), local_addr=(LOOPBACK, 0)
        )
        return relay

    @property
    def port(self) -> int:
        """Where the phone dials."""
        return int(self._transport.get_extra_info("sockname")[1]) if self._transport else 0

    async def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        self._closed.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: up to Python 3.11 asyncio's own transport is none by class.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is None:
            return
        if addr == self._pbx:
            if self._phone is not None:
                self._transport.sendto(data, self._phone)
            return
        self._phone = addr
        first, end, rest = data.partition(b"\r\n")
        if first.startswith(b"INVITE "):
            data = self._change(first + end + self._extra + rest)
        self._transport.sendto(data, self._pbx)
