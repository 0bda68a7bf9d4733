"""Bank accounts: as the secure process gives them back, and the mandate to debit one, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from ivr.billing.money import Money

AccountType = Literal["checking", "savings"]
KeptAs = Literal["clip", "notice"]
"""how an oral mandate is proved: by the recording of the call, or by the notice sent in writing"""
Way = Literal["text", "mail"]
YEARS_KEPT = 2
"""from the debit: rules of Nacha for entries initiated by telephone"""

WORDING: Mapping[str, str] = {
    "en": "Today is {date}. You authorize {company} to take {amount} once, by electronic debit,"
    " from the account ending in {last4} in the name of {name}, today or on the next banking day."
    " To ask about it, or to revoke it before then, call {digits}.",
    "es": "Hoy es {date}. Usted autoriza a {company} a cobrar {amount} una sola vez, por débito"
    " electrónico, de la cuenta terminada en {last4} a nombre de {name}, hoy o el próximo día"
    " hábil. Para preguntar, o revocarlo antes, llame al {digits}.",
}
"""Word for word what is read to the caller: the phrase `mandate` of audio-prompts/."""


@dataclass(frozen=True, slots=True)
class BankAccountKeyed:
    """What the secure process hands back: to be vaulted once its holder agrees to the debit."""

    last4: str
    account_type: AccountType
    token: str = field(repr=False)
    """the gateway's single-use payment method, which cannot be charged"""


@dataclass(frozen=True, slots=True)
class AccountHolder:
    """Whose account is to be keyed, and what it is keyed for; the gateway wants to know both."""

    name: str
    mandate: str


@dataclass(frozen=True, slots=True)
class Mandate:
    """That the holder of an account agreed to one debit, in which words, and how that is proved."""

    attempt_id: UUID
    call_id: str
    wording: str
    language: str
    accepted_at: datetime
    how: KeptAs
    reference: str
    """where in the recording of the call it is, see `heard_at`; or the ways that the notice goes"""


@dataclass(frozen=True, slots=True)
class NotVerified:
    """The bank does not know the account, or nobody could be asked: it is not charged."""

    code: str = ""
    """the gateway's, for the log"""


def heard_at(begin: float, end: float) -> str:
    """Where in a recording something is, in seconds of the call."""
    return f"{begin:.1f}-{end:.1f} s"


def heard_between(reference: str) -> tuple[float, float]:
    """Begin and end of what `heard_at` named. Raises ValueError."""
    begin, _, end = reference.removesuffix(" s").partition("-")
    return float(begin), float(end)


def wording(
    language: str, *, company: str, name: str, amount: Money, last4: str, day: date, phone: str
) -> str:
    """The mandate as it is kept; the words of WORDING with everything filled in."""
    return WORDING[language].format(
        date=day.isoformat(),
        company=company,
        amount=amount,
        last4=last4 or "…",
        name=name,
        digits=phone,
    )
