"""The lab's post office: what Saldo tells by webhook, SOAP, mail and text ends here, in one file.

Run by `saldo lab up`; each line of the file is one message as JSON, with its `topic`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

from aiohttp import web

from ivr.lab.processes import LOOPBACK

WSDL = Path(__file__).parent / "crm.wsdl"
SOAP_ANSWER = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
<ReactivateLineResponse xmlns="urn:crm"><Status>OK</Status><Ticket>{ticket}</Ticket>
</ReactivateLineResponse></e:Body></e:Envelope>"""
LINE_SECONDS = 10.0
"""how long a mail's next line may take"""
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class PostOffice:
    """Where it takes what, on loopback."""

    http: int
    smtp: int
    sip: int

    @property
    def url(self) -> str:
        """Its web server."""
        return f"http://{LOOPBACK}:{self.http}"


@dataclass(frozen=True, slots=True)
class Box:
    """The file that messages are written to."""

    file: Path

    def put(self, topic: str, **message: Any) -> None:
        """Add one."""
        line = {"topic": topic, "at": datetime.now(UTC).isoformat(), **message}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def arrived(file: Path) -> list[dict[str, Any]]:
    """Every message so far, oldest first; one that is just being written is left out."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("\n")]


# ------------------------------------------------------------------------------ webhooks and SOAP


def over_http(box: Box) -> web.Application:
    """`/webhooks`, `/texts/NUMBER` in apprise's JSON, and a CRM at `/crm` with its `/crm.wsdl`."""

    async def webhook(request: web.Request) -> web.Response:
        signed = {
            name: value for name, value in request.headers.items() if "webhook" in name.lower()
        }
        raw = await request.text()
        box.put("webhook", headers=signed, body=json.loads(raw), raw=raw)
        return web.Response(text="taken")

    async def text(request: web.Request) -> web.Response:
        told = await request.json()
        box.put("text", to=request.match_info["number"], body=told.get("message"))
        return web.Response()

    async def wsdl(request: web.Request) -> web.Response:
        crm = f"http://{request.host}/crm"
        told = WSDL.read_text(encoding="utf-8").replace("ADDRESS", crm)
        return web.Response(text=told, content_type="text/xml")

    async def crm(request: web.Request) -> web.Response:
        root = ET.fromstring(await request.text())  # noqa: S314 - from Saldo, on loopback
        values = {node.tag.rpartition("}")[2]: node.text for node in root.iter() if not len(node)}
        box.put("soap", body=values)
        answer = SOAP_ANSWER.format(ticket=values.get("RequestId", ""))
        return web.Response(text=answer, content_type="text/xml")

    async def well(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/healthz", well)
    app.router.add_post("/webhooks", webhook)
    app.router.add_post("/texts/{number}", text)
    app.router.add_get("/crm.wsdl", wsdl)
    app.router.add_post("/crm", crm)
    return app


# ------------------------------------------------------------------------------------------- mail


async def take_mail(box: Box, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One talk in SMTP (RFC 5321), as much of it as a sender needs."""
    recipients: list[str] = []
    writer.write(b"220 lab\r\n")
    try:
        while line := await asyncio.wait_for(reader.readline(), LINE_SECONDS):
            match line[:4].upper():
                case b"RCPT":
                    recipients.append(line.decode().partition("<")[2].partition(">")[0])
                    answer = b"250 ok"
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    box.put("mail", to=recipients, **_read(await _data(reader)))
                    recipients, answer = [], b"250 taken"
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    answer = b"250 ok"
            writer.write(answer + b"\r\n")
            await writer.drain()
    except (TimeoutError, OSError, ValueError):
        pass  # whoever it was has gone, or sends no mail
    finally:
        writer.close()


async def _data(reader: asyncio.StreamReader) -> bytes:
    lines: list[bytes] = []
    while (line := await asyncio.wait_for(reader.readline(), LINE_SECONDS)).rstrip() != b".":
        if not line:
            raise ValueError("the mail has no end")
        lines.append(line.removeprefix(b"."))
    return b"".join(lines)


def _read(raw: bytes) -> dict[str, str]:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)  # noqa: S101 - the policy's own class
    parts = {kind: mail.get_body((kind,)) for kind in ("plain", "html")}
    return {
        "subject": str(mail["Subject"]),
        "text": parts["plain"].get_content() if parts["plain"] else "",
        "html": parts["html"].get_content() if parts["html"] else "",
    }


# ------------------------------------------------------------------------------------------ texts


class SipTexts(asyncio.DatagramProtocol):
    """A telephone that takes SIP MESSAGE (RFC 3428) over UDP, and each text once."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._taken: set[str] = set()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answer, and keep the text unless it came before."""
        head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        if self._transport is None or not first.startswith("MESSAGE sip:"):
            return
        self._transport.sendto(_sip_answer(lines), addr)
        sent = next((line for line in lines if line.lower().startswith("call-id:")), "")
        if sent not in self._taken:
            self._taken.add(sent)
            number = first.removeprefix("MESSAGE sip:").partition("@")[0]
            self._box.put("text", to=number, body=body)


def _sip_answer(lines: list[str]) -> bytes:
    kept = ("via:", "from:", "to:", "call-id:", "cseq:")
    back = [line for line in lines if line.lower().startswith(kept)]
    tagged = [f"{line};tag=lab" if line.lower().startswith("to:") else line for line in back]
    return "\r\n".join(("SIP/2.0 200 OK", *tagged, "Content-Length: 0", "", "")).encode()


# -------------------------------------------------------------------------------------------- run


async def serve(box: Box, office: PostOffice) -> None:
    """Take messages until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        runner = web.AppRunner(over_http(box), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        mail = await asyncio.start_server(
            partial(take_mail, box), LOOPBACK, office.smtp, limit=LONGEST_LINE
        )
        await stack.enter_async_context(mail)
        texts, _ = await loop.create_datagram_endpoint(
            lambda: SipTexts(box), local_addr=(LOOPBACK, office.sip)
        )
        stack.callback(texts.close)
        # last: who asks there finds all ready
        await web.TCPSite(runner, LOOPBACK, office.http).start()
        await stopping.wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("http", "smtp", "sip"):
        parser.add_argument(f"--{name}", type=int, required=True, help="port")
    parser.add_argument("--box", type=Path, required=True, help="file of JSON lines")
    given = parser.parse_args()
    asyncio.run(serve(Box(given.box), PostOffice(given.http, given.smtp, given.sip)))


if __name__ == "__main__":
    main()
