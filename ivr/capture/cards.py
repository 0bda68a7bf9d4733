"""What a card number, an expiry date and a security code must look like (capture.md, "Fields")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from ivr.capture.secret import SecretDigits


@dataclass(frozen=True, slots=True)
class Brand:
    """A card network as its numbers show it."""

    name: str
    lengths: frozenset[int]
    code_length: int = 3
    """digits of the security code"""


ANY_LENGTH = frozenset(range(13, 20))
VISA = Brand("visa", frozenset({13, 16, 19}))
MASTERCARD = Brand("mastercard", frozenset({16}))
AMEX = Brand("amex", frozenset({15}), code_length=4)
DISCOVER = Brand("discover", frozenset({16, 17, 18, 19}))
DINERS = Brand("diners", ANY_LENGTH)
JCB = Brand("jcb", ANY_LENGTH)
MAESTRO = Brand("maestro", ANY_LENGTH)
UNKNOWN = Brand("unknown", ANY_LENGTH)

PREFIXES: tuple[tuple[Brand, int, int], ...] = (
    # brand, first and last prefix of a range; ISO/IEC 7812 issuer numbers as the networks publish
    (VISA, 4, 4),
    (MASTERCARD, 51, 55),
    (MASTERCARD, 2221, 2720),
    (AMEX, 34, 34),
    (AMEX, 37, 37),
    (DISCOVER, 6011, 6011),
    (DISCOVER, 644, 649),
    (DISCOVER, 65, 65),
    (DISCOVER, 622126, 622925),
    (DINERS, 300, 305),
    (DINERS, 3095, 3095),
    (DINERS, 36, 36),
    (DINERS, 38, 39),
    (JCB, 3528, 3589),
    (MAESTRO, 5018, 5018),
    (MAESTRO, 5020, 5020),
    (MAESTRO, 5038, 5038),
    (MAESTRO, 5893, 5893),
    (MAESTRO, 6304, 6304),
    (MAESTRO, 6759, 6763),
)

YEARS_AHEAD = 20
EXPIRY_LENGTH = 4


def brand_of(number: SecretDigits) -> Brand:
    """The network whose prefix the number has so far; UNKNOWN when none."""
    for brand, first, last in PREFIXES:
        length = len(str(first))
        if len(number) >= length and first <= number.number(0, length) <= last:
            return brand
    return UNKNOWN


def is_full(number: SecretDigits) -> bool:
    """No further digit can belong to this card number."""
    return len(number) >= max(brand_of(number).lengths)


def is_enough(number: SecretDigits) -> bool:
    """Its length is one that its network uses."""
    return len(number) in brand_of(number).lengths


def passes_luhn(number: SecretDigits) -> bool:
    """The check digit is right (ISO/IEC 7812-1, annex B); false of nothing and of zeros alone."""
    total = 0
    for place in range(len(number)):
        digit = number.digit(len(number) - 1 - place)
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004  # the standard's own 9
    return total > 0 and total % 10 == 0


def is_card_number(number: SecretDigits) -> bool:
    """A length its network uses, and the right check digit."""
    return is_enough(number) and passes_luhn(number)


def expiry_month(expiry: SecretDigits, today: date) -> date | None:
    """The first day of the month that MMYY names; None when it is past or over 20 years ahead.

    A card is good until the last day of its month.
    """
    if len(expiry) != EXPIRY_LENGTH:
        return None
    month, year = expiry.number(0, 2), expiry.number(2, 2)
    century = today.year - today.year % 100
    for full in (century + year, century + 100 + year):
        is_month = 1 <= month <= 12  # noqa: PLR2004  # months of a year
        latest = (today.year + YEARS_AHEAD, today.month)
        if is_month and (today.year, today.month) <= (full, month) <= latest:
            return date(full, month, 1)
    return None


def has_length(*lengths: int) -> Callable[[SecretDigits], bool]:
    """A check for digits of one of these lengths."""
    return lambda digits: len(digits) in lengths
