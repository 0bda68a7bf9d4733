"""Finds what could be a card number in text that must hold none."""

from __future__ import annotations

import re

SHAPES = (
    re.compile(r"(?<!\d)\d{13,19}(?!\d)", re.ASCII),
    re.compile(r"(?<!\d)\d(?: ?\d){12,18}(?!\d)", re.ASCII),
    re.compile(r"(?<![0-9A-Za-z-])\d{4}-\d{4,6}-\d{4,5}(?:-\d{1,7})?(?![0-9A-Za-z-])", re.ASCII),
)
"""13 to 19 digits unbroken, with single spaces, in groups with hyphens; no group of a UUID is one.
schema/0001 has the same shapes."""
SHORTEST, LONGEST = 13, 19


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B: doubled from the right, every second digit, sum divisible by 10."""
    plain = sum(int(digit) for digit in digits[-1::-2])
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (plain + doubled) % 10 == 0


def without_card_numbers(text: str) -> str:
    """The text with every digit run that could be a card number replaced by `(digits)`.

    For text from outside that is kept or shown: a bank's explanation, a cell of a file.
    """
    before = ""
    while text != before:  # what stood beside a number that is hidden may be one itself, alone
        before = text
        for shape in SHAPES:
            text = shape.sub(_hidden, text)
    return text


def holds_card_number(text: str) -> bool:
    """Whether `without_card_numbers` would hide something."""
    return without_card_numbers(text) != text


def _hidden(run: re.Match[str]) -> str:
    digits = re.sub("[ -]", "", run[0])
    card = SHORTEST <= len(digits) <= LONGEST and passes_luhn(digits)
    return "(digits)" if card else run[0]
