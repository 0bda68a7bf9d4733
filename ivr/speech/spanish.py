"""Numbers, dates and money as Spanish is said on the telephone.

num2words gives the numbers below a hundred; agreement in gender and the short forms before a noun
("veintiún euros", "doscientas libras", "veintiún mil") are ours, after the Diccionario
panhispánico de dudas, article "cardinales".
"""

import datetime as dt
from functools import cache

from babel.dates import get_month_names
from num2words import num2words

from ivr.speech.words import Coins, Counted, Words

_CENTAVOS = ("centavo", "centavos")
_CENTIMOS = ("céntimo", "céntimos")
_FILS = ("fils", "fils")
_PESOS = Coins(("peso", "pesos"), _CENTAVOS)
_DINARS = Coins(("dinar", "dinares"), _FILS)
_CROWNS = Coins(("corona", "coronas"), ("öre", "öre"), counted="feminine")
# Whole units and parts of each currency: one, many. Any other is said as a number and its code.
COINS = {
    "EUR": Coins(("euro", "euros"), _CENTIMOS),
    "USD": Coins(("dólar", "dólares"), _CENTAVOS),
    "GBP": Coins(("libra", "libras"), ("penique", "peniques"), counted="feminine"),
    "CAD": Coins(("dólar canadiense", "dólares canadienses"), _CENTAVOS),
    "AUD": Coins(("dólar australiano", "dólares australianos"), _CENTAVOS),
    "NZD": Coins(("dólar neozelandés", "dólares neozelandeses"), _CENTAVOS),
    "ARS": _PESOS,
    "CLP": Coins(_PESOS.unit),
    "COP": _PESOS,
    "CUP": _PESOS,
    "DOP": _PESOS,
    "MXN": _PESOS,
    "PHP": _PESOS,
    "UYU": Coins(_PESOS.unit, ("centésimo", "centésimos")),
    "BOB": Coins(("boliviano", "bolivianos"), _CENTAVOS),
    "BRL": Coins(("real", "reales"), _CENTAVOS),
    "CRC": Coins(("colón", "colones"), _CENTIMOS),
    "GTQ": Coins(("quetzal", "quetzales"), _CENTAVOS),
    "HNL": Coins(("lempira", "lempiras"), _CENTAVOS, counted="feminine"),
    "NIO": Coins(("córdoba", "córdobas"), _CENTAVOS),
    "PAB": Coins(("balboa", "balboas"), ("centésimo", "centésimos")),
    "PEN": Coins(("sol", "soles"), _CENTIMOS),
    "PYG": Coins(("guaraní", "guaraníes")),
    "VES": Coins(("bolívar", "bolívares"), _CENTIMOS),
    "CHF": Coins(("franco", "francos"), _CENTIMOS),
    "MAD": Coins(("dírham", "dírhams"), _CENTIMOS),
    "AED": Coins(("dírham", "dírhams"), _FILS),
    "BHD": _DINARS,
    "JOD": _DINARS,
    "KWD": _DINARS,
    "TND": Coins(_DINARS.unit, ("milésimo", "milésimos")),
    "DKK": _CROWNS,
    "NOK": _CROWNS,
    "SEK": _CROWNS,
    "INR": Coins(("rupia", "rupias"), ("paisa", "paisas"), counted="feminine"),
    "CNY": Coins(("yuan", "yuanes"), ("fen", "fenes")),
    "JPY": Coins(("yen", "yenes")),
    "KRW": Coins(("won", "wones")),
}
COINS_JOINED_BY = "con"
POINT = "con"
_LETTER_NAMES = (
    "a be ce de e efe ge hache i jota ka ele eme ene eñe o pe cu erre ese te u uve uve_doble "
    "equis ye zeta"
)
LETTERS = {
    letter: name.replace("_", " ")
    for letter, name in zip("abcdefghijklmnñopqrstuvwxyz", _LETTER_NAMES.split(), strict=True)
}
OTHER_CARD = "tarjeta"

_MILLION = 1_000_000
_MILLIONS = ("millón", "millones")
_HUNDREDS = (
    "ciento",
    "doscientos",
    "trescientos",
    "cuatrocientos",
    "quinientos",
    "seiscientos",
    "setecientos",
    "ochocientos",
    "novecientos",
)


def cardinal(number: int, counted: Counted = "alone") -> Words:
    """Words of 0 to 999,999,999, agreeing with what is counted."""
    millions, rest = divmod(number, _MILLION)
    if millions:
        # A million is a masculine noun: "doscientos un millones de libras".
        words = (*cardinal(millions, "masculine"), _MILLIONS[millions > 1])
        return (*words, *cardinal(rest, counted)) if rest else words
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return _below_thousand(rest, counted)
    # "mil", never "uno mil"; a number before "mil" is shortened as before a noun.
    before: Counted = "feminine" if counted == "feminine" else "masculine"
    words = (*(_below_thousand(thousands, before) if thousands > 1 else ()), "mil")
    return (*words, *_below_thousand(rest, counted)) if rest else words


def _below_thousand(number: int, counted: Counted) -> Words:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return (_below_hundred(rest, counted),)
    if not rest:
        return ("cien",) if hundreds == 1 else (_hundreds(hundreds, counted),)
    return (_hundreds(hundreds, counted), _below_hundred(rest, counted))


def _hundreds(hundreds: int, counted: Counted) -> str:
    word = _HUNDREDS[hundreds - 1]
    return word.removesuffix("os") + "as" if counted == "feminine" and hundreds > 1 else word


def _below_hundred(number: int, counted: Counted) -> str:
    word = _BELOW_HUNDRED[number]
    if counted == "alone" or not word.endswith("uno"):
        return word
    if counted == "feminine":
        return word.removesuffix("o") + "a"
    return "veintiún" if word == "veintiuno" else word.removesuffix("o")


def counting(number: int, coin: str, counted: Counted) -> Words:
    """So many of a coin: "un millón de pesos", but "un millón mil pesos"."""
    of = ("de",) if number and number % _MILLION == 0 else ()
    return (*cardinal(number, counted), *of, coin)


def date(day: dt.date) -> Words:
    """Day, month, year: "uno", "de", "diciembre", "de", "dos", "mil", "veintiséis"."""
    return (*cardinal(day.day), "de", *month(day))


def month(day: dt.date) -> Words:
    """Month and year, as a card's expiry is said."""
    return (_months()[day.month - 1], "de", *cardinal(day.year))


@cache
def own_words() -> Words:
    """Every fragment that only Spanish has use for."""
    genders: tuple[Counted, ...] = ("alone", "masculine", "feminine")
    small = (_below_hundred(number, gender) for gender in genders for number in range(100))
    large = (_hundreds(number, gender) for gender in genders for number in range(1, 10))
    return tuple(
        dict.fromkeys((*small, *large, "cien", "mil", *_MILLIONS, "con", "de", *_months()))
    )


_BELOW_HUNDRED: Words = tuple(num2words(number, lang="es") for number in range(100))


@cache
def _months() -> Words:
    names = get_month_names("wide", locale="es")
    return tuple(names[number].lower() for number in range(1, 13))
