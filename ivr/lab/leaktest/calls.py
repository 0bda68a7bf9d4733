"""The calls of the leak test: every way in, every ending, each with a canary of its own."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle

from ivr.lab.dialpad import KeyWay
from ivr.lab.leaktest import bank_calls, endings
from ivr.lab.leaktest.canaries import Account, AnyCanary, Canary, Deck
from ivr.lab.leaktest.endings import ACCOUNTS, BROKEN, FAULTS, OF_CARDS, TURNS, Ending
from ivr.lab.leaktest.house import POSTAL_CODE, account, language
from ivr.lab.scenario_file import (
    Expected,
    HangsUp,
    Hears,
    Presses,
    Says,
    Scenario,
    Step,
    Waits,
)
from ivr.lab.speaking import Utterance, voice_file

_FIXED_LENGTH = ("amex", "mastercard")
_MONTHS = {
    "en": (
        *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
        *("october", "november", "december"),
    ),
    "es": (
        *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre"),
        *("octubre", "noviembre", "diciembre"),
    ),
}
_DIGITS = {
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "es": ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"),
}
_VOICES = {"en": ("en-gb+f2", "en-us"), "es": ("es+m3", "es-419")}
_WORDS_A_MINUTE = 130


@dataclass(frozen=True, slots=True)
class Planned:
    """One call to come."""

    place: int
    """of its customer"""
    way: str
    ending: Ending
    canary: AnyCanary
    scenario: Scenario

    @property
    def name(self) -> str:
        return self.scenario.name


def plan(
    ways: Mapping[str, int],
    luck: random.Random,
    *,
    first: int = 0,
    turns: Mapping[str, tuple[Ending, ...]] = TURNS,
) -> list[Planned]:
    """So many calls of each way, through all its endings in turn."""
    deck = Deck.of(luck)
    calls: list[Planned] = []
    for way, count in ways.items():
        turn = cycle(turns.get(way, OF_CARDS))
        for _ in range(count):
            ending = next(turn)
            canary = drawn(deck, way, ending)
            place = first + len(calls)
            calls.append(
                Planned(place, way, ending, canary, scenario(place, way, ending, canary, luck))
            )
    return calls


def drawn(deck: Deck, way: str, ending: Ending) -> AnyCanary:
    """The next canary for a call of this kind."""
    if way in ACCOUNTS:
        return next(deck.accounts)
    return next(deck.declined if ending is Ending.DECLINED else deck.cards)


def scenario(
    place: int, way: str, ending: Ending, canary: AnyCanary, luck: random.Random
) -> Scenario:
    """The call in steps; only what the ending makes certain is expected afterwards."""
    steps, expected = _steps(place, way, ending, canary, luck)
    return Scenario(
        name=f"{way} {ending}",
        steps=tuple(steps),
        expect=expected,
        caller=f"+4479{place:08d}",
        keys=_keys_of(way),
    )


def _steps(
    place: int, way: str, ending: Ending, canary: AnyCanary, luck: random.Random
) -> tuple[list[Step], Expected]:
    if isinstance(canary, Account):
        return bank_calls.steps(place, ending, canary, luck), _expected(ending)
    match way:
        case endings.SPOKEN:
            return _spoken(place, canary)
        case endings.ASSISTED | endings.ON_PAGE:  # no steps of a caller: assisting.py, visiting.py
            return [], Expected()
        case KeyWay.INFO:
            return _unheard(place, canary), Expected()
    return [*_arrives(place), *_keys(ending, canary, luck)], _expected(ending)


def _keys_of(way: str) -> KeyWay:
    if way in ACCOUNTS:
        return ACCOUNTS[way]
    return KeyWay(way) if way in set(KeyWay) else KeyWay.RFC4733


def _arrives(place: int) -> list[Step]:
    """Typed ahead, up to the secure part."""
    return [
        Waits(0.8),
        Presses(f"{account(place)}#{POSTAL_CODE}#1"),
        Hears("secure_start", within=40),
    ]


def _keys(ending: Ending, canary: Canary, luck: random.Random) -> list[Step]:
    number = canary.number
    half = number[: luck.randint(10, 12)]
    whole, pays, end = _whole(canary), _pays(), _end_of(canary)
    keyed = number + end + canary.expiry + canary.code
    fails: list[Step] = [whole, Hears("card_not_taken", within=75), HangsUp()]
    rest: list[Step] = [Waits(3), Presses(number[len(half) :] + end), Waits(5), HangsUp()]
    ways: dict[Ending, list[Step]] = {
        Ending.PAID: [whole, *pays],
        Ending.BAD_CHECK_DIGIT: [
            *(Presses(canary.mistyped + end), Hears("error_invalid_card_number", within=20)),
            *(whole, *pays),
        ],
        Ending.TIMED_OUT: [Presses(half), Hears("error_input_timeout", within=30), whole, *pays],
        Ending.STARRED: [Presses(f"{half}*"), Hears("field_cleared", within=20), whole, *pays],
        Ending.LEFT: [Presses(f"{half}**"), Hears("card_left", within=20), HangsUp()],
        Ending.HUNG_UP: [Presses(keyed[: luck.randint(4, len(keyed) - 1)]), HangsUp()],
        Ending.DECLINED: [whole, *pays[:2], Hears("declined", within=40), HangsUp()],
        **dict.fromkeys(FAULTS, fails),
        **{each: [Presses(half), *rest] for each in BROKEN},
    }
    return ways[ending]


def _whole(canary: Canary) -> Step:
    return Presses(canary.number + _end_of(canary) + canary.expiry + canary.code)


def _end_of(canary: Canary) -> str:
    return "" if canary.brand in _FIXED_LENGTH else "#"


def _pays() -> list[Step]:
    return [
        Hears("confirm_charge", within=40),
        Presses("1"),
        Hears("paid", within=40),
        HangsUp(),
    ]


def up_to_the_charge(place: int, canary: AnyCanary) -> list[Step]:
    """A whole card or account, and hung up when its token is there."""
    if isinstance(canary, Account):
        return bank_calls.up_to_the_debit(place, canary)
    return [*_arrives(place), _whole(canary), _pays()[0], HangsUp()]


def _expected(ending: Ending) -> Expected:
    match ending:
        case Ending.PAID | Ending.BAD_CHECK_DIGIT | Ending.TIMED_OUT | Ending.STARRED:
            return Expected(ending="paid")
        case _:
            return Expected()


def _unheard(place: int, canary: Canary) -> list[Step]:
    """All of it in SIP INFO, which this PBX does not take: for Saldo the caller is silent."""
    card = canary.number + _end_of(canary) + canary.expiry + canary.code
    return [
        Waits(0.8),
        Presses(f"{account(place)}#{POSTAL_CODE}#1"),
        Presses(card),
        Hears("are_you_there", within=40),
        HangsUp(),
    ]


def _spoken(place: int, canary: Canary) -> tuple[list[Step], Expected]:
    """Says the card, keys the rest: what is said is what is to be kept secret."""
    tongue = language(place)
    numbers = _DIGITS[tongue]
    groups = [canary.number[first : first + 4] for first in range(0, len(canary.number), 4)]
    said = ", ".join(" ".join(numbers[int(digit)] for digit in group) for group in groups)
    month = _MONTHS[tongue][int(canary.expiry[:2]) - 1]
    code = " ".join(numbers[int(digit)] for digit in canary.code)
    voices = _VOICES[tongue]
    voice = voice_file(voices[place % len(voices)]) or voices[0]
    says = (Says(Utterance(words, voice, _WORDS_A_MINUTE)) for words in (said, code))
    number, security_code = says
    steps: list[Step] = [
        *_arrives(place),
        Hears("say_card_number", within=40),
        number,
        Hears("say_expiry", within=25),
        Says(Utterance(f"{month} {_year(canary, tongue)}", voice, _WORDS_A_MINUTE)),
        Hears("say_security_code", within=25),
        security_code,
        *_pays(),
    ]
    return steps, Expected(ending="paid")


def _year(canary: Canary, tongue: str) -> str:
    tens, unit = divmod(int(canary.expiry[2:]), 10)
    unit_word = _DIGITS[tongue][unit]
    if tongue == "en":
        name = {2: "twenty", 3: "thirty"}[tens]
        return f"twenty {name} {unit_word}" if unit else f"twenty {name}"
    if tens == 2:  # noqa: PLR2004 - veintiocho is one word
        return f"dos mil veinti{unit_word}"
    return f"dos mil treinta y {unit_word}" if unit else "dos mil treinta"


def again(call: Planned, place: int, canary: AnyCanary, luck: random.Random) -> Planned:
    """The same call of another customer, with another canary."""
    new = scenario(place, call.way, call.ending, canary, luck)
    return replace(call, place=place, canary=canary, scenario=new)
