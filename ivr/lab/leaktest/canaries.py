"""The cards and bank accounts that are keyed, so that one which is found anywhere is a leak.

Cards are Braintree's published test numbers, and of those only the ones whose digits cannot be met
by chance; expiry and security code are drawn anew for each call. Of its published bank accounts
nothing can be told from other digits (1000000000), so account numbers are drawn anew for each run;
the routing number is the published one, of a bank where nobody has an account.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

from ivr.billing.card_numbers import passes_luhn
from ivr.gateways import test_cards
from ivr.gateways.test_accounts import ROUTING_NUMBER

WINDOW = 10
"""digits in a row that are a leak: the first six and the last four may be kept, no more"""
SHORT_WINDOW = 8
"""the same where single digits stand one below the other in the order of time"""
DISTINCT, _RUN = 4, 7
_TELLING = frozenset({"200", "201", "301", "2000", "2011", "3011"})
"""security codes by which the sandbox is told to fail"""

GOOD = tuple(
    each.number
    for each in test_cards.APPROVING
    if each.number.startswith(("2223", "37", "40120000", "4217", "6011000991"))
)
DECLINED = ("378734493671000", "6011000990139424")

ACCOUNT_LENGTHS = range(12, 18)
_ROUTING_SEEN = 3
"""of the routing number, which is no secret, where keys stand one below the other"""
_ACCOUNT_DISTINCT, _ACCOUNT_RUN = 6, 3
_SHORTEST_CARD = 13
"""digits that a mask of card numbers looks at"""
_NO_DATE = "3456789"
"""how no year, no number of seconds and no telephone number of the test begins"""


@dataclass(frozen=True, slots=True)
class Canary:
    """One card for one call. It prints as brand and last four."""

    number: str = field(repr=False)
    brand: str
    expiry: str = field(repr=False)
    """MMYY"""
    code: str = field(repr=False)

    @property
    def label(self) -> str:
        """What a report may show."""
        return f"{self.brand} …{self.number[-4:]}"

    @property
    def keyed(self) -> str:
        """What is keyed, one key after the other."""
        return self.number + self.expiry + self.code

    @property
    def mistyped(self) -> str:
        """The number with a wrong check digit."""
        return self.number[:-1] + str((int(self.number[-1]) + 1) % 10)


@dataclass(frozen=True, slots=True)
class Account:
    """One bank account. It prints as its last four."""

    number: str = field(repr=False)
    label: str
    """what a report may show"""

    @classmethod
    def of(cls, number: str) -> Account:
        """The account of this number."""
        return cls(number, f"account …{number[-4:]}")

    @property
    def keyed(self) -> str:
        """The end of the routing number and the number: of a part of it a few digits may do."""
        return ROUTING_NUMBER[-_ROUTING_SEEN:] + self.number


AnyCanary = Canary | Account


def deal(luck: random.Random, numbers: tuple[str, ...] = GOOD) -> Iterator[Canary]:
    """Canaries without end, each number in turn."""
    for number in cycle(luck.sample(numbers, len(numbers))):
        found = test_cards.find(number)
        brand = str(found.brand) if found else "card"
        expiry = f"{luck.randint(1, 12):02d}{luck.randint(28, 39)}"
        yield Canary(number, brand, expiry, _code(luck, 4 if brand == "amex" else 3))


def deal_accounts(luck: random.Random) -> Iterator[Account]:
    """Accounts without end, six of them in turn, one of each length."""
    deck: dict[str, Account] = {}
    for length in luck.sample(ACCOUNT_LENGTHS, len(ACCOUNT_LENGTHS)):
        found = Account.of(_account_number(luck, length))
        while found.label in deck:
            found = Account.of(_account_number(luck, length))
        deck[found.label] = found
    yield from cycle(deck.values())


@dataclass(frozen=True, slots=True)
class Deck:
    """Canaries of every kind, without end."""

    cards: Iterator[Canary]
    declined: Iterator[Canary]
    accounts: Iterator[Account]

    @classmethod
    def of(cls, luck: random.Random) -> Deck:
        """A new one; its accounts are nobody else's."""
        return cls(deal(luck), deal(luck, DECLINED), deal_accounts(luck))


def _account_number(luck: random.Random, length: int) -> str:
    """One that nothing writes by chance, and that no mask of card numbers would take for a card."""
    while True:
        number = luck.choice(_NO_DATE) + "".join(luck.choices("0123456789", k=length - 1))
        if _tells(number) and not _may_be_a_card(number):
            return number


def _tells(number: str) -> bool:
    """Whether every stretch of it has many different digits and no run."""
    parts = (number[start : start + WINDOW] for start in range(len(number) - WINDOW + 1))
    runs = any(digit * _ACCOUNT_RUN in number for digit in "0123456789")
    return not runs and all(len(set(part)) >= _ACCOUNT_DISTINCT for part in parts)


def _may_be_a_card(number: str) -> bool:
    return any(
        passes_luhn(number[start:end])
        for start in range(len(number))
        for end in range(start + _SHORTEST_CARD, len(number) + 1)
    )


def windows(digits: str, length: int = WINDOW) -> Iterator[str]:
    """Every stretch of digits that is telling: what could come about by chance is left out."""
    for start in range(len(digits) - length + 1):
        window = digits[start : start + length]
        runs = any(digit * _RUN in window for digit in "0123456789")
        if len(set(window)) >= DISTINCT and not runs:
            yield window


def _code(luck: random.Random, length: int) -> str:
    while True:
        code = "".join(luck.choices("0123456789", k=length))
        if code not in _TELLING and len(set(code)) > 1:
            return code
