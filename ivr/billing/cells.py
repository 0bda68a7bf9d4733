"""What one cell of a biller's file may say, and why it is refused."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from ivr.billing.card_numbers import holds_card_number
from ivr.billing.customers import CustomerKind, ServiceStatus, SuspensionReason
from ivr.billing.errors import MoneyNotUnderstood
from ivr.billing.money import Money

LONGEST_CELL = 200
LARGEST_AMOUNT = Decimal(10) ** 11
"""One more digit than the database keeps."""
LANGUAGES = ("en", "es")
GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})+([.,])\d+")
"""1.234,56 or 1,234.56: the last mark is the decimal one if it is not the first."""
PLAIN = re.compile(r"\d+(?:([.,])(\d+))?")
THOUSAND = 3
"""digits behind a mark that could as well separate thousands"""


class CellRefused(ValueError):
    """The cell cannot be taken; the text says why and what to write."""


def words(text: str) -> str:
    """Any text of one line. Raises CellRefused."""
    if len(text) > LONGEST_CELL:
        raise CellRefused(f"is longer than {LONGEST_CELL} characters")
    if not text.isprintable():
        raise CellRefused("holds a control character or a line break")
    if holds_card_number(text):
        raise CellRefused("holds what could be a card number")
    return text


def filled(text: str) -> str:
    """Text that must be there. Raises CellRefused."""
    if not text:
        raise CellRefused("is empty")
    return words(text)


def _matching(pattern: str, text: str, reason: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise CellRefused(reason)
    return text


def account_number(text: str) -> str:
    """4 to 10 digits. Raises CellRefused."""
    return _matching("[0-9]{4,10}", text, "is not 4 to 10 digits")


def postal_code(text: str) -> str:
    """3 to 10 digits: it is keyed as the second factor. Raises CellRefused."""
    reason = "is not 3 to 10 digits, as a caller can key it"
    return _matching("[0-9]{3,10}", text, reason)


def phone(text: str) -> str:
    """E.164, or empty. Raises CellRefused."""
    bare = re.sub(r"[ .()-]", "", text)
    return _matching(r"(\+[1-9][0-9]{6,14})?", bare, "is not a number such as +34912345678")


def email(text: str) -> str:
    """An address, or empty. Raises CellRefused."""
    return _matching(r"([^@\s]+@[^@\s]+\.[^@\s.]+)?", words(text), "is not an e-mail address")


def language(text: str) -> str:
    """en or es. Raises CellRefused."""
    return _one_of(LANGUAGES, text)


def customer_kind(text: str) -> str:
    """person or company. Raises CellRefused."""
    return _one_of(tuple(CustomerKind), text)


def service_status(text: str) -> str:
    """active, suspended or closed. Raises CellRefused."""
    return _one_of(tuple(ServiceStatus), text)


def suspension(text: str) -> str | None:
    """Why a line is suspended; None where the cell is empty."""
    return _one_of(tuple(SuspensionReason), text) if text else None


def _one_of(allowed: tuple[str, ...], text: str) -> str:
    if text.lower() not in allowed:
        raise CellRefused(f"is not {' or '.join(allowed)}")
    return str(text.lower())


def currency(text: str) -> str:
    """An ISO 4217 code in capitals. Raises CellRefused."""
    return _matching("[A-Z]{3}", text.upper(), "is not a currency code such as EUR")


def day(text: str) -> date:
    """A date as 2026-03-31; others, such as 03/04/2026, mean different days to different people."""
    _matching(r"\d{4}-\d\d-\d\d", text, "is not a date written as 2026-03-31")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CellRefused("is not a day of the calendar") from None


def money(text: str, code: str, *, decimal_comma: bool) -> Money:
    """An amount of zero or more in the currency `code`.

    `decimal_comma`: the file's delimiter leaves the comma free to be a decimal mark.

    Raises:
        CellRefused: not an amount, more decimals than the currency has, or written so that it
            could mean two amounts.
    """
    if text.startswith("-"):
        raise CellRefused("is below zero: credit notes are not invoices")
    if "," in text and not decimal_comma:
        raise CellRefused("holds a comma in a file separated by commas: write 1234.56")
    try:
        amount = Money.of(_with_point(text, code), code)
    except MoneyNotUnderstood:
        raise CellRefused(f"is not an amount in {code} such as 1234.56") from None
    if amount.amount >= LARGEST_AMOUNT:
        raise CellRefused("is too large")
    return amount


def _with_point(text: str, code: str) -> str:
    if (grouped := GROUPED.fullmatch(text)) and grouped[1] != grouped[2]:
        return text.replace(grouped[1], "").replace(",", ".")
    plain = PLAIN.fullmatch(text)
    if not plain or not text.isascii():
        raise CellRefused("is not an amount such as 1234.56")
    thousandths = plain[1] == "." and Money.step(code) == Decimal("0.001")
    if plain[2] and len(plain[2]) == THOUSAND and not thousandths:
        raise CellRefused("could mean thousands or decimals: write 1234.56")
    return text.replace(",", ".")
