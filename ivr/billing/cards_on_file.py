"""Cards that customers agreed to have kept at the gateway: consent, expiry, removal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from ivr.billing.payments import CardOnFile, CardOnHand

WORDING = "keep_card/2"
"""the phrase that a caller agrees to, and its version: raise it when its text changes"""
OFFERED = 3
"""so many cards are read out, the ones kept last"""


class RemovedFor(StrEnum):
    """Why a card is not on file any more."""

    CALLER = "caller"
    EXPIRED = "expired"
    REFUSED = "refused"
    """the bank or the gateway refused it for good"""


@dataclass(frozen=True, slots=True)
class Consent:
    """A caller's yes to having the card of one payment kept."""

    customer_id: int
    attempt_id: UUID
    call_id: str
    language: str
    """in which it was asked and answered"""
    wording: str = WORDING


def is_expired(card: CardOnFile | CardOnHand, today: date) -> bool:
    """Cards are good to the last day of their month."""
    month, year = int(card.expires[:2]), 2000 + int(card.expires[2:])
    return (year, month) < (today.year, today.month)


def is_among(card: CardOnHand, on_file: Sequence[CardOnFile]) -> bool:
    """Whether this card is kept already, as far as one can know without its number."""
    shown = (card.brand, card.last4, card.expires)
    return any((each.brand, each.last4, each.expires) == shown for each in on_file)
