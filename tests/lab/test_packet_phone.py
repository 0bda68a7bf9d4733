"""The telephone of chosen packets against a PBX of a few lines; test_entry_ways has real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from ivr.lab import packet_phone
from ivr.lab.dialpad import KeyWay
from ivr.lab.packet_phone import PacketPhone
from ivr.lab.packets import EVENTS, VOICE
from ivr.lab.phone import NotAnswered, PhoneError
from ivr.lab.processes import LOOPBACK

KEPT = ("via", "from", "to", "call-id", "cseq")
Reply = Callable[[str], str]
"""status and body, by the request's method; empty: no answer"""


class FewLines(asyncio.DatagramProtocol):
    """Answers each request as it is told to, and takes RTP at the same port."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.requests: list[str] = []
        self.payload_types: list[int] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    @property
    def port(self) -> int:
        assert self.transport
        return int(self.transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data[0] == 0x80:
            self.payload_types.append(data[1] & 0x7F)
            return
        request = data.decode()
        self.requests.append(request)
        if status := self._reply(request.split()[0]):
            body = f"c=IN IP4 {LOOPBACK}\r\nm=audio {self.port} RTP/AVP 0 101\r\n"
            lines = [one for one in request.split("\r\n") if one.split(":")[0].lower() in KEPT]
            contact = f"Contact: <sip:pbx@{LOOPBACK}:{self.port}>"
            reply = "\r\n".join([f"SIP/2.0 {status}", *lines, contact, "", body])
            assert self.transport
            self.transport.sendto(reply.encode(), addr)


@asynccontextmanager
async def pbx(reply: Reply) -> AsyncIterator[FewLines]:
    loop = asyncio.get_running_loop()
    transport, lines = await loop.create_datagram_endpoint(
        lambda: FewLines(reply), local_addr=(LOOPBACK, 0)
    )
    try:
        yield lines
    finally:
        transport.close()


def all_is_well(method: str) -> str:
    return {"INVITE": "200 OK", "INFO": "415 Unsupported", "BYE": "200 OK"}.get(method, "")


def uri(there: FewLines) -> str:
    return f"sip:keys@{LOOPBACK}:{there.port}"


async def test_keys_go_between_packets_of_silence() -> None:
    async with pbx(all_is_well) as there, PacketPhone() as phone:
        await phone.dial(uri(there), "100")
        await phone.press("12", held=0.04, pause=0.04)
        await phone.hang_up()
    keys = [kind for kind in there.payload_types if kind == EVENTS]
    assert len(keys) == 2 * (2 + 3)
    assert set(there.payload_types) == {VOICE, EVENTS}
    assert [request.split()[0] for request in there.requests] == ["INVITE", "ACK", "BYE"]


async def test_a_telephone_with_tones_offers_no_events_and_sends_none() -> None:
    async with pbx(all_is_well) as there, PacketPhone(KeyWay.INBAND) as phone:
        await phone.dial(uri(there), "100")
        await phone.press("12", held=0.04, pause=0.04)
    assert "telephone-event" not in there.requests[0]
    assert set(there.payload_types) == {VOICE}


async def test_what_became_of_an_info_request_is_told() -> None:
    async with pbx(all_is_well) as there, PacketPhone() as phone:
        await phone.dial(uri(there), "100")
        assert await phone.info("application/dtmf-relay", "Signal=5\r\n") == 415


async def test_a_busy_line_is_acknowledged_in_the_same_transaction() -> None:
    async with (
        pbx(lambda method: "486 Busy" * (method == "INVITE")) as there,
        PacketPhone() as phone,
    ):
        with pytest.raises(NotAnswered, match="486"):
            await phone.dial(uri(there), "100")
        await asyncio.sleep(0.02)
    invite, ack = there.requests
    assert ack.startswith("ACK ")
    assert branch(ack) == branch(invite)


async def test_a_pbx_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_phone, "ANSWER_SECONDS", 0.05)
    async with pbx(lambda _: "") as there, PacketPhone() as phone:
        with pytest.raises(PhoneError, match="does not answer"):
            await phone.dial(uri(there), "100")


async def test_what_is_no_sip_address_is_refused() -> None:
    async with PacketPhone() as phone:
        with pytest.raises(NotAnswered, match="no SIP address"):
            await phone.dial("http://127.0.0.1", "100")


def branch(request: str) -> str:
    return request.partition("branch=")[2].partition(";")[0]
