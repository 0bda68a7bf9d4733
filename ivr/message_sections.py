"""The sections of saldo.toml about messages out: to programs, customers and a CRM."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, IPvAnyNetwork, SecretStr

from ivr.billing.messages import known_kind
from ivr.sections import Section


class Messages(Section):
    """What customers read; see messages.md."""

    templates: str = ""
    """a folder with `en` and `es`, for what shall differ from the shipped texts and mails"""


class Webhooks(Section):
    """Signed webhooks to your own programs; the endpoints are kept by REST, `/v1/webhooks`."""

    timeout_seconds: float = Field(15, gt=0, le=30)
    plain_http: bool = False
    """whether an endpoint may do without TLS"""
    networks: tuple[IPvAnyNetwork, ...] = ()
    """your own networks that endpoints may be in, such as 10.0.0.0/8; else on the internet only"""


class Mail(Section):
    """The mail server; empty host: no mail."""

    host: str = ""
    port: int = Field(587, ge=1, le=65535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = ""
    """the address that mails come from"""
    timeout_seconds: float = Field(20, gt=0, le=30)


class Texts(Section):
    """Text messages; empty url: none."""

    url: SecretStr = SecretStr("")
    """with {number} for the customer's: "pjsip:trunk/sip:{number}@sms.provider.example", or an URL
    of apprise for your provider"""
    sender: str = "sip:saldo@localhost"
    """From of a SIP MESSAGE"""


class SoapOperation(Section):
    """What is called for one kind of event."""

    name: str
    fields: dict[str, str] = Field(default_factory=dict)
    """the operation's field → a fact such as "service.external_id", or "=text" """
    expects: dict[str, str] = Field(default_factory=dict)
    """a field of the answer → what must stand there"""


class Soap(Section):
    """A CRM that is told by SOAP; empty wsdl: none."""

    wsdl: str = ""
    address: str = ""
    """another address than the WSDL's"""
    user: str = ""
    password: SecretStr = SecretStr("")
    login: Literal["basic", "wsse"] = "basic"
    timeout_seconds: float = Field(15, gt=0, le=30)
    operations: dict[Annotated[str, AfterValidator(known_kind)], SoapOperation] = Field(
        default_factory=dict
    )
    """kind of event → what is called"""
