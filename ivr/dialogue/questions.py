"""Questions with closed answers: understood, silence, not understood, or something else wanted.

Pure: what was keyed or said comes in, an answer comes out; call.py asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Generic, TypeVar

from ivr.billing.names import without_introduction
from ivr.dialogue.hearing import COMMAND, DIGITS, NAME, Expecting, Heard, Unheard
from ivr.dialogue.keypad import ZEROS_FOR_AGENT, EntryRule, PlainKeys, Step
from ivr.dialogue.phrases import Phrase, phrase

T = TypeVar("T")

LANGUAGE_KEY = "9"
AGENT_KEYS = "0" * ZEROS_FOR_AGENT


@dataclass(frozen=True, slots=True)
class Understood(Generic[T]):
    """What the caller answered."""

    value: T


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was keyed or said in time."""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Something was keyed or said that answers another question."""


@dataclass(frozen=True, slots=True)
class Misheard(NotUnderstood):
    """Something was said, or made a noise, that could not be made out."""

    noise: Unheard


class Aside(Enum):
    """What a caller may want at any question, instead of answering it."""

    AGENT = auto()
    """`0` twice: a person"""
    OTHER_LANGUAGE = auto()
    """`9`: Spanish, English"""
    ENGLISH = auto()
    SPANISH = auto()
    AGAIN = auto()
    """`*` in a menu: hear all of it again"""
    BACK = auto()
    """`**` where several keys answer: the question before this one; where there is none, or nothing
    to undo, this one again"""
    HELP = auto()
    """hear what can be said or keyed at any time, and the question again"""
    GOODBYE = auto()


COMMANDS = {
    "agent": Aside.AGENT,
    "repeat": Aside.AGAIN,
    "back": Aside.BACK,
    "help": Aside.HELP,
    "language=en": Aside.ENGLISH,
    "language=es": Aside.SPANISH,
    "goodbye": Aside.GOODBYE,
}
"""the meanings of the grammar that every question understands"""


Answer = Understood[T] | Silence | NotUnderstood | Aside


@dataclass(frozen=True, slots=True)
class ByVoice(Generic[T]):
    """How the same question is answered by voice."""

    expecting: Expecting
    understand: Callable[[Heard], Answer[T]]
    """the meaning of what was said; commands are known already"""


@dataclass(frozen=True, slots=True)
class Spoken(Generic[T]):
    """A grammar of a few meanings and their values; the meaning "again" repeats the question."""

    grammar: str
    values: Mapping[str, T]
    among: tuple[str, ...] = ()
    """names that were read out, in the order of their numbers, which are in `values`"""


@dataclass(frozen=True, slots=True)
class SpokenName:
    """A name as it was understood, and what else it may have been, likeliest first."""

    words: str = field(repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)
    behind: tuple[float, ...] = ()
    """how much less each of `others` fits, as in Heard"""

    @property
    def is_one_word(self) -> bool:
        """Whether it cannot be a person's full name."""
        return len(without_introduction(self.words)) == 1


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """What to say, when an answer is complete, and what keys and words mean."""

    phrases: tuple[Phrase, ...]
    """said the first time, and when the caller wants to hear it again"""
    retry: tuple[Phrase, ...]
    """said after silence or a misunderstanding; empty where nothing was asked"""
    rule: EntryRule[PlainKeys]
    understand: Callable[[str], Answer[T]]
    """the meaning of a completed entry"""
    star_clears: bool
    """`*` empties the entry, rather than repeating the question"""
    begun: str = ""
    """digits the caller keyed before the question was asked"""
    by_voice: ByVoice[T] | None = None
    """None: by keys only"""
    commands: Mapping[str, T] = field(default_factory=dict)
    """what may be said at any time, and is an answer here: meanings of the grammar of commands"""

    def after(self, *before: Phrase) -> Question[T]:
        """The same question with something to hear before it, hushed by the same first key."""
        return replace(self, phrases=(*before, *self.phrases))

    def followed_by(self, *more: Phrase) -> Question[T]:
        """The same question with one more thing to answer, whenever it is asked."""
        return replace(self, phrases=(*self.phrases, *more), retry=(*self.retry, *more))

    def answer(self, step: Step, keys: str) -> Answer[T]:
        """The answer that an entry came to."""
        if step is Step.AGENT:
            return Aside.AGENT
        if step is Step.CLEARED:
            return Aside.AGAIN
        if step is Step.LEFT:
            return Aside.BACK
        return self.understand(keys) if keys else Silence()

    def meant(self, heard: Heard) -> Answer[T]:
        """The answer that was said."""
        if heard.grammar == COMMAND and heard.meaning in self.commands:
            return Understood(self.commands[heard.meaning])
        if heard.grammar == COMMAND:
            return COMMANDS.get(heard.meaning, NotUnderstood())
        return self.by_voice.understand(heard) if self.by_voice else NotUnderstood()


def digits(
    ask: Phrase, *, shortest: int, longest: int, again: Phrase | None = None, begun: str = ""
) -> Question[str]:
    """A number of `shortest` to `longest` digits, ended by `#` or by a pause.

    A lone 9 is the language key here too: no number asked for is one digit long.
    """

    def fits(number: str) -> Answer[str]:
        if number == AGENT_KEYS:
            return Aside.AGENT
        return Understood(number) if shortest <= len(number) <= longest else NotUnderstood()

    def understand(keys: str) -> Answer[str]:
        return Aside.OTHER_LANGUAGE if keys == LANGUAGE_KEY else fits(keys)

    rule: EntryRule[PlainKeys] = EntryRule(
        is_full=lambda keys: len(keys) >= longest, is_enough=lambda keys: len(keys) >= shortest
    )
    expecting = Expecting(DIGITS, longest, rule.first_key_seconds, shortest=shortest)
    by_voice = ByVoice(expecting, lambda heard: fits(heard.meaning))
    return Question(
        (ask,),
        (again or ask,),
        rule,
        understand,
        star_clears=True,
        begun=begun,
        by_voice=by_voice,
    )


def or_a_name(question: Question[str], at_hand: tuple[str, ...] = ()) -> Question[str | SpokenName]:
    """The same question; by voice a name is expected, of a person or a company, or the number.

    `at_hand` are names that are likely.
    """

    def either(found: Answer[str]) -> Answer[str | SpokenName]:
        return Understood(found.value) if isinstance(found, Understood) else found

    def understand(keys: str) -> Answer[str | SpokenName]:
        return either(question.understand(keys))

    def said(heard: Heard) -> Answer[str | SpokenName]:
        if heard.grammar == NAME:
            return Understood(SpokenName(heard.words, heard.others, heard.behind))
        return either(question.meant(heard))

    number = question.by_voice.expecting.shortest if question.by_voice else 0
    expecting = Expecting(
        NAME,
        patience_seconds=question.rule.first_key_seconds,
        shortest=number,
        at_hand=at_hand,
    )
    by_voice: ByVoice[str | SpokenName] = ByVoice(expecting, said)
    return Question(
        question.phrases,
        (phrase("ask_name_again"),) if question.retry else (),
        question.rule,
        understand,
        question.star_clears,
        question.begun,
        by_voice,
    )


def choice(
    ask: Phrase, options: Mapping[str, T], *, again: str = "", spoken: Spoken[T] | None = None
) -> Question[T]:
    """One key of `options`, taken at once; the key `again` repeats the question, as `*` does.

    By voice: what `spoken` names.
    """

    def understand(keys: str) -> Answer[T]:
        if keys in options:
            return Understood(options[keys])
        asides = {AGENT_KEYS: Aside.AGENT, LANGUAGE_KEY: Aside.OTHER_LANGUAGE, again: Aside.AGAIN}
        return asides.get(keys, NotUnderstood())

    rule: EntryRule[PlainKeys] = EntryRule(
        is_full=lambda keys: keys.text != "0" or "0" in options, is_enough=lambda _: True
    )
    by_voice = _one_of(spoken, rule) if spoken else None
    return Question((ask,), (ask,), rule, understand, star_clears=False, by_voice=by_voice)


def _one_of(spoken: Spoken[T], rule: EntryRule[PlainKeys]) -> ByVoice[T]:
    def understand(heard: Heard) -> Answer[T]:
        if heard.meaning in spoken.values:
            return Understood(spoken.values[heard.meaning])
        return Aside.AGAIN if heard.meaning == "again" else NotUnderstood()

    expecting = Expecting(
        spoken.grammar, patience_seconds=rule.first_key_seconds, among=spoken.among
    )
    return ByVoice(expecting, understand)


def yes_no(ask: Phrase, grammar: str = "yes_no") -> Question[bool]:
    """1 is yes, 2 is no; so are the meanings yes and no of the grammar."""
    spoken = Spoken(grammar, {"yes": True, "no": False})
    return choice(ask, {"1": True, "2": False}, spoken=spoken)


GREETING_SECONDS = 1.0


def greeting(welcome: Phrase, at_hand: tuple[str, ...] = ()) -> Question[str | SpokenName]:
    """The language key while being welcomed; any other digit begins an account number.

    So does 9 when another digit follows within a second. A caller who knows what comes may say
    their name; `at_hand` are likely ones. Silence is the usual answer.
    """

    def understand(keys: str) -> Answer[str]:
        return Aside.OTHER_LANGUAGE if keys == LANGUAGE_KEY else Understood(keys)

    rule: EntryRule[PlainKeys] = EntryRule(
        is_full=lambda keys: keys.text != LANGUAGE_KEY,
        is_enough=lambda _: True,
        first_key_seconds=GREETING_SECONDS,
        between_keys_seconds=GREETING_SECONDS,
    )
    question = Question((welcome,), (), rule, understand, star_clears=False)
    return or_a_name(question, at_hand)
