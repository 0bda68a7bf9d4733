"""Links to the pay page: signed, short enough for a text, bound to a customer's invoices."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from ivr.billing.invoices import Invoice, total_due
from ivr.billing.messages import ToCustomer
from ivr.billing.money import Money, total
from ivr.billing.payments import AttemptState, DeclineBucket, Reactivated

ID_BYTES = 6
TAG_BYTES = 9
"""72 bits: whoever guesses a million codes a second for a year has one chance in 150 million."""
CODE_CHARS = 20
CODE = re.compile(rf"[A-Za-z0-9_-]{{{CODE_CHARS}}}")
"""the decoder takes + and / for - and _: one link would have several addresses"""
DECLINES = 5
"""refused cards that one link may have; then a person helps"""


class LinkPurpose(StrEnum):
    """Why a link was made: what its page offers first, and what a call may wait for."""

    PAY = "pay"
    """asked for in a call, or after a decline"""
    PAYPAL = "paypal"
    """the caller chose PayPal and may still be on the line"""
    REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it was made."""

    id: int
    url: str = field(repr=False)
    customer_id: int
    invoice_ids: tuple[int, ...]
    purpose: LinkPurpose
    expires_at: datetime
    call_id: str | None = None
    """the call it was made in: payments by this link are its payments too"""
    amounts: Mapping[int, Money] = field(default_factory=dict)
    """by invoice id, when a part was chosen already; else all that is due"""


@dataclass(frozen=True, slots=True)
class LinkWish:
    """A link that a member of staff asks for."""

    account: str
    """the biller's own key; empty: whose the invoices are"""
    invoices: tuple[str, ...]
    """by their numbers; none: all that is due on the account"""
    amount: Money | None
    """None: all that is due on them"""
    minutes: float
    """how long it may be used"""
    tell: tuple[ToCustomer, ...]
    """how the customer gets it; nothing: by whoever asked"""
    who: str
    """the name of their API key"""
    key: str
    """of theirs: the same wish with the same key is one link"""

    @property
    def digest(self) -> str:
        """What tells another wish with the same key."""
        whole = (
            self.account,
            sorted(self.invoices),
            self.amount,
            self.minutes,
            sorted(self.tell),
        )
        return hashlib.sha256("\n".join(map(str, whole)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LinkMade:
    """A link, and what is known of it beside the bill it shows."""

    link: Link
    digest: str = field(default="", repr=False)
    """of the wish, when staff asked for it"""
    is_over: bool = False
    """it has expired"""
    is_revoked: bool = False


class LinkState(StrEnum):
    """What may be done with a link."""

    OPEN = "open"
    CONFIRMING = "confirming"
    """what was paid by it, or in another way, is not known yet"""
    PAID = "paid"
    """nothing is due any more of what it is for"""
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class LinkNow:
    """A link as staff looks at it."""

    link: Link
    state: LinkState
    paid: LinkAttempt | None
    """the last payment by it"""


@dataclass(frozen=True, slots=True)
class LinkAttempt:
    """What became of one press of the button, as the ledger has it."""

    id: UUID
    """of the attempt: another press is another one"""
    state: AttemptState
    amount: Money
    seconds_ago: float
    """since it ended, else since it was begun"""
    taken: bool
    """whether something was to be charged: not before a PayPal payment is approved"""
    reason: str = ""
    bucket: DeclineBucket | None = None
    confirmation: str = ""
    reactivated: tuple[Reactivated, ...] = ()


@dataclass(frozen=True, slots=True)
class Bill:
    """What a link that may be used shows now."""

    link: Link
    language: str
    """the customer's"""
    invoices: tuple[Invoice, ...]
    """those with something due, oldest first; none when all is paid"""
    declines: int
    paid: LinkAttempt | None = None
    """the last payment by this link, for as long as its receipt is shown"""
    confirming: bool = False
    """one of its invoices may have been paid: nothing may be charged until that is known"""

    @property
    def amounts(self) -> dict[int, Money]:
        """What is to be paid of each invoice; of none more than is due."""
        chosen = self.link.amounts
        wanted = {each.id: chosen.get(each.id, each.due) for each in self.invoices}
        if chosen:
            wanted = {key: amount for key, amount in wanted.items() if key in chosen}
        return {
            each.id: min(wanted[each.id], each.due) for each in self.invoices if each.id in wanted
        }

    @property
    def amount(self) -> Money:
        """The sum of `amounts`, before any fee; the bill has at least one invoice."""
        return total(self.amounts.values(), self.invoices[0].amount.currency)

    @property
    def due(self) -> Money:
        """All that is due on its invoices; the bill has at least one."""
        return total_due(self.invoices)


class LinkKey:
    """Signs links and tells those it signed; the key itself is shown nowhere."""

    def __init__(self, key: str, url: str, before: str = "") -> None:
        """`url` is where customers find the pay page, such as https://pay.example.com.

        `before` is the key that was used before: what it signed is ours still.
        """
        self._keys = tuple(each.encode() for each in (key, before) if each)
        self.origin = url.rstrip("/")

    def new_id(self) -> int:
        """For a link to be made; taken by another one with a chance of 1 in 10^14 for each."""
        return secrets.randbits(8 * ID_BYTES)

    def code(self, link_id: int) -> str:
        """The 20 characters of its address."""
        number = link_id.to_bytes(ID_BYTES, "big")
        return base64.urlsafe_b64encode(number + self._tags(b"link", number)[0]).decode()

    def url(self, link_id: int) -> str:
        """The whole address."""
        return f"{self.origin}/pay/{self.code(link_id)}"

    def read(self, code: str) -> int | None:
        """The link's id; None when the code is none of ours. Takes the same time for any code."""
        if not CODE.fullmatch(code):
            return None
        whole = base64.urlsafe_b64decode(code)
        number, tag = whole[:ID_BYTES], whole[ID_BYTES:]
        if not _is_any_of(tag, self._tags(b"link", number)):
            return None
        return int.from_bytes(number, "big")

    def form_token(self, link_id: int) -> str:
        """What a page of ours sends with every request: no other site's page can know it."""
        number = link_id.to_bytes(ID_BYTES, "big")
        return base64.urlsafe_b64encode(self._tags(b"form", number)[0]).decode()

    def is_form_token(self, link_id: int, token: str) -> bool:
        """Whether a request comes from a page that we gave out for this link."""
        tags = self._tags(b"form", link_id.to_bytes(ID_BYTES, "big"))
        return _is_any_of(token.encode(), [base64.urlsafe_b64encode(tag) for tag in tags])

    def _tags(self, use: bytes, number: bytes) -> list[bytes]:
        signed = b"saldo " + use + number
        return [hmac.digest(key, signed, hashlib.sha256)[:TAG_BYTES] for key in self._keys]


def _is_any_of(given: bytes, tags: Sequence[bytes]) -> bool:
    """Every one is compared, so that the time tells nothing about any."""
    return sum(hmac.compare_digest(given, tag) for tag in tags) > 0
