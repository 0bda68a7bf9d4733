"""Numbers, dates and money as English is said on the telephone."""

import datetime as dt
from functools import cache

from babel.dates import get_month_names
from num2words import num2words

from ivr.speech.words import Coins, Counted, Words

_CENTS = ("cent", "cents")
_CENTAVOS = ("centavo", "centavos")
_CENTIMOS = ("centimo", "centimos")
_CENTIMES = ("centime", "centimes")
_FILS = ("fils", "fils")
_PESOS = Coins(("peso", "pesos"), _CENTAVOS)
_DINARS = Coins(("dinar", "dinars"), _FILS)
_CROWNS = ("ore", "ore")
# Whole units and parts of each currency: one, many. Any other is said as a number and its code.
COINS = {
    "EUR": Coins(("euro", "euros"), _CENTS),
    "USD": Coins(("dollar", "dollars"), _CENTS),
    "GBP": Coins(("pound", "pounds"), ("penny", "pence")),
    "CAD": Coins(("canadian dollar", "canadian dollars"), _CENTS),
    "AUD": Coins(("australian dollar", "australian dollars"), _CENTS),
    "NZD": Coins(("new zealand dollar", "new zealand dollars"), _CENTS),
    "ARS": _PESOS,
    "CLP": Coins(_PESOS.unit),
    "COP": _PESOS,
    "CUP": _PESOS,
    "DOP": _PESOS,
    "MXN": _PESOS,
    "PHP": _PESOS,
    "UYU": _PESOS,
    "BOB": Coins(("boliviano", "bolivianos"), _CENTAVOS),
    "BRL": Coins(("real", "reais"), _CENTAVOS),
    "CRC": Coins(("colon", "colones"), _CENTIMOS),
    "GTQ": Coins(("quetzal", "quetzales"), _CENTAVOS),
    "HNL": Coins(("lempira", "lempiras"), _CENTAVOS),
    "NIO": Coins(("cordoba", "cordobas"), _CENTAVOS),
    "PAB": Coins(("balboa", "balboas"), _CENTIMOS),
    "PEN": Coins(("sol", "soles"), _CENTIMOS),
    "PYG": Coins(("guarani", "guaranis")),
    "VES": Coins(("bolivar", "bolivars"), _CENTIMOS),
    "CHF": Coins(("franc", "francs"), _CENTIMES),
    "MAD": Coins(("dirham", "dirhams"), _CENTIMES),
    "AED": Coins(("dirham", "dirhams"), _FILS),
    "BHD": _DINARS,
    "JOD": _DINARS,
    "KWD": _DINARS,
    "TND": Coins(_DINARS.unit, ("millime", "millimes")),
    "DKK": Coins(("krone", "kroner"), _CROWNS),
    "NOK": Coins(("krone", "kroner"), _CROWNS),
    "SEK": Coins(("krona", "kronor"), _CROWNS),
    "INR": Coins(("rupee", "rupees"), ("paisa", "paise")),
    "CNY": Coins(("yuan", "yuan"), ("fen", "fen")),
    "JPY": Coins(("yen", "yen")),
    "KRW": Coins(("won", "won")),
}
COINS_JOINED_BY = "and"
POINT = "point"
LETTERS = {letter: letter for letter in "abcdefghijklmnopqrstuvwxyz"}
OTHER_CARD = "card"

_HUNDRED = 100
_MILLION = 1_000_000


def cardinal(number: int, counted: Counted = "alone") -> Words:
    """Words of 0 to 999,999,999; English numbers do not agree with what they count."""
    millions, rest = divmod(number, _MILLION)
    if millions:
        words = (*cardinal(millions, counted), "million")
        return (*words, *_after(rest, cardinal(rest, counted))) if rest else words
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return _below_thousand(rest)
    words = (*cardinal(thousands, counted), "thousand")
    return (*words, *_after(rest, _below_thousand(rest))) if rest else words


def _after(rest: int, words: Words) -> Words:
    """What follows a thousand or a million: "and forty-two", "three hundred"."""
    return ("and", *words) if rest < _HUNDRED else words


def counting(number: int, coin: str, counted: Counted) -> Words:
    """So many of a coin."""
    return (*cardinal(number, counted), coin)


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
    return (
        *_BELOW_HUNDRED,
        "hundred",
        "thousand",
        "million",
        "and",
        POINT,
        "oh",
        *_ordinals(),
        *_months(),
    )


_BELOW_HUNDRED: Words = tuple(num2words(number, lang="en") for number in range(100))


@cache
def _ordinals() -> Words:
    return tuple(num2words(day, lang="en", to="ordinal") for day in range(1, 32))


@cache
def _months() -> Words:
    names = get_month_names("wide", locale="en")
    return tuple(names[number].lower() for number in range(1, 13))
