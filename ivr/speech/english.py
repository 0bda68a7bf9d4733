"""Numbers, dates and money as English is said on the telephone."""

import datetime as dt
from functools import cache

from babel.dates import get_month_names
from num2words import num2words

from ivr.speech.words import Coins, Counted, Words

# Whole units and hundredths of each currency: one, many.
COINS = {
    "EUR": Coins(("euro", "euros"), ("cent", "cents")),
    "USD": Coins(("dollar", "dollars"), ("cent", "cents")),
    "GBP": Coins(("pound", "pounds"), ("penny", "pence")),
    "MXN": Coins(("peso", "pesos"), ("centavo", "centavos")),
}
COINS_JOINED_BY = "and"
LETTERS = {letter: letter for letter in "abcdefghijklmnopqrstuvwxyz"}
OTHER_CARD = "card"

_HUNDRED = 100


def cardinal(number: int, counted: Counted = "alone") -> Words:
    """Words of 0 to 999,999; English numbers do not agree with what they count."""
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return _below_thousand(rest)
    words = (*cardinal(thousands, counted), "thousand")
    if not rest:
        return words
    return (*words, *(("and",) if rest < _HUNDRED else ()), *_below_thousand(rest))


def _below_thousand(number: int) -> Words:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return (_BELOW_HUNDRED[rest],)
    words = (_BELOW_HUNDRED[hundreds], "hundred")
    return (*words, "and", _BELOW_HUNDRED[rest]) if rest else words


def date(day: dt.date) -> Words:
    """Month, ordinal day, year: "december", "first", "twenty", "twenty-six"."""
    return (_months()[day.month - 1], _ordinals()[day.day - 1], *year(day.year))


def month(day: dt.date) -> Words:
    """Month and year, as a card's expiry is said."""
    return (_months()[day.month - 1], *year(day.year))


def year(number: int) -> Words:
    """Years 1900 to 2099 in pairs, but 2000 to 2009 as a number."""
    century, rest = divmod(number, 100)
    if century == 20 and rest < 10:  # noqa: PLR2004 - "two thousand and six", not "twenty oh six"
        return cardinal(number)
    if not rest:
        return (_BELOW_HUNDRED[century], "hundred")
    oh = ("oh",) if rest < 10 else ()  # noqa: PLR2004 - nineteen oh six
    return (_BELOW_HUNDRED[century], *oh, _BELOW_HUNDRED[rest])


@cache
def own_words() -> Words:
    """Every fragment that only English has use for."""
    return (*_BELOW_HUNDRED, "hundred", "thousand", "and", "oh", *_ordinals(), *_months())


_BELOW_HUNDRED: Words = tuple(num2words(number, lang="en") for number in range(100))


@cache
def _ordinals() -> Words:
    return tuple(num2words(day, lang="en", to="ordinal") for day in range(1, 32))


@cache
def _months() -> Words:
    names = get_month_names("wide", locale="en")
    return tuple(names[number].lower() for number in range(1, 13))
