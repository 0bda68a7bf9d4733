"""The cards that are keyed in the leak test, so that one which is found anywhere is a leak.

Only Braintree's published test numbers, and of those only the ones whose digits cannot be met by
chance; expiry and security code are drawn anew for each call.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

from ivr.gateways import test_cards

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
    def mistyped(self) -> str:
        """The number with a wrong check digit."""
        return self.number[:-1] + str((int(self.number[-1]) + 1) % 10)


def deal(luck: random.Random, numbers: tuple[str, ...] = GOOD) -> Iterator[Canary]:
    """Canaries without end, each number in turn."""
    for number in cycle(luck.sample(numbers, len(numbers))):
        found = test_cards.find(number)
        brand = str(found.brand) if found else "card"
        expiry = f"{luck.randint(1, 12):02d}{luck.randint(28, 39)}"
        yield Canary(number, brand, expiry, _code(luck, 4 if brand == "amex" else 3))


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
