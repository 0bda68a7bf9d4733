"""What a conversation needs in order to hear: the port `Ears`, and what comes of listening.

The ears never raise: whatever goes wrong with hearing is DEAF, and then there are keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

COMMAND = "command"
"""the grammar of what may be said at any question: agent, repeat, back, help, language=es"""
NAME = "name"
"""no grammar: any words of the model, with what else they may have been; or DIGITS"""
DIGITS = "digits"
"""the grammar of account numbers and postal codes"""
SPELLING = "spelling"
"""the grammar of names letter by letter"""


@dataclass(frozen=True, slots=True)
class Expecting:
    """What the caller may answer."""

    grammar: str
    """a file of grammars/, or NAME"""
    longest: int = 0
    """digits and letters after which the answer is complete; 0 when that cannot be said"""
    patience_seconds: float = 6.0
    """from the end of the prompt until silence is taken for an answer"""
    among: tuple[str, ...] = ()
    """names that were read out: one of them may be said in place of its number"""
    shortest: int = 0
    """digits before which it cannot be over: pauses may be long until then; for NAME, how many
    an account number has that may be said in its place, 0 when none is asked for"""
    at_hand: tuple[str, ...] = field(default=(), repr=False)
    """for NAME: names that are likely, in lower case; any other may be said too"""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, or a command."""

    grammar: str
    """the expected one, or COMMAND; for NAME also DIGITS"""
    meaning: str = field(repr=False)
    """see speech/meanings.py; for NAME the same as `words`"""
    words: str = field(repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)
    """what else it may have been, likeliest first; for NAME"""
    behind: tuple[float, ...] = ()
    """how much less each of `others` fits the sound than `words`, as a logarithm"""


class Unheard(Enum):
    """Why there is no answer."""

    SILENCE = auto()
    """nothing was said in time"""
    UNCLEAR = auto()
    """something was said that is no answer to this question"""
    TOO_MUCH = auto()
    """talk, music or noise that does not end"""
    DEAF = auto()
    """nobody listens (any more): too many callers at once, or the voice does not reach us"""


class Listening(Protocol):
    """One answer being listened for."""

    async def speaking(self) -> None:
        """Return when the caller has begun to say something that can be an answer: hush."""
        ...

    def prompt_over(self) -> None:
        """From now on silence counts. Harmless when it was said before."""
        ...

    async def result(self) -> Heard | Unheard:
        """What was said; cancelling it loses nothing."""
        ...

    async def stop(self) -> None:
        """Listen no more: a key was pressed, or the turn is over. Harmless twice."""
        ...


class Ears(Protocol):
    """One caller's voice understood."""

    def understands(self, language: str) -> bool:
        """Whether there is any use in listening for it now: ears may be busy with others."""
        ...

    async def listen(self, language: str, expecting: Expecting) -> Listening:
        """Begin to listen; quick, so that it can be done before the prompt is played."""
        ...

    async def rest(self) -> None:
        """Take everything off the caller's channel: before the secure part, and when they leave."""
        ...
