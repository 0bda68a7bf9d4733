"""Amounts, dates, numbers and codes as the words that people say, from a closed set of fragments.

A fragment is a lower-case word, or a few that are always said together ("forty-two",
"treinta y uno"). Everything here is pure. `vocabulary` lists every fragment of a language, so all
of them can be recorded or synthesised ahead of any call.
"""

import datetime as dt
import re
import unicodedata
from decimal import Decimal
from functools import cache

from ivr.billing.money import minor_digits
from ivr.speech import english, spanish
from ivr.speech.errors import UnknownPhraseError, UnspeakableError
from ivr.speech.words import Counted, Speaker, Words

LANGUAGES = ("en", "es")
LARGEST_NUMBER = 999_999_999
FIRST_YEAR, LAST_YEAR = 1900, 2099

# Not a word: a short silence, as between the groups of a long number.
PAUSE = "pause"
PAUSE_MS = 150

_SPEAKERS: dict[str, Speaker] = {"en": english, "es": spanish}
_BRANDS = {
    "visa": "visa",
    "mastercard": "mastercard",
    "amex": "american express",
    "americanexpress": "american express",
    "discover": "discover",
    "diners": "diners club",
    "dinersclub": "diners club",
    "jcb": "jcb",
}
_SEPARATORS = re.compile(r"[\s.\-/]+")
_LONGEST_GROUP = 4


def number_words(number: int, language: str, counted: Counted = "alone") -> Words:
    """A cardinal from 0 to 999,999,999; `counted` is the gender of the noun after it, if any.

    Raises UnspeakableError outside of that range.
    """
    if not 0 <= number <= LARGEST_NUMBER:
        raise UnspeakableError(f"Numbers are said from 0 to {LARGEST_NUMBER:,}, not {number:,}.")
    return _speaker(language).cardinal(number, counted)


def money_words(amount: Decimal, currency: str, language: str) -> Words:
    """An amount from 0 to 999,999,999 and its decimals, in any currency (ISO 4217).

    The common ones by their names; any other as a number with the letters of its code: "forty-two
    point five zero, C Z K". Raises UnspeakableError for any other amount, and for decimals that the
    currency does not have.
    """
    speaker = _speaker(language)
    digits = minor_digits(currency)
    units, parts = _split(amount, digits)
    coins = speaker.COINS.get(currency)
    if coins is None:
        return (*_decimal(units, parts, digits, speaker), *_code(currency, language))
    whole = _counted(units, coins.unit, coins.counted, speaker)
    if not (parts and coins.part):
        return whole
    small = _counted(parts, coins.part, "masculine", speaker)
    return (*whole, speaker.COINS_JOINED_BY, *small) if units else small


def _split(amount: Decimal, digits: int) -> tuple[int, int]:
    if not amount.is_finite() or not 0 <= amount < LARGEST_NUMBER + 1:
        raise UnspeakableError(f"Amounts are said from 0 to {LARGEST_NUMBER:,}, not {amount}.")
    smallest = amount.scaleb(digits)
    if smallest != smallest.to_integral_value():
        raise UnspeakableError(f"{amount} has too many decimals; round it before it is said.")
    units, parts = divmod(int(smallest), 10**digits)
    return units, parts


def _counted(number: int, names: tuple[str, str], gender: Counted, speaker: Speaker) -> Words:
    return speaker.counting(number, names[0] if number == 1 else names[1], gender)


def _decimal(units: int, parts: int, digits: int, speaker: Speaker) -> Words:
    """A number with its decimals one by one: "one point zero five" is not "one point five"."""
    whole = speaker.cardinal(units)
    if not parts:
        return whole
    each = (speaker.cardinal(int(digit))[0] for digit in f"{parts:0{digits}}")
    return (*whole, speaker.POINT, *each)


def _code(currency: str, language: str) -> Words:
    return (PAUSE, *(_sign(letter, language) for letter in currency))


def date_words(day: dt.date, language: str) -> Words:
    """A day with its month and year, 1900 to 2099."""
    _check_year(day)
    return _speaker(language).date(day)


def month_words(day: dt.date, language: str) -> Words:
    """A month and its year, as a card's expiry is said; the day does not matter."""
    _check_year(day)
    return _speaker(language).month(day)


def _check_year(day: dt.date) -> None:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise UnspeakableError(f"Dates are said from {FIRST_YEAR} to {LAST_YEAR}, not {day.year}.")


def spelled_words(text: str, language: str) -> Words:
    """Digits and letters one by one, in groups of up to four with a PAUSE between them.

    Spaces, hyphens, dots and slashes in the text are its own groups. Accents are dropped. Raises
    UnspeakableError for any other sign, without repeating the text: it may be private.
    """
    groups = [group for group in _SEPARATORS.split(text) if group]
    if not groups:
        raise UnspeakableError("There is nothing to spell in an empty text.")
    if len(groups) == 1:
        groups = _in_groups(groups[0])
    words: list[str] = []
    for group in groups:
        words += [PAUSE] if words else []
        words += [_sign(sign, language) for sign in group]
    return tuple(words)


def _in_groups(text: str) -> list[str]:
    """Up to four together, else fours where they fit exactly, else threes with the rest last."""
    length = len(text)
    if length <= _LONGEST_GROUP:
        return [text]
    size = 4 if length % 4 == 0 else 3
    cuts = list(range(0, length, size))
    if length - cuts[-1] == 1:  # no digit alone: the last group takes it
        cuts.pop()
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], length], strict=True)]


def _sign(sign: str, language: str) -> str:
    names = _speaker(language).LETTERS
    lower = sign.lower()
    if lower in names:
        return names[lower]
    if lower.isascii() and lower.isdigit():
        return _speaker(language).cardinal(int(lower))[0]
    plain = unicodedata.normalize("NFD", lower)[:1]
    if plain in names:
        return names[plain]
    raise UnspeakableError("Only letters and digits can be spelled out, and the text has others.")


def brand_words(brand: str, language: str) -> Words:
    """A card's brand as its owner says it; one that we do not know is simply a card."""
    plain = re.sub(r"[^a-z]", "", brand.lower())
    return (_BRANDS.get(plain, _speaker(language).OTHER_CARD),)


@cache
def vocabulary(language: str) -> Words:
    """Every fragment that the functions above can give in a language, each once, PAUSE too."""
    speaker = _speaker(language)
    coins = (name for kind in speaker.COINS.values() for name in kind.names)
    return tuple(
        dict.fromkeys(
            (
                *speaker.own_words(),
                speaker.COINS_JOINED_BY,
                *coins,
                *speaker.LETTERS.values(),
                *_BRANDS.values(),
                speaker.OTHER_CARD,
                PAUSE,
            )
        )
    )


def file_name(fragment: str) -> str:
    """The ASCII name of a fragment's file: "treinta y uno" is treinta-y-uno, "eñe" is enye."""
    plain = unicodedata.normalize("NFD", fragment.replace("ñ", "ny"))
    return plain.encode("ascii", "ignore").decode().replace(" ", "-")


def _speaker(language: str) -> Speaker:
    try:
        return _SPEAKERS[language]
    except KeyError:
        known = ", ".join(LANGUAGES)
        raise UnknownPhraseError(f"There is no language {language!r}, only {known}.") from None
