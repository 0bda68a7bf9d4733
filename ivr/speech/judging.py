"""Decides whether what was recognised is an answer: a recogniser always finds some word it knows.

Pure. Two recognisers heard the same sound: the narrow one knows the sentences of the question and
of the commands, the wide one every word of the model. A real answer fits the narrow one about as
well as the wide one; anything else fits the wide one much better.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from ivr.billing.names import INTRODUCTIONS, LONGEST_NAME_WORDS, PARTICLES, without_introduction
from ivr.dialogue.hearing import COMMAND, DIGITS, NAME, SPELLING, Expecting, Heard, Unheard
from ivr.speech.grammar import Grammar
from ivr.speech.meanings import meaning
from ivr.speech.no_names import NO_NAMES
from ivr.speech.recogniser import Guess
from ivr.speech.voicing import Voicing

OTHERS = 24
OPEN_ENDED = frozenset({NAME, DIGITS, SPELLING, "expiry"})
"""more can always follow, unless it is known how much is asked for"""
WORDS_OF_A_NAME = 2
_ANY_DAY = dt.date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Strictness:
    """Where the border lies; measured for each model (tests/speech/utterances.py)."""

    worse: float = 3.5
    """how much less the narrow guess may fit than the wide one, however short it is"""
    worse_a_second: float = 2.3
    """and for each second of speech besides"""
    behind_the_best: float = 5.5
    """how much less a sentence may fit than the narrow one's best guess, which was none"""
    name_behind_words: float = 7.0
    """how much less a name at hand may fit than other words, and still be thought of"""
    in_two_minds: float = 1.9
    """an answer is not taken if one of another meaning fits nearly as well: no yes for a no"""
    last_word: float = 2.0
    """how much better a number must fit with its last word, which may be the noise of the line"""
    longest_second_a_word: float = 1.6
    """nobody says a word of ours so slowly"""
    voiced_seconds: float = 0.08
    """no word has less of a voice in it"""
    wandering: float = 0.006
    """nor is any so much like one long tone"""
    better_a_second: float = 8.5
    """how much better a name must fit than sounds that are no words, for each loud second"""
    answer_better_a_second: float = 6.5
    """the same of an answer; with 7.0 spellings in noise are refused"""
    number_better_a_second: float = 10.0
    """of a number, whose words are so many; with 15 Spanish ones in noise are refused"""
    command_better_a_second: float = 11.0
    """and of a command, which may be any of so many sentences"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the recognisers found in one answer."""

    narrow: Sequence[Guess]
    wide: Sequence[Guess]
    seconds: float
    """of speech"""
    voicing: Voicing | None = None
    """how it sounded; None when nobody knows"""
    babble: float | None = None
    """how well any sounds in a row fit that are no words"""
    named: Sequence[Guess] = ()
    """for a name: the guesses of a recogniser that knows the words of the names at hand only"""


def judge(
    expecting: Expecting,
    grammars: Sequence[Grammar],
    evidence: Evidence,
    today: dt.date,
    strictness: Strictness,
) -> Heard | Unheard:
    """The answer, or UNCLEAR. `grammars` is the expected one, if there is one, and the commands."""
    if evidence.voicing and not is_a_voice(evidence.voicing, strictness):
        return Unheard.UNCLEAR
    if expecting.grammar == NAME:
        return _name(expecting, grammars, evidence, today, strictness)
    # Of what is too short for a number, "zero zero" is a command, and "window" is not "one oh".
    order = grammars[::-1] if expecting.shortest else grammars
    likely = _likely(expecting, order, evidence, today, strictness)
    if not likely:
        return Unheard.UNCLEAR
    guess, heard = likely[0]
    if expecting.grammar not in OPEN_ENDED and _in_two_minds(likely, strictness):
        return Unheard.UNCLEAR
    if heard.grammar == expecting.grammar and len(heard.meaning) < expecting.shortest:
        return Unheard.UNCLEAR
    return heard if _fits(guess, evidence, strictness, heard.grammar) else Unheard.UNCLEAR


def _likely(
    expecting: Expecting,
    grammars: Sequence[Grammar],
    evidence: Evidence,
    today: dt.date,
    strictness: Strictness,
) -> list[tuple[Guess, Heard]]:
    """The guesses that are whole sentences, likeliest first; a number without a doubtful end."""
    likely = list(_sentences(grammars, evidence, today, strictness))
    for place, (guess, heard) in enumerate(likely[1:], start=1):
        best, taken = likely[0]
        if (
            taken.grammar == heard.grammar == DIGITS
            and guess.words == best.words.rpartition(" ")[0]
            and best.score - guess.score < strictness.last_word
            and len(heard.meaning) >= expecting.shortest
        ):
            return [likely[place], *likely[:place], *likely[place + 1 :]]
    return likely


def _in_two_minds(likely: Sequence[tuple[Guess, Heard]], strictness: Strictness) -> bool:
    (best, taken), *others = likely
    return any(
        best.score - guess.score < strictness.in_two_minds and heard.meaning != taken.meaning
        for guess, heard in others
    )


def readings(
    grammars: Sequence[Grammar], evidence: Evidence, today: dt.date, strictness: Strictness
) -> list[tuple[Heard, float]]:
    """All that may have been said, likeliest first, and how much less each fits than the best.

    For answers that bear a check of their own.
    """
    return [
        (heard, evidence.narrow[0].score - guess.score)
        for guess, heard in _sentences(grammars, evidence, today, strictness)
        if _fits(guess, evidence, strictness, heard.grammar)
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
    if not evidence.narrow or not evidence.narrow[0].words:
        return  # it fits silence best
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


def is_a_voice(voicing: Voicing, strictness: Strictness) -> bool:
    """Whether a sound can be words at all: hiss, coughs and chords cannot."""
    return (
        voicing.voiced_seconds >= strictness.voiced_seconds
        and voicing.wandering >= strictness.wandering
    )


def _fits(guess: Guess, evidence: Evidence, strictness: Strictness, grammar: str = "") -> bool:
    loud = evidence.voicing.loud_seconds if evidence.voicing else evidence.seconds
    if loud > len(guess.words.split()) * strictness.longest_second_a_word:
        return False
    better = {
        COMMAND: strictness.command_better_a_second,
        DIGITS: strictness.number_better_a_second,
    }.get(grammar, strictness.answer_better_a_second)
    if not _is_no_babble(guess, evidence, better):
        return False
    if not evidence.wide:
        return True
    worse = evidence.wide[0].score - guess.score
    return worse <= strictness.worse + strictness.worse_a_second * evidence.seconds


def _name(
    expecting: Expecting,
    grammars: Sequence[Grammar],
    evidence: Evidence,
    today: dt.date,
    strictness: Strictness,
) -> Heard | Unheard:
    """A name; or a command, or a number long enough, that fits about as well as any words."""
    best_named = evidence.named[0].score if evidence.named else -inf
    known = _known_names(expecting.at_hand, evidence, strictness)
    if known and known[0].score > max((guess.score for guess in evidence.narrow), default=-inf):
        return _heard_name(known, evidence, strictness)
    commands_first = grammars[::-1]  # "zero zero" is no number here
    for guess, heard in _likely(expecting, commands_first, evidence, today, strictness):
        is_long = 0 < expecting.shortest <= len(heard.meaning)
        is_number = is_long and guess.score >= best_named
        is_answer = (heard.grammar == COMMAND or is_number) and _is_no_babble(
            guess, evidence, strictness.better_a_second
        )
        if is_answer and _fits(guess, evidence, strictness, heard.grammar):
            return heard
    if known:
        return _heard_name(known, evidence, strictness)
    if not evidence.wide or not _is_no_babble(
        evidence.wide[0], evidence, strictness.better_a_second
    ):
        return Unheard.UNCLEAR
    least = evidence.wide[0].score - strictness.behind_the_best
    near = [guess.words for guess in evidence.wide if guess.score >= least]
    if not any(map(_may_be_a_name, near)):
        return Unheard.UNCLEAR
    return _heard_name((), evidence, strictness)


def _known_names(at_hand: Sequence[str], evidence: Evidence, strictness: Strictness) -> list[Guess]:
    """The names at hand that fit about as well as any words, the best first."""
    names = frozenset(at_hand)
    return [
        guess
        for guess in evidence.named
        if _introduced(guess.words) & names and _fits(guess, evidence, strictness, NAME)
    ]


def _introduced(words: str) -> set[str]:
    """The names that these words can be: with "my name is" and the like before it, or without."""
    return {words, *(words.removeprefix(f"{lead} ") for lead in INTRODUCTIONS)}


def _heard_name(known: Sequence[Guess], evidence: Evidence, strictness: Strictness) -> Heard:
    """The best known name, else the best words that may be a name; and all others that may."""
    best_score = max(guess.score for guess in (*evidence.wide, *evidence.named))
    near = [
        guess
        for guess in evidence.named
        if guess.score >= best_score - strictness.name_behind_words
    ]
    others_too = (guess for guess in (*evidence.wide, *near) if _may_be_a_name(guess.words))
    names = [*known, *others_too]
    best = names[0]
    others: dict[str, float] = {}
    for guess in sorted(names[1:], key=lambda guess: -guess.score):
        if guess.words != best.words:
            others.setdefault(guess.words, max(0.0, best.score - guess.score))
    return Heard(
        *(NAME, best.words, best.words),
        tuple(others)[:OTHERS],
        tuple(others.values())[:OTHERS],
    )


def _is_no_babble(guess: Guess, evidence: Evidence, better_a_second: float) -> bool:
    if evidence.babble is None:
        return True
    loud = evidence.voicing.loud_seconds if evidence.voicing else evidence.seconds
    return guess.score - evidence.babble >= better_a_second * loud


def _may_be_a_name(words: str) -> bool:
    """Whether most of the words can be names: "once that" and "hello oh" are none."""
    named = [word for word in without_introduction(words) if word not in PARTICLES]
    others = sum(len(word) == 1 or word in NO_NAMES for word in named)
    return 0 < len(named) <= LONGEST_NAME_WORDS and others * 2 < len(named)
