"""Simulated callers for whole dialogues: what they answer when they hear a phrase."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ivr.billing.names import form
from ivr.lab.bench.customers import Invented
from ivr.lab.bench.voices import Speaker
from ivr.lab.errors import LabError

SCHEME = "bench:"
DIGITS = {
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "es": ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"),
}
YES = {"en": ("yes", "yeah", "that's right", "yes please"), "es": ("sí", "claro", "correcto")}
NO = {"en": ("no", "nope", "that's wrong"), "es": ("no", "no es correcto", "incorrecto")}
NONE = {"en": ("none", "none of them"), "es": ("ninguno", "ninguno de ellos")}
NUMBERED = {"en": "number {}", "es": "el {}"}
LETTERS_ES = {
    "a": "a", "b": "be", "c": "ce", "d": "de", "e": "e", "f": "efe", "g": "ge", "h": "hache",
    "i": "i", "j": "jota", "k": "ka", "l": "ele", "m": "eme", "n": "ene", "ñ": "eñe", "o": "o",
    "p": "pe", "q": "cu", "r": "erre", "s": "ese", "t": "te", "u": "u", "v": "uve",
    "w": "uve doble", "x": "equis", "y": "i griega", "z": "zeta",
}  # fmt: skip
_PLAIN = str.maketrans("áéíóúüàèòç", "aeiouuaeoc")

STATEMENTS = frozenset((
    "account_not_confirmed", "are_you_there", "field_cleared", "goodbye", "hold_on",
    "language_changed",
    "help", "help_voice", "name_option", "not_understood", "still_working", "use_the_keys",
))  # fmt: skip
"""Phrases that ask for nothing."""

OwnWords = Callable[[str, str], Awaitable[int]]
"""how many of a caller's own words a name is, by their sound and in order; 0 for another name"""


class Kind(StrEnum):
    """How a caller behaves."""

    HONEST = "customers"
    """says no to another name"""
    CARELESS = "customers who say yes to any name"
    STRANGER = "people who are no customers and say yes to any name"


@dataclass(frozen=True, slots=True)
class Said:
    """One phrase as a caller hears it."""

    phrase: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """Words, or keys when keys were asked for."""

    words: str = ""
    keys: str = ""


class PhraseNames:
    """The voice of a bench (dialogue.line.Voice): sounds that only name the phrase."""

    async def sounds(self, phrase_id: str, language: str, **values: object) -> list[str]:
        del language  # the caller knows which one was asked for
        return [SCHEME + json.dumps([phrase_id, {name: str(one) for name, one in values.items()}])]


def said(sound: str) -> Said:
    """The phrase behind a sound of PhraseNames."""
    return Said(*json.loads(sound.removeprefix(SCHEME)))


@dataclass(slots=True)
class Caller:
    """Somebody who calls: a customer, or for a stranger somebody with such a name and address."""

    who: Invented
    kind: Kind
    language: str
    speaker: Speaker
    manner: int
    """which of several words for the same this caller uses"""
    own_words: OwnWords

    @property
    def name(self) -> str:
        """As it is said: without a legal form."""
        return " ".join(form(self.who.somebody.name, self.who.somebody.kind).written)

    def may_say(self) -> Iterator[str]:
        """What is worth being synthesised beforehand: most callers need no more."""
        yield self.name
        yield spoken_digits(self.who.postal_code, self.language)
        yield from (self._word(YES), self._word(NO))

    async def answer(self, heard: Sequence[Said]) -> Answer | None:
        """What comes of one prompt; None when nothing was asked.

        Raises LabError for a question that these callers do not know.
        """
        for one in reversed(heard):
            if one.phrase == "confirm_name":
                return await self._confirms(one.values["name"])
            if one.phrase == "none_of_these":
                return await self._chooses(heard)
            if one.phrase in self._known_by_heart:
                return self._known_by_heart[one.phrase]
            if one.phrase not in STATEMENTS:
                raise LabError(f"the bench's callers know no answer to {one.phrase}: add it")
        return None

    @property
    def _known_by_heart(self) -> dict[str, Answer]:
        account, code = self.who.account, self.who.postal_code
        return {
            "ask_account_number_voice": Answer(self.name),
            "ask_name_again": Answer(self.name),
            "ask_account_again_voice": Answer(spoken_digits(account, self.language)),
            "ask_account_number": Answer(keys=f"{account}#"),
            "ask_account_again": Answer(keys=f"{account}#"),
            "ask_postal_code_voice": Answer(spoken_digits(code, self.language)),
            "ask_postal_code": Answer(keys=code),
            "spell_name": Answer(spelled(self.name, self.language)),
        }

    async def _confirms(self, name: str) -> Answer:
        agrees = self.kind is not Kind.HONEST or await self.own_words(name, self._own)
        return Answer(self._word(YES if agrees else NO))

    async def _chooses(self, heard: Sequence[Said]) -> Answer:
        options = [one.values for one in heard if one.phrase == "name_option"]
        own = [await self.own_words(option["name"], self._own) for option in options]
        if most := max(own, default=0):
            return self._number(int(options[own.index(most)]["number"]))
        if self.kind is not Kind.HONEST:
            return self._number(1)
        return Answer(self._word(NONE))

    def _number(self, number: int) -> Answer:
        return Answer(NUMBERED[self.language].format(DIGITS[self.language][number]))

    def _word(self, ways: Mapping[str, Sequence[str]]) -> str:
        known = ways[self.language]
        return known[self.manner % len(known)]

    @property
    def _own(self) -> str:
        return self.who.somebody.name


def spoken_digits(digits: str, language: str) -> str:
    """Digit by digit."""
    return " ".join(DIGITS[language][int(digit)] for digit in digits)


def spelled(name: str, language: str) -> str:
    """Letter by letter, with the pauses that people make."""
    letters = [sign for sign in name.lower().translate(_PLAIN) if sign.isalpha()]
    if language == "es":
        letters = [LETTERS_ES.get(letter, letter) for letter in letters]
    return ", ".join(letters)
