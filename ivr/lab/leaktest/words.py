"""Numbers that are written as words, English or Spanish, as digits again."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ENGLISH = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_SPANISH = (
    *("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"),
    *("once", "doce", "trece", "catorce", "quince", "dieciséis", "diecisiete", "dieciocho"),
    *("diecinueve", "veinte", "veintiuno", "veintidós", "veintitrés", "veinticuatro"),
    *("veinticinco", "veintiséis", "veintisiete", "veintiocho", "veintinueve"),
)
_TENS = {
    20: ("twenty", "veinte"), 30: ("thirty", "treinta"), 40: ("forty", "cuarenta"),
    50: ("fifty", "cincuenta"), 60: ("sixty", "sesenta"), 70: ("seventy", "setenta"),
    80: ("eighty", "ochenta"), 90: ("ninety", "noventa"),
}  # fmt: skip
_TEN, _TWENTY = 10, 20
_CONNECTORS = re.compile(rb"[\s\"',.:;\[\]{}()_-]{1,12}(?:y[\s]{1,2})?")


def _values() -> dict[bytes, int]:
    found = {"oh": 0, "un": 1}
    for words in (_ENGLISH, _SPANISH):
        found |= {word: value for value, word in enumerate(words)}
    found |= {word: value for value, words in _TENS.items() for word in words}
    plain = str.maketrans("áéíóú", "aeiou")
    found |= {word.translate(plain): value for word, value in found.items()}
    return {word.encode(): value for word, value in found.items()}


VALUES = _values()
UNITS = {word.decode(): str(value) for word, value in VALUES.items() if value < _TEN}
"""the words of single digits"""


def digits_said(data: bytes, shortest: int) -> Iterator[str]:
    """Digits of at least this many number words that follow each other; case does not matter."""
    lower = data.lower()
    chain: list[int] = []
    last = -1
    for begin, end, value in _found(lower):
        if chain and not _CONNECTORS.fullmatch(lower, last, begin):
            if len(chain) >= shortest:
                yield _as_digits(chain)
            chain = []
        chain.append(value)
        last = end
    if len(chain) >= shortest:
        yield _as_digits(chain)


def _found(lower: bytes) -> list[tuple[int, int, int]]:
    """Place and value of every number word, in order."""
    places: list[tuple[int, int, int]] = []
    for word, value in VALUES.items():
        begin = lower.find(word)
        while begin >= 0:
            end = begin + len(word)
            if not _is_letter(lower, begin - 1) and not _is_letter(lower, end):
                places.append((begin, end, value))
            begin = lower.find(word, end)
    return sorted(places)


def _is_letter(data: bytes, place: int) -> bool:
    return 0 <= place < len(data) and data[place : place + 1].isalpha()


def _as_digits(values: list[int]) -> str:
    """Forty one is 41, four one is 41, forty ten is 4010."""
    digits, tens = "", False
    for value in values:
        if tens and 0 < value < _TEN:
            digits = digits[:-1]
        digits += str(value)
        tens = value >= _TWENTY and value % _TEN == 0
    return digits
