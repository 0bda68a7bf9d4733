"""The lab's post office takes what Saldo really sends: HTTP, SOAP, SMTP, and SIP by a real PBX."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from ivr.billing.messages import Arrived, Channel
from ivr.lab import company, pbx
from ivr.lab import lab as laboratory
from ivr.lab.config import REACTIVATE
from ivr.lab.packages import Tree
from ivr.lab.post import Box, SipTexts, arrived, over_http, take_mail
from ivr.messaging.mail import Mail, MailServer
from ivr.messaging.networks import Networks
from ivr.messaging.soap import Operation, Soap, SoapService
from ivr.messaging.templates import Templates
from ivr.messaging.texts import ProviderCarrier, SipCarrier, Texts
from ivr.messaging.webhooks import Webhooks
from ivr.storage.pool import Database
from ivr.storage.webhook_endpoints import PostgresEndpoints
from ivr.telephony.ari import Ari
from ivr.telephony.errors import NothingThere
from tests.messaging.deliveries import delivery, to

TEMPLATES = Templates("Saldo", "GB")
NUMBER = "+447700900001"


@dataclass(frozen=True)
class Post:
    """A post office in this process."""

    file: Path
    http: TestServer
    smtp: int
    sip: int

    def arrived(self) -> list[dict[str, Any]]:
        return arrived(self.file)

    async def first(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while not self.arrived():  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.02)
        return self.arrived()[0]


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    box = Box(tmp_path / "messages.jsonl")
    http = TestServer(over_http(box))
    await http.start_server()
    mail = await asyncio.start_server(partial(take_mail, box), "127.0.0.1")
    texts, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: SipTexts(box), local_addr=("127.0.0.1", 0)
    )
    ports = mail.sockets[0].getsockname()[1], texts.get_extra_info("sockname")[1]
    yield Post(box.file, http, *ports)
    texts.close()
    mail.close()
    await http.close()
    await asyncio.sleep(0)


async def test_a_webhook_ends_in_the_file_with_its_signature(post: Post) -> None:
    async with Webhooks(networks=Networks(["127.0.0.0/8"])) as webhooks:
        assert isinstance(await webhooks.send(to(str(post.http.make_url("/webhooks")))), Arrived)
    message = await post.first()
    assert (message["topic"], message["body"]["type"]) == ("webhook", "service.reactivated")
    assert message["headers"]["webhook-signature"].startswith("v1,")


async def test_the_crm_understands_what_the_lab_is_set_up_to_tell_it(post: Post) -> None:
    operation = Operation(**REACTIVATE)  # type: ignore[arg-type] # as the settings' section
    service = SoapService(str(post.http.make_url("/crm.wsdl")), {"service.reactivated": operation})
    soap = Soap(service)
    outcome = await soap.send(delivery(Channel.SOAP, "service.reactivated"))
    soap.close()
    assert outcome == Arrived('{"Status": "OK", "Ticket": "msg_5"}')
    assert (await post.first())["body"]["Id"] == "C1042-1"


async def test_a_mail_ends_in_the_file_in_both_forms(post: Post) -> None:
    server = MailServer("127.0.0.1", post.smtp, "bills@saldo.example", "none")
    mail = Mail(server, "Saldo", TEMPLATES)
    told = delivery(Channel.MAIL, address="james.smith@example.com")
    assert isinstance(await mail.send(told), Arrived)
    message = await post.first()
    assert message["to"] == ["james.smith@example.com"]
    assert message["subject"] == "Your payment of €42.50"
    assert "Confirmation: 12345678" in message["text"]
    assert "<html" in message["html"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise imports old modules
async def test_a_text_by_a_provider_ends_in_the_file(post: Post) -> None:
    carrier = ProviderCarrier(f"json://127.0.0.1:{post.http.port}/texts/{{number}}")
    outcome = await Texts(carrier, TEMPLATES).send(delivery(Channel.TEXT, address=NUMBER))
    carrier.close()
    assert outcome == Arrived()
    message = await post.first()
    assert (message["topic"], message["to"]) == ("text", "447700900001")
    assert "12345678" in message["body"]


async def test_it_starts_once_keeps_its_ports_and_is_told_of_everything(
    lab: Path, database_url: str
) -> None:
    office = laboratory._start_post(lab)
    try:
        assert laboratory._start_post(lab) == office
        for _ in range(2):
            await company.tell(database_url, f"{office.url}/webhooks")
    finally:
        assert laboratory._stop(lab, "post")
    assert laboratory._start_post(lab) == office
    assert laboratory._stop(lab, "post")
    database = await Database.open(database_url)
    endpoints = PostgresEndpoints(database)
    await endpoints.add("http://127.0.0.1:9/of-yesterday", (), "whsec_")
    await company.tell(database_url, f"{office.url}/webhooks")
    assert [each.url for each in await endpoints.all()] == [f"{office.url}/webhooks"]
    await database.close()


@pytest.mark.e2e
async def test_a_text_goes_out_through_asterisk_and_none_comes_in(
    post: Post, lab: Path, tree: Tree
) -> None:
    info = pbx.start(lab, tree, lab / "sounds")
    async with Ari(info.ari_url, info.ari_user, info.ari_password) as ari:
        address = f"pjsip:lab-agent/sip:{{number}}@127.0.0.1:{post.sip}"
        texts = Texts(SipCarrier(address, "sip:saldo@127.0.0.1", ari.send_text), TEMPLATES)
        assert await texts.send(delivery(Channel.TEXT, address=NUMBER)) == Arrived()
        message = await post.first()
        assert (message["topic"], message["to"]) == ("text", NUMBER)
        assert message["body"].startswith("Saldo: we received €42.50. Confirmation 12345678.")
        with pytest.raises(NothingThere):
            await ari.send_text("pjsip:nobody/sip:1@127.0.0.1", "sip:saldo@127.0.0.1", "x")
    for number in ("pay", "34910000000"):
        answer = await asyncio.to_thread(sent_by_a_stranger, info.sip_port, number)
        assert answer.startswith("SIP/2.0 404")
    assert len(post.arrived()) == 1


def sent_by_a_stranger(port: int, number: str) -> str:
    """What the PBX answers to a SIP MESSAGE that comes from the trunk."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(5)
        here = f"127.0.0.1:{phone.getsockname()[1]}"
        lines = [
            f"MESSAGE sip:{number}@127.0.0.1:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{number}",
            f"From: <sip:stranger@{here}>;tag=1",
            f"To: <sip:{number}@127.0.0.1>",
            f"Call-ID: {number}@{here}",
            "CSeq: 1 MESSAGE",
            "Max-Forwards: 70",
            "Content-Type: text/plain",
            "Content-Length: 2",
            "",
            "hi",
        ]
        phone.sendto("\r\n".join(lines).encode(), ("127.0.0.1", port))
        return phone.recv(4096).decode()
