"""Questions with closed answers: understood, silence, not understood, or something else wanted.

Pure: what was keyed comes in, an answer comes out; call.py asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Generic, TypeVar

from ivr.dialogue.keypad import ZEROS_FOR_AGENT, EntryRule, PlainKeys, Step
from ivr.dialogue.phrases import Phrase

T = TypeVar("T")

LANGUAGE_KEY = "9"
AGENT_KEYS = "0" * ZEROS_FOR_AGENT


@dataclass(frozen=True, slots=True)
class Understood(Generic[T]):
    """What the caller answered."""

    value: T


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was keyed in time."""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Something was keyed that answers another question."""


class Aside(Enum):
    """What a caller may want at any question, instead of answering it."""

    AGENT = auto()
    """`0` twice: a person"""
    OTHER_LANGUAGE = auto()
    """`9`: Spanish, English"""
    AGAIN = auto()
    """`*` in a menu: hear all of it again"""


Answer = Understood[T] | Silence | NotUnderstood | Aside


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """What to say, when an answer is complete, and what keys mean."""

    phrases: tuple[Phrase, ...]
    """said the first time, and when the caller wants to hear it again"""
    retry: tuple[Phrase, ...]
    """said after silence or a misunderstanding"""
    rule: EntryRule[PlainKeys]
    understand: Callable[[str], Answer[T]]
    """the meaning of a completed entry"""
    star_clears: bool
    """`*` empties the entry, rather than repeating the question"""
    begun: str = ""
    """digits the caller keyed before the question was asked"""

    def after(self, *before: Phrase) -> Question[T]:
        """The same question with something to hear before it, hushed by the same first key."""
        return replace(self, phrases=(*before, *self.phrases))

    def answer(self, step: Step, keys: str) -> Answer[T]:
        """The answer that an entry came to."""
        if step is Step.AGENT:
            return Aside.AGENT
        if step is Step.CLEARED:
            return Aside.AGAIN
        if step is Step.LEFT:  # there is nothing to leave but the call itself
            return NotUnderstood()
        return self.understand(keys) if keys else Silence()


def digits(
    ask: Phrase, *, shortest: int, longest: int, again: Phrase | None = None, begun: str = ""
) -> Question[str]:
    """A number of `shortest` to `longest` digits, ended by `#` or by a pause.

    A lone 9 is the language key here too: no number asked for is one digit long.
    """

    def understand(keys: str) -> Answer[str]:
        if keys == LANGUAGE_KEY:
            return Aside.OTHER_LANGUAGE
        return Understood(keys) if shortest <= len(keys) <= longest else NotUnderstood()

    rule: EntryRule[PlainKeys] = EntryRule(
        is_full=lambda keys: len(keys) >= longest, is_enough=lambda keys: len(keys) >= shortest
    )
    return Question((ask,), (again or ask,), rule, understand, star_clears=True, begun=begun)


def choice(ask: Phrase, options: Mapping[str, T], *, again: str = "") -> Question[T]:
    """One key of `options`, taken at once; the key `again` repeats the question, as `*` does."""

    def understand(keys: str) -> Answer[T]:
        if keys in options:
            return Understood(options[keys])
        asides = {AGENT_KEYS: Aside.AGENT, LANGUAGE_KEY: Aside.OTHER_LANGUAGE, again: Aside.AGAIN}
        return asides.get(keys, NotUnderstood())

    rule: EntryRule[PlainKeys] = EntryRule(
        is_full=lambda keys: keys.text != "0" or "0" in options, is_enough=lambda _: True
    )
    return Question((ask,), (ask,), rule, understand, star_clears=False)


def yes_no(ask: Phrase) -> Question[bool]:
    """1 is yes, 2 is no."""
    return choice(ask, {"1": True, "2": False})


GREETING_SECONDS = 1.0


def greeting(welcome: Phrase) -> Question[str]:
    """The language key while being welcomed; any other digit begins an account number.

    So does 9 when another digit follows within a second. Silence is the usual answer.
    """

    def understand(keys: str) -> Answer[str]:
        return Aside.OTHER_LANGUAGE if keys == LANGUAGE_KEY else Understood(keys)

    rule: EntryRule[PlainKeys] = EntryRule(
        is_full=lambda keys: keys.text != LANGUAGE_KEY,
        is_enough=lambda _: True,
        first_key_seconds=GREETING_SECONDS,
        between_keys_seconds=GREETING_SECONDS,
    )
    return Question((welcome,), (welcome,), rule, understand, star_clears=False)
