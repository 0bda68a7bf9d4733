"""Mail through a real SMTP server that takes, refuses, is away and knows STARTTLS."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from ivr.billing.messages import Arrived, Channel, Delivery, Failed, Outcome, Skipped
from ivr.lab.packages import Tree
from ivr.messaging.mail import Mail, MailServer
from ivr.messaging.templates import Templates
from tests.messaging.deliveries import FACTS, delivery

WRITTEN = delivery(Channel.MAIL, address="james.smith@example.com")


class PostOffice:
    """An SMTP server's handler: keeps mails, and refuses what it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.encrypted: list[bool] = []
        self.refusal = ""
        self.refuses_address = ""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd names it
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.refuses_address:
            return self.refuses_address
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        read = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(read, EmailMessage)
        self.mails.append(read)
        self.recipients += envelope.rcpt_tos
        self.encrypted.append(session.ssl is not None)
        return "250 taken"


@pytest.fixture(scope="module")
def certificate(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("mail") / "mail.pem"
    made.with_suffix(".cnf").write_text("[req]\ndistinguished_name = name\n[name]\n")
    command: list[str | Path] = [tree.program("openssl"), "req", "-x509"]
    command += ["-config", made.with_suffix(".cnf")]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=mail test", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", made.with_suffix(".key"), "-out", made]
    subprocess.run(command, capture_output=True, check=True, timeout=30)
    return made


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
async def server(office: PostOffice) -> AsyncIterator[MailServer]:
    """One without TLS."""
    async with listening(office) as port:
        yield MailServer("127.0.0.1", port, "bills@saldo.example", "none", timeout_seconds=2)


@asynccontextmanager
async def listening(office: PostOffice, **options: Any) -> AsyncIterator[int]:
    """The port of a mail server."""
    loop = asyncio.get_running_loop()
    talks: list[Any] = []

    def answer() -> Any:
        talks.append(SMTP(office, loop=loop, hostname="mail.test", **options))
        return talks[-1]

    server = await loop.create_server(answer, "127.0.0.1")
    yield int(server.sockets[0].getsockname()[1])
    server.close()
    for talk in talks:
        if talk.transport:
            talk.transport.abort()
    await asyncio.sleep(0)
    await server.wait_closed()


async def send(server: MailServer, told: Delivery = WRITTEN) -> Outcome:
    return await Mail(server, "Saldo Telecom", Templates("Saldo Telecom", "GB")).send(told)


async def test_a_receipt_arrives_as_text_and_as_html(
    office: PostOffice, server: MailServer
) -> None:
    assert isinstance(await send(server), Arrived)
    (mail,) = office.mails
    assert office.recipients == ["james.smith@example.com"]
    assert mail["From"] == "Saldo Telecom <bills@saldo.example>"
    assert mail["Subject"] == "Your payment of €42.50"
    assert mail["Message-ID"] == "<msg_5@saldo.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text
    assert html
    for shown in ("12345678", "F-1", "ending in 1111", "James Smith"):
        assert shown in text.get_content()
        assert shown in html.get_content()


async def test_a_name_cannot_write_html(office: PostOffice, server: MailServer) -> None:
    customer = {**FACTS["customer"], "name": "<b>x</b>"}
    await send(server, replace(WRITTEN, facts={**FACTS, "customer": customer}))
    html = office.mails[0].get_body(("html",))
    assert html
    assert "&lt;b&gt;x&lt;/b&gt;" in html.get_content()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\v", "\x85", "\u2028"])
async def test_a_name_cannot_write_headers(
    office: PostOffice, server: MailServer, tmp_path: Path, end: str
) -> None:
    (tmp_path / "en").mkdir()
    hello = "Hello {{ customer.name }}\nYour payment\n"
    (tmp_path / "en/receipt.mail.txt").write_text(hello, encoding="utf-8")
    customer = {**FACTS["customer"], "name": f"James{end}Bcc: everybody@example.com"}
    told = replace(WRITTEN, facts={**FACTS, "customer": customer})
    templates = Templates("Saldo Telecom", "GB", tmp_path)
    assert isinstance(await Mail(server, "Saldo Telecom", templates).send(told), Arrived)
    (mail,) = office.mails
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("Hello James")
    assert office.recipients == ["james.smith@example.com"]


async def test_an_address_that_the_mail_server_cannot_take_is_given_up(
    office: PostOffice, server: MailServer
) -> None:
    outcome = await send(server, replace(WRITTEN, address="josé@example.com"))
    assert isinstance(outcome, Arrived) or (isinstance(outcome, Failed) and outcome.for_good)


async def test_a_company_may_be_called_anything(office: PostOffice, server: MailServer) -> None:
    name = 'Peña & Söhne, "Fibra" <24h>'
    told = await Mail(server, name, Templates(name, "ES")).send(WRITTEN)
    assert isinstance(told, Arrived)
    assert office.mails[0]["From"].addresses[0].display_name == name


async def test_starttls_is_used_and_its_certificate_looked_at(
    office: PostOffice, certificate: Path
) -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(certificate, certificate.with_suffix(".key"))
    trust = ssl.create_default_context(cafile=str(certificate))
    options = {"tls_context": own, "require_starttls": True}
    async with listening(office, **options) as port:
        known = MailServer("127.0.0.1", port, "bills@saldo.example", trust=trust)
        assert isinstance(await send(known), Arrived)
        unknown = await send(replace(known, trust=None, timeout_seconds=2))
    assert isinstance(unknown, Failed)
    assert not unknown.for_good
    assert office.encrypted == [True]


async def test_a_server_without_starttls_gets_no_mail_when_it_is_asked_for(
    office: PostOffice, server: MailServer
) -> None:
    outcome = await send(replace(server, tls="starttls"))
    assert isinstance(outcome, Failed)
    assert office.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_user_and_password_let_us_in(office: PostOffice) -> None:
    def allowed(_server: Any, _session: Any, _envelope: Any, _way: Any, given: Any) -> AuthResult:
        known = (given.login, given.password) == (b"saldo", b"secret")
        return AuthResult(success=known, handled=False)

    options = {"authenticator": allowed, "auth_required": True, "auth_require_tls": False}
    async with listening(office, **options) as port:
        right = MailServer(
            "127.0.0.1", port, "bills@saldo.example", "none", user="saldo", password="secret"
        )
        assert isinstance(await send(right), Arrived)
        outcome = await send(replace(right, password="wrong"))
    assert outcome == Failed("the mail server answered 535")
    assert "secret" not in repr(right)


@pytest.mark.parametrize(
    ("refusal", "refuses_address", "outcome"),
    [
        ("451 later", "", Failed("the mail server answered 451")),
        ("554 no", "", Failed("the mail server answered 554")),
        ("", "550 nobody", Failed("the mail server refused the address (550)", for_good=True)),
        ("", "450 busy", Failed("the mail server refused the address (450)")),
    ],
)
async def test_a_refused_address_is_given_up_and_all_else_tried_again(
    office: PostOffice, server: MailServer, refusal: str, refuses_address: str, outcome: Outcome
) -> None:
    office.refusal, office.refuses_address = refusal, refuses_address
    assert await send(server) == outcome


async def test_a_mail_server_that_is_away_or_hangs_is_tried_again() -> None:
    left = asyncio.Event()

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    away = MailServer("127.0.0.1", 1, "bills@saldo.example", "none", timeout_seconds=0.3)
    async with await asyncio.start_server(says_nothing, "127.0.0.1") as hanging:
        port = hanging.sockets[0].getsockname()[1]
        for server in (away, replace(away, port=port)):
            outcome = await send(server)
            assert isinstance(outcome, Failed)
            assert not outcome.for_good
        await asyncio.wait_for(left.wait(), 5)


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b.example, c@d.example", "a@b.example\nBcc: x"]
)
async def test_what_is_no_address_is_skipped(server: MailServer, address: str) -> None:
    assert isinstance(await send(server, replace(WRITTEN, address=address)), Skipped)


async def test_a_mail_whose_template_is_missing_is_a_dead_letter(server: MailServer) -> None:
    outcome = await send(server, replace(WRITTEN, kind="nothing"))
    assert outcome == Failed("the template en/nothing.mail.txt is missing", for_good=True)
