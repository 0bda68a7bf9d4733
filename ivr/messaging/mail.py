"""Mail to customers by SMTP: text and HTML, and the same Message-ID however often it is tried."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

import aiosmtplib

from ivr.billing.messages import Arrived, Delivery, Failed, Outcome, Skipped
from ivr.messaging.templates import Templates, TemplateWrong

ADDRESS = re.compile(r"[^\s,;:<>()\[\]\\\"@]+@[A-Za-z0-9.-]+\.?[A-Za-z0-9-]+")
"""one address, and nothing that a mail server would take for two"""
PERMANENT = 500
"""SMTP's answers from here on will be the same next time (RFC 5321, 4.2.1)"""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Who takes our mail."""

    host: str
    port: int
    sender: str
    """the address it comes from"""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = 20
    trust: ssl.SSLContext | None = None
    """other authorities than the machine's"""


class Mail:
    """Sends through one mail server."""

    def __init__(self, server: MailServer, company: str, templates: Templates) -> None:
        self._server = server
        self._company = company
        self._templates = templates

    async def send(self, delivery: Delivery) -> Outcome:
        """Hand it to the mail server."""
        if not delivery.address:
            return Skipped("no e-mail address on file")
        if not ADDRESS.fullmatch(delivery.address):
            return Skipped("the e-mail address on file is none")
        try:
            message = self._written(delivery)
        except TemplateWrong as error:
            return Failed(str(error), for_good=True)
        return await self._hand_over(message)

    def _written(self, delivery: Delivery) -> EmailMessage:
        subject, text, html = self._templates.mail(delivery.kind, delivery.facts)
        sender = Address(self._company, addr_spec=self._server.sender)
        message = EmailMessage()
        message["From"] = sender
        message["To"] = delivery.address
        message["Subject"] = subject
        message["Date"] = format_datetime(delivery.happened_at)
        message["Message-ID"] = f"<{delivery.message_id}@{sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        message.add_alternative(html, subtype="html")
        return message

    async def _hand_over(self, message: EmailMessage) -> Outcome:
        server = self._server
        try:
            _, said = await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                username=server.user or None,
                password=server.password or None,
                use_tls=server.tls == "tls",
                start_tls=server.tls == "starttls",
                tls_context=server.trust,
                timeout=server.timeout_seconds,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = max((each.code for each in error.recipients), default=0)
            return Failed(f"the mail server refused the address ({code})", for_good=_for_good(code))
        except aiosmtplib.SMTPNotSupported as error:
            if str(message["To"]).isascii():
                return Failed(f"the mail server was not reached ({type(error).__name__})")
            return Failed("the mail server takes no such letters in addresses", for_good=True)
        except aiosmtplib.SMTPResponseException as error:
            return Failed(f"the mail server answered {error.code}")
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return Failed(f"the mail server was not reached ({type(error).__name__})")
        return Arrived(said)


def _for_good(code: int) -> bool:
    return code >= PERMANENT
