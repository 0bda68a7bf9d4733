"""A telephone that sends exactly the packets it is given: keys as a bad network delivers them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Iterable
from types import TracebackType
from typing import Self, cast

from ivr.lab.dialpad import KeyWay
from ivr.lab.hearing import Hearing
from ivr.lab.packets import EVENTS, RTP_SECONDS, VOICE, Stream, Tick, voice_of
from ivr.lab.phone import NotAnswered, PhoneError
from ivr.lab.phrasebook import Phrasebook
from ivr.lab.processes import LOOPBACK
from ivr.lab.tones import keyed

ANSWER_SECONDS = 10.0
REPLY_SECONDS = 5.0
HANG_UP_SECONDS = 5.0
_RECOGNISE_SECONDS = 0.25
_URI = re.compile(r"sip:(?P<user>[^@;:]+)@(?P<host>[0-9.]+):(?P<port>\d+)")
_VERDICT = 200  # from here on a reply is final
_FAILURE = 300


class PacketPhone:
    """One call on loopback whose RTP packets are chosen one by one.

    Use it with `async with`, then `dial`: from the answer on it sends silence, a packet each 20 ms,
    until something else is sent. It keeps what it hears where it was given a phrasebook.
    """

    def __init__(
        self,
        keys: KeyWay = KeyWay.RFC4733,
        phrasebook: Phrasebook | None = None,
        timestamp: int | None = None,
    ) -> None:
        self.stream = Stream(secrets.randbits(31) if timestamp is None else timestamp, sequence=1)
        """makes the packets that are sent next"""
        self.heard = Hearing(phrasebook or Phrasebook([], {}, {}))
        self.closed = asyncio.Event()
        self.reason = "it hung up"
        self._keys = keys
        self._sip = _Sip(self.closed)
        self._rtp: asyncio.DatagramTransport | None = None
        self._waiting: asyncio.Queue[Tick] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with contextlib.suppress(PhoneError):
                await self.hang_up()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._rtp is not None:
                self._rtp.close()
            self._sip.close()

    async def dial(self, uri: str, caller: str) -> None:
        """Call sip:user@address:port; returns when it was answered. Raises NotAnswered."""
        found = _URI.fullmatch(uri)
        if found is None:
            raise NotAnswered(f"{uri} is no SIP address such as sip:pay@127.0.0.1:5060")
        loop = asyncio.get_running_loop()
        rtp, _ = await loop.create_datagram_endpoint(
            lambda: _Ear(self.heard), local_addr=(LOOPBACK, 0)
        )
        self._rtp = rtp
        await self._sip.open((found["host"], int(found["port"])), found["user"], caller)
        port = rtp.get_extra_info("sockname")[1]
        media = await self._sip.invite(_offer(port, events=self._keys is not KeyWay.INBAND))
        self._tasks = [
            asyncio.create_task(self._send(rtp, media)),
            asyncio.create_task(self._recognise()),
        ]

    async def press(self, keys: str, held: float = 0.1, pause: float = 0.1) -> None:
        """Press keys as a good telephone does, the way it was told; returns when all were sent.

        Raises PhoneError when the call is over.
        """
        if self._keys is KeyWay.INBAND:
            await self.send(self.stream.voice(keyed(keys, held, pause)))
        else:
            await self.send(self.stream.keys(keys, held, pause))

    async def send(self, ticks: Iterable[Tick]) -> None:
        """Send these packets, a tick each 20 ms; returns when the last one has left.

        Raises PhoneError when the call is over.
        """
        for tick in ticks:
            self._waiting.put_nowait(tick)
        gone = asyncio.create_task(self._waiting.join())
        over = asyncio.create_task(self.closed.wait())
        limit = 2 * RTP_SECONDS * self._waiting.qsize() + REPLY_SECONDS
        try:
            done, _ = await asyncio.wait(
                {gone, over}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            gone.cancel()
            over.cancel()
        if gone not in done:
            raise PhoneError("the call was over before all was sent")

    async def info(self, content_type: str, body: str) -> int:
        """Send a SIP INFO request; the status it was answered with. Raises PhoneError."""
        return await self._sip.info(content_type, body)

    async def hang_up(self) -> None:
        """End the call. Nothing happens when it is over already."""
        await self._sip.bye()

    async def _send(self, rtp: asyncio.DatagramTransport, to: tuple[str, int]) -> None:
        """On a steady clock: a machine that was busy sends the next packets sooner."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while not self.closed.is_set():
            given = not self._waiting.empty()
            for packet in self._waiting.get_nowait() if given else self.stream.silence():
                rtp.sendto(packet.wire(), to)
            if given:
                self._waiting.task_done()
            due += RTP_SECONDS
            await asyncio.sleep(due - clock())

    async def _recognise(self) -> None:
        while True:
            await asyncio.to_thread(self.heard.recognise)
            await asyncio.sleep(_RECOGNISE_SECONDS)


class _Ear(asyncio.DatagramProtocol):
    """Takes in the voice that comes; what else comes is not looked at."""

    def __init__(self, heard: Hearing) -> None:
        self._heard = heard
        self._clock = asyncio.get_running_loop().time

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - asyncio names it
        samples = voice_of(data)
        if len(samples):
            self._heard.add(samples, self._clock())


class _Sip(asyncio.DatagramProtocol):
    """The signalling of one outgoing call over UDP; loopback loses nothing: no retransmission."""

    def __init__(self, closed: asyncio.Event) -> None:
        self._closed = closed
        self._transport: asyncio.DatagramTransport | None = None
        self._pbx = ("", 0)
        self._replies: dict[int, asyncio.Queue[str]] = {}
        self._number = 0
        self._is_up = False
        self._target = self._from = self._to = ""
        self._call_id = f"{secrets.token_hex(8)}@{LOOPBACK}"

    async def open(self, pbx: tuple[str, int], user: str, caller: str) -> None:
        self._pbx = pbx
        self._target = f"sip:{user}@{pbx[0]}:{pbx[1]}"
        self._from = f"<sip:{caller}@{LOOPBACK}>;tag={secrets.token_hex(6)}"
        self._to = f"<{self._target}>"
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(LOOPBACK, 0)
        )

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def invite(self, offer: bytes) -> tuple[str, int]:
        """Where the voice goes."""
        number, branch = self._send("INVITE", ("Content-Type: application/sdp",), offer)
        reply = await self._reply(number, ANSWER_SECONDS, "INVITE")
        self._to = _header(reply, "To")
        status = _status(reply)
        if status >= _FAILURE:
            self._send("ACK", number=number, branch=branch)
            raise NotAnswered(f"{self._target} could not be called ({status}): is the lab up?")
        if contact := re.search(r"<(sip:[^>]+)>", _header(reply, "Contact")):
            self._target = contact[1]
        self._send("ACK", number=number)
        self._is_up = True
        address = re.search(r"(?m)^c=IN IP4 (\S+)", reply)
        port = re.search(r"(?m)^m=audio (\d+)", reply)
        if address is None or port is None:
            raise NotAnswered(f"{self._target} answered without voice: is it a PBX?")
        return address[1], int(port[1])

    async def info(self, content_type: str, body: str) -> int:
        number, _ = self._send("INFO", (f"Content-Type: {content_type}",), body.encode())
        return _status(await self._reply(number, REPLY_SECONDS, "INFO"))

    async def bye(self) -> None:
        if self._is_up and not self._closed.is_set():
            self._closed.set()
            number, _ = self._send("BYE")
            await self._reply(number, HANG_UP_SECONDS, "BYE")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: up to Python 3.11 asyncio's own transport is none by class.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = data.decode("utf-8", "replace")
        if message.startswith("SIP/2.0 "):
            number = int(_header(message, "CSeq").split()[0])
            if _status(message) >= _VERDICT and number in self._replies:
                self._replies[number].put_nowait(message)
        elif not message.startswith("ACK ") and self._transport is not None:
            if message.startswith("BYE "):
                self._closed.set()
            kept = [
                line
                for line in message.split("\r\n\r\n")[0].split("\r\n")[1:]
                if line.partition(":")[0].lower() in {"via", "from", "to", "call-id", "cseq"}
            ]
            reply = ["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]
            self._transport.sendto("\r\n".join(reply).encode(), addr)

    async def _reply(self, number: int, seconds: float, method: str) -> str:
        try:
            return await asyncio.wait_for(self._replies[number].get(), seconds)
        except TimeoutError:
            raise PhoneError(f"the PBX does not answer to {method}: is the lab up?") from None

    def _send(
        self,
        method: str,
        headers: Iterable[str] = (),
        body: bytes = b"",
        number: int = 0,
        branch: str = "",
    ) -> tuple[int, str]:
        """Its number and its branch; an ACK has those of its INVITE."""
        if self._transport is None:
            raise PhoneError("this telephone has not dialled: dial first")
        if not number:
            self._number = number = self._number + 1
            self._replies[number] = asyncio.Queue()
        branch = branch or f"z9hG4bK{secrets.token_hex(8)}"
        port = self._transport.get_extra_info("sockname")[1]
        lines = [
            f"{method} {self._target} SIP/2.0",
            f"Via: SIP/2.0/UDP {LOOPBACK}:{port};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: {self._from}",
            f"To: {self._to}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:phone@{LOOPBACK}:{port}>",
            *headers,
            f"Content-Length: {len(body)}",
        ]
        self._transport.sendto("\r\n".join([*lines, "", ""]).encode() + body, self._pbx)
        return number, branch


def _status(reply: str) -> int:
    return int(reply.split(" ", 2)[1])


def _header(message: str, name: str) -> str:
    found = re.search(rf"(?im)^{name}\s*:\s*(.*?)\r?$", message)
    return found[1] if found else ""


def _offer(port: int, *, events: bool) -> bytes:
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {LOOPBACK}",
        "s=-",
        f"c=IN IP4 {LOOPBACK}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {VOICE}" + (f" {EVENTS}" if events else ""),
        f"a=rtpmap:{VOICE} PCMU/8000",
        "a=ptime:20",
        "a=sendrecv",
    ]
    if events:
        lines += [f"a=rtpmap:{EVENTS} telephone-event/8000", f"a=fmtp:{EVENTS} 0-15"]
    return "".join(f"{line}\r\n" for line in lines).encode()
