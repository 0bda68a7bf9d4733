"""The calls of the leak test: every way in, every ending, each with a card of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from ivr.lab.dialpad import KeyWay
from ivr.lab.leaktest.canaries import DECLINED, Canary, deal
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

SPOKEN, ASSISTED = "spoken", "with an agent"


class Ending(StrEnum):
    """How a call with a card comes to its end."""

    PAID = "paid"
    BAD_CHECK_DIGIT = "bad check digit, then paid"
    TIMED_OUT = "time-out in the number, then paid"
    STARRED = "field cleared with *, then paid"
    LEFT = "left with **"
    HUNG_UP = "hung up in the middle"
    DECLINED = "declined"
    GATEWAY_SILENT = "the gateway does not answer"
    GATEWAY_RESET = "the gateway cuts the connection"
    GATEWAY_BROKEN = "the gateway answers 500"
    DATABASE_DOWN = "the database is down"
    KILLED = "the secure process is killed"
    REFUSED = "keys in SIP INFO are not taken"
    TAKEN = "card taken while an agent talks"


KEYED = (
    *(Ending.PAID, Ending.BAD_CHECK_DIGIT, Ending.TIMED_OUT, Ending.STARRED),
    *(Ending.LEFT, Ending.HUNG_UP, Ending.DECLINED),
)
"""endings that the caller brings about"""
FAULTS: dict[Ending, dict[str, object]] = {
    Ending.GATEWAY_SILENT: {"mode": "hang", "seconds": 40, "on": ["tokenize"]},
    Ending.GATEWAY_RESET: {"mode": "reset-after", "on": ["tokenize"]},
    Ending.GATEWAY_BROKEN: {"mode": "500-after-capture", "on": ["tokenize"]},
}
"""what the stand-in is asked to do meanwhile"""
BROKEN = {Ending.DATABASE_DOWN: "postgres", Ending.KILLED: "capture"}
"""what is killed when every caller of the group has keyed half of the card"""

ONLY: dict[str, Ending] = {
    SPOKEN: Ending.PAID,
    KeyWay.INFO: Ending.REFUSED,
    ASSISTED: Ending.TAKEN,
}
"""ways that have one ending only"""
CALLERS_OWN = tuple(ending for ending in Ending if ending not in (Ending.REFUSED, Ending.TAKEN))
"""endings of the other ways"""

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
    canary: Canary
    scenario: Scenario

    @property
    def name(self) -> str:
        return self.scenario.name


def plan(
    ways: dict[str, int], luck: random.Random, *, first: int = 0, endings: tuple[Ending, ...] = ()
) -> list[Planned]:
    """So many calls of each way, through all endings in turn."""
    good, bad = deal(luck), deal(luck, DECLINED)
    calls: list[Planned] = []
    for way, count in ways.items():
        turn = _in_turn(way, endings or CALLERS_OWN)
        for _ in range(count):
            ending = next(turn)
            canary = next(bad if ending is Ending.DECLINED else good)
            place = first + len(calls)
            calls.append(
                Planned(place, way, ending, canary, scenario(place, way, ending, canary, luck))
            )
    return calls


def scenario(place: int, way: str, ending: Ending, canary: Canary, luck: random.Random) -> Scenario:
    """The call in steps; only what the ending makes certain is expected afterwards."""
    if way == SPOKEN:
        steps, expected = _spoken(place, canary)
    elif way == ASSISTED:  # what the agent does is no step of the caller's (assisting.py)
        steps, expected = [], Expected()
    elif way == KeyWay.INFO:
        steps, expected = _unheard(place, canary), Expected()
    else:
        steps, expected = [*_arrives(place), *_keys(ending, canary, luck)], _expected(ending)
    return Scenario(
        name=f"{way} {ending}",
        steps=tuple(steps),
        expect=expected,
        caller=f"+4479{place:08d}",
        keys=KeyWay(way) if way in set(KeyWay) else KeyWay.RFC4733,
    )


def _in_turn(way: str, endings: tuple[Ending, ...]) -> Iterator[Ending]:
    if way in ONLY:
        endings = (ONLY[way],)
    while True:
        yield from endings


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
    fails: list[Step] = [whole, Hears("card_not_available", within=75), HangsUp()]
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


def up_to_the_charge(place: int, canary: Canary) -> list[Step]:
    """A whole card, and hung up when its token is there."""
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


def again(call: Planned, place: int, canary: Canary, luck: random.Random) -> Planned:
    """The same call of another customer, with another card."""
    new = scenario(place, call.way, call.ending, canary, luck)
    return replace(call, place=place, canary=canary, scenario=new)
