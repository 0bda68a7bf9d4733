"""What callers say, as their ears would tell it."""

from __future__ import annotations

from ivr.billing.matches import Named
from ivr.dialogue.hearing import COMMAND, NAME, Heard, Unheard

Answer = tuple[float, Heard | Unheard]
"""so many seconds after the question began, or for what is not heard, after the prompt"""

QUIET: Answer = (1.0, Unheard.SILENCE)
NOISE: Answer = (1.0, Unheard.UNCLEAR)
TALK: Answer = (10.0, Unheard.TOO_MUCH)
DEAF: Answer = (0.0, Unheard.DEAF)
JAMES = Named("James Smith", (1,), 0.1)
JANE = Named("Jane Smith", (2,), 0.6)
JAIME = Named("Jaime Smith", (3,), 0.7)


def name(words: str, *others: str, at: float = 4.0) -> Answer:
    """A name, and what else it may have been."""
    return at, Heard(NAME, words, words, others, tuple(map(float, range(1, len(others) + 1))))


def says(grammar: str, meaning: str, at: float = 4.0) -> Answer:
    """An answer of that meaning."""
    return at, Heard(grammar, meaning, f"so to say {meaning}")


def commands(meaning: str, at: float = 4.0) -> Answer:
    """A command."""
    return says(COMMAND, meaning, at)


def digits(number: str) -> Answer:
    """Digits."""
    return says("digits", number)


YES, NO = says("yes_no", "yes"), says("yes_no", "no")
CODE = digits("28013")
