"""How often cards and accounts may be tried, and when cards are not taken at all.

Source of the numbers: payments.md, "Abuse". Pure: what was counted comes in, a verdict comes out.
Every count is of what came before the try that is judged.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto


@dataclass(frozen=True, slots=True)
class Limits:
    """How many of each are allowed; "a day" is the last 24 hours."""

    card_tries_a_call: int = 3
    """charges that were declined, or are not known to have succeeded; so in all that follow"""
    card_tries_an_invoice: int = 3
    card_tries_a_number: int = 5
    card_tries_hidden: int = 20
    """by all callers who hide their number together"""
    cards_a_call: int = 2
    invoices_a_card: int = 5
    refused_for_good: bool = True
    """whether a card that its bank refused for good is never charged again"""
    identifications_a_call: int = 3
    """failures, and so in all that follow"""
    identifications_a_number: int = 10
    identifications_hidden: int = 30
    identifications_an_account: int = 10
    identifications_an_hour: int = 300
    """of everybody; past it only callers whose number is on file are identified"""
    breaker_declines: int = 10
    """more declined cards than this, and a larger share than the next, stop cards"""
    breaker_callers: int = 3
    """of so many callers at least; all who hide their number are one"""
    breaker_share: float = 0.5
    breaker_minutes: float = 10
    breaker_pause_minutes: float = 15
    breaker_trials: int = 3
    """charges after the pause, one by one, that have to succeed before cards are taken again"""

    @property
    def breaker_window(self) -> timedelta:
        return timedelta(minutes=self.breaker_minutes)

    @property
    def breaker_pause(self) -> timedelta:
        return timedelta(minutes=self.breaker_pause_minutes)


# Cards


class CardVerdict(StrEnum):
    """Whether a card may be charged now; why not is for the log and for metrics, never spoken."""

    ALLOWED = "allowed"
    REFUSED_FOR_GOOD = "refused-for-good"
    """its bank said so before"""
    CALL = "call"
    CARDS_OF_CALL = "cards-of-call"
    NUMBER = "number"
    HIDDEN = "hidden"
    INVOICE = "invoice"
    CARD = "card"
    BREAKER = "breaker"


class Phase(Enum):
    """Of the breaker."""

    CLOSED = auto()
    """cards are taken"""
    OPEN = auto()
    """no card is taken"""
    HALF_OPEN = auto()
    """one at a time, on trial"""


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is kept of it, and what became of cards lately."""

    now: datetime
    opened_at: datetime | None = None
    """None while it is closed"""
    declined: int = 0
    """in its window, since it was last closed"""
    decided: int = 0
    """declined or not"""
    trials_under_way: int = 0
    """since the end of the pause; so the next"""
    trials_declined: int = 0
    trials_succeeded: int = 0
    callers: int = 0
    """whose cards those declined were; all who hide their number are one"""

    def phase(self, limits: Limits) -> Phase:
        """What it should be in now, whatever it was: who finds another keeps it."""
        if self.opened_at is None:
            return Phase.OPEN if self._is_tripped(limits) else Phase.CLOSED
        if self.now < self.opened_at + limits.breaker_pause or self.trials_declined:
            return Phase.OPEN
        is_proved = self.trials_succeeded >= limits.breaker_trials
        return Phase.CLOSED if is_proved else Phase.HALF_OPEN

    def takes(self, limits: Limits) -> bool:
        """Whether one more card may be charged."""
        phase = self.phase(limits)
        return phase is Phase.CLOSED or (phase is Phase.HALF_OPEN and not self.trials_under_way)

    def opens(self, limits: Limits) -> bool:
        """Whether it opens now, for the first time or again after a trial."""
        began = self.opened_at is None or bool(self.trials_declined)
        return began and self.phase(limits) is Phase.OPEN

    def closes(self, limits: Limits) -> bool:
        """Whether it closes now."""
        return self.opened_at is not None and self.phase(limits) is Phase.CLOSED

    def _is_tripped(self, limits: Limits) -> bool:
        share = limits.breaker_share * self.decided
        is_of_many = self.callers >= limits.breaker_callers
        return is_of_many and self.declined > limits.breaker_declines and self.declined > share


@dataclass(frozen=True, slots=True)
class CardTries:
    """What was tried before one card is charged."""

    breaker: Breaker
    in_call: int = 0
    other_cards_in_call: int = 0
    of_number: int = 0
    is_hidden: bool = False
    """the number; then `of_number` is of all who hide theirs"""
    of_invoice: int = 0
    """of the one invoice that was tried most"""
    invoices_of_card: int = 0
    was_refused_for_good: bool = False

    def verdict(self, limits: Limits) -> CardVerdict:
        """Whether this card may be charged now."""
        number_limit = limits.card_tries_hidden if self.is_hidden else limits.card_tries_a_number
        stops = {
            CardVerdict.REFUSED_FOR_GOOD: limits.refused_for_good and self.was_refused_for_good,
            CardVerdict.CALL: self.in_call >= limits.card_tries_a_call,
            CardVerdict.CARDS_OF_CALL: self.other_cards_in_call >= limits.cards_a_call,
            CardVerdict.HIDDEN: self.is_hidden and self.of_number >= number_limit,
            CardVerdict.NUMBER: self.of_number >= number_limit,
            CardVerdict.INVOICE: self.of_invoice >= limits.card_tries_an_invoice,
            CardVerdict.CARD: self.invoices_of_card >= limits.invoices_a_card,
            CardVerdict.BREAKER: not self.breaker.takes(limits) or self._is_no_trial(limits),
        }
        return next((why for why, stopped in stops.items() if stopped), CardVerdict.ALLOWED)

    def _is_no_trial(self, limits: Limits) -> bool:
        """Whether others are to prove that cards work again: whoever keeps failing proves nothing.

        Of those who hide their number, nobody knows who failed.
        """
        is_trial = self.breaker.phase(limits) is Phase.HALF_OPEN
        return is_trial and self.of_number > 0 and not self.is_hidden


def one_number(caller: str | None) -> str:
    """The same for +34600000001, 0034600000001 and 600000001; empty: hidden, or no number.

    Its last eight digits: two callers who share them share a count.
    """
    return re.sub("[^0-9]", "", caller or "")[-8:]


# Identification

EVERYBODY = "everybody"
HIDDEN = "hidden"
LONGEST_DELAY_SECONDS = 8.0
FIRST_DELAY_SECONDS = 0.5


class IdentificationVerdict(StrEnum):
    """Whether somebody may be identified now; why not is for the log and for metrics only."""

    ALLOWED = "allowed"
    NUMBER = "number"
    HIDDEN = "hidden"
    ACCOUNT = "account"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Subjects:
    """What one try to identify is counted for."""

    number: str
    account: str

    @classmethod
    def of(cls, caller: str | None, claim: str) -> Subjects:
        """Of a caller's number, None when hidden, and what they claim to be.

        A claim is kept as a hash: it is what a caller keyed.
        """
        account = hashlib.blake2b(claim.encode(), digest_size=12).hexdigest()
        number = one_number(caller)
        return cls(f"number {number}" if number else HIDDEN, f"account {account}")

    @property
    def all(self) -> tuple[str, ...]:
        return self.number, self.account, EVERYBODY


@dataclass(frozen=True, slots=True)
class Counted:
    """Failures before this try, of one subject."""

    this_hour: int = 0
    a_day: int = 0


@dataclass(frozen=True, slots=True)
class IdentificationTries:
    """What was counted before one try, and where this one was counted."""

    subjects: Subjects
    counted: dict[str, Counted] = field(default_factory=dict)
    hour: datetime | None = None
    """None: it was not counted"""

    def verdict(self, limits: Limits) -> IdentificationVerdict:
        """Whether right details would be accepted.

        Past the limits of an account and of everybody, they are from a number on file.
        """
        if self._of_number >= self._number_limit(limits):
            is_hidden = self.subjects.number == HIDDEN
            return IdentificationVerdict.HIDDEN if is_hidden else IdentificationVerdict.NUMBER
        if self._of(self.subjects.account).a_day >= limits.identifications_an_account:
            return IdentificationVerdict.ACCOUNT
        if self._of(EVERYBODY).this_hour >= limits.identifications_an_hour:
            return IdentificationVerdict.EVERYBODY
        return IdentificationVerdict.ALLOWED

    def delay_seconds(self, limits: Limits) -> float:
        """How long the answer waits, right or wrong: twice as long at each tenth of the limit."""
        tenths = 10 * self._of_number // self._number_limit(limits)
        if not tenths:
            return 0.0
        return min(FIRST_DELAY_SECONDS * 2.0 ** min(tenths - 1, 10), LONGEST_DELAY_SECONDS)

    @property
    def _of_number(self) -> int:
        return self._of(self.subjects.number).a_day

    def _number_limit(self, limits: Limits) -> int:
        is_hidden = self.subjects.number == HIDDEN
        return limits.identifications_hidden if is_hidden else limits.identifications_a_number

    def _of(self, subject: str) -> Counted:
        return self.counted.get(subject, Counted())
