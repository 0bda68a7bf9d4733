"""What is told to whom after something happened, and when it is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

Topic = Literal["webhook", "text", "mail"]
ToCustomer = Literal["text", "mail"]
"""the topics that go to the customer"""

RETRY_SECONDS = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""The pause after each failed try: the schedule of the Standard Webhooks specification, 75 h."""
JITTER = 0.2
"""so much of a pause is chance, or all that failed together would come back together"""
GIVEN_UP_SECONDS = sum(RETRY_SECONDS) * (1 + JITTER)
"""After so long one more failure is the last: what waited behind another that failed for days."""
SHOWN_OF_A_NUMBER = 4
PROGRAM_KINDS = (
    *("payment.captured", "payment.settled", "payment.voided", "payment.refunded"),
    *("payment.returned", "payment.given-back-twice", "payment.declined", "payment.failed"),
    *("payment.in-doubt", "payment.not-applied"),
    *("invoice.paid", "invoice.part-paid", "invoice.unpaid"),
    *("service.reactivated", "service.reactivation-reversed"),
    *("promise.made", "capture.ended"),
)
"""All that the company's programs are told, by webhooks and SOAP."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell. A receipt by text and by mail is two messages."""

    topic: Topic
    """webhook: the company's programs, by webhooks and SOAP; text and mail: the customer"""
    kind: str
    """payment.captured, service.reactivated, …; receipt, pay-link, … (docs/messages.md)"""
    ids: Mapping[str, Any] = field(default_factory=dict)
    """customer, payment, invoice, service by our ids: who delivers reads the rest when it is sent.
    Whatever else stands here is shown as it is: url, minutes, day, amount, …"""
    call_id: str | None = None
    attempt_id: UUID | None = None
    to: str | None = None
    """the telephone number it had better go to, such as the caller's: used only if it is on file
    for the same customer, as one of their lines"""
    until: datetime | None = None
    """not sent after this: a link that has expired helps nobody"""

    def __post_init__(self) -> None:
        """Raises ValueError for news that no program can have asked for."""
        if self.topic == "webhook":
            known_kind(self.kind)


class Channel(StrEnum):
    """How something gets to somebody."""

    WEBHOOK = "webhook"
    SOAP = "soap"
    TEXT = "text"
    MAIL = "mail"


class DeliveryState(StrEnum):
    """SKIPPED and DEAD say why in their error; only DEAD ones are for staff to look at."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    SKIPPED = "skipped"
    """on purpose: no address on file, or not true any more"""
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where webhooks go."""

    id: UUID
    url: str
    secret: str = field(repr=False)
    """whsec_ and base64"""
    previous_secret: str | None = field(default=None, repr=False)
    """signs too while a new one is being taken into use"""
    kinds: tuple[str, ...] = ()
    """empty: all"""
    state: Literal["enabled", "disabled", "deleted"] = "enabled"
    why: str | None = None
    """why it is disabled"""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one target, claimed by us for a while."""

    id: int
    event_id: int
    channel: Channel
    target: str
    """what has an order and a limit of its own: an endpoint's id, or the channel"""
    kind: str
    happened_at: datetime
    attempts: int
    """this one included"""
    age_seconds: float
    """since it was first to be told"""
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """read now: payment, invoice, invoices, service, reactivated, customer and the message's own"""
    address: str = field(default="", repr=False)
    """a telephone number or e-mail address"""
    endpoint: Endpoint | None = None
    moot: str = ""
    """why it is not to be told, or not any more"""

    @property
    def message_id(self) -> str:
        """The same for every try and every target: who gets it twice can tell."""
        return f"msg_{self.event_id}"


@dataclass(frozen=True, slots=True)
class Arrived:
    """The other side took it."""

    answer: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not, this time."""

    why: str
    answer: str = ""
    for_good: bool = False
    """trying again cannot help"""
    endpoint_gone: bool = False
    """nobody wants anything there any more"""


@dataclass(frozen=True, slots=True)
class Skipped:
    """There was nothing to send, or nobody to send it to."""

    why: str


Outcome = Arrived | Failed | Skipped


def known_kind(kind: str) -> str:
    """The same kind, if programs are told it. Raises ValueError with all that they are."""
    if kind not in PROGRAM_KINDS:
        raise ValueError(f"nothing is told of the kind {kind!r}: use {', '.join(PROGRAM_KINDS)}")
    return kind


def pause_seconds(attempts: int, age_seconds: float, chance: float) -> float | None:
    """How long after the last of `attempts` tries the next one is; None: it is given up.

    `chance` is 0 to 1, and a matter of luck.
    """
    if attempts > len(RETRY_SECONDS) or age_seconds > GIVEN_UP_SECONDS:
        return None
    return RETRY_SECONDS[attempts - 1] * (1 + JITTER * chance)


def no_use(kind: str, *, is_late: bool, line_status: str | None, suspended_for: str | None) -> str:
    """Why a message is not worth telling any more; empty when it is.

    A line that came back and was suspended meanwhile, for fraud or for another bill, must not be
    switched on by news of yesterday.
    """
    if is_late:
        return "too late: what it says does not hold any more"
    if kind == "service.reactivated" and line_status != "active":
        why = f" for {suspended_for}" if suspended_for else ""
        return f"the line is {line_status}{why} now"
    return ""


def address_on_file(wanted: str | None, on_file: str, *, is_own_line: bool) -> tuple[str, str]:
    """Where a message to a customer goes, and why nowhere when the first is empty.

    `wanted` is used only if it is on file itself: a number that somebody calls from, or says, is
    nobody's until then.
    """
    address = wanted if wanted and is_own_line else on_file
    return address, "" if address else "no address on file"


def masked(way: ToCustomer, address: str) -> str:
    """An address as it may be shown: …0021 of a telephone, j…@example.com of mail."""
    if way == "text":
        return f"…{address[-SHOWN_OF_A_NUMBER:]}"
    name, _, host = address.partition("@")
    return f"{name[:1]}…@{host}" if name and host else ""
