"""Decides whether what was recognised is an answer: a recogniser always finds some word it knows.

Pure. Two recognisers heard the same sound: the narrow one knows the sentences of the question and
of the commands, the wide one every word of the model. A real answer fits the narrow one about as
well as the wide one; anything else fits the wide one much better.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ivr.dialogue.hearing import COMMAND, DIGITS, NAME, SPELLING, Expecting, Heard, Unheard
from ivr.speech.grammar import UNKNOWN, Grammar
from ivr.speech.meanings import meaning
from ivr.speech.recogniser import Guess

OTHERS = 10
OPEN_ENDED = frozenset({NAME, DIGITS, SPELLING, "expiry"})
"""more can always follow, unless it is known how much is asked for"""
WORDS_OF_A_NAME = 2
_ANY_DAY = dt.date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Strictness:
    """Where the border lies; measured for each model (docs/speech.md tells how)."""

    worse_a_second: float = 4.0
    """how much less the narrow guess may fit than the wide one, for a second of speech"""
    behind_the_best: float = 5.5
    """how much less a sentence may fit than the narrow one's best guess, which was none"""
    longest_second_a_word: float = 1.6
    """nobody says a word of ours so slowly"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the two recognisers found in one burst of speech."""

    narrow: Sequence[Guess]
    wide: Sequence[Guess]
    seconds: float
    """of speech"""


def judge(
    expecting: Expecting,
    grammars: Sequence[Grammar],
    evidence: Evidence,
    today: dt.date,
    strictness: Strictness,
) -> Heard | Unheard:
    """The answer, or UNCLEAR. `grammars` is the expected one, if there is one, and the commands."""
    if expecting.grammar == NAME:
        return _name(grammars, evidence, today)
    for guess, heard in _sentences(grammars, evidence, today, strictness):
        return heard if _fits(guess, evidence, strictness) else Unheard.UNCLEAR
    return Unheard.UNCLEAR


def readings(
    grammars: Sequence[Grammar], evidence: Evidence, today: dt.date, strictness: Strictness
) -> list[tuple[Heard, float]]:
    """All that may have been said, likeliest first, and how much less each fits than the best.

    For answers that bear a check of their own.
    """
    return [
        (heard, evidence.narrow[0].score - guess.score)
        for guess, heard in _sentences(grammars, evidence, today, strictness)
        if _fits(guess, evidence, strictness)
    ]


def is_complete(expecting: Expecting, grammars: Sequence[Grammar], words: str) -> bool | None:
    """Whether the words so far need not be followed by more; then a short pause ends the answer.

    None when they must be: fewer digits than any answer has.
    """
    heard = read(words, grammars, _ANY_DAY)
    if heard is not None and heard.grammar == COMMAND:
        return True
    if expecting.grammar == NAME and not grammars[0].begins(words):
        return len(words.split()) >= WORDS_OF_A_NAME
    if expecting.grammar in OPEN_ENDED:
        length = 0 if heard is None else len(heard.meaning)
        if length < max(expecting.shortest, 1):
            return None
        return bool(expecting.longest) and length >= expecting.longest
    return heard is not None


def _sentences(
    grammars: Sequence[Grammar], evidence: Evidence, today: dt.date, strictness: Strictness
) -> Iterator[tuple[Guess, Heard]]:
    """The guesses that are whole sentences, as far as they are not much behind the best guess."""
    for guess in evidence.narrow:
        if guess.score < evidence.narrow[0].score - strictness.behind_the_best:
            return
        heard = read(guess.words, grammars, today)
        if heard is not None:
            yield guess, heard


def read(words: str, grammars: Sequence[Grammar], today: dt.date) -> Heard | None:
    """What a whole sentence means, by the first grammar whose it is."""
    for grammar in grammars:
        tags = grammar.read(words) if words else None
        meant = None if tags is None else meaning(grammar.name, tags, today)
        if meant:
            return Heard(grammar.name, meant, words)
    return None


def _fits(guess: Guess, evidence: Evidence, strictness: Strictness) -> bool:
    count = len(guess.words.split())
    if evidence.seconds > count * strictness.longest_second_a_word:
        return False
    if not evidence.wide:
        return True
    worse = evidence.wide[0].score - guess.score
    return worse <= strictness.worse_a_second * max(evidence.seconds, 0.3)


def _name(grammars: Sequence[Grammar], evidence: Evidence, today: dt.date) -> Heard | Unheard:
    found: dict[str, None] = {}
    for guess in (*evidence.narrow, *evidence.wide):
        words = " ".join(word for word in guess.words.split() if word != UNKNOWN)
        if words:
            found.setdefault(words)
    if not found:
        return Unheard.UNCLEAR
    best, *others = found
    command = read(evidence.wide[0].words, grammars, today) if evidence.wide else None
    return command or Heard(NAME, best, best, tuple(others[:OTHERS]))
