"""Understands callers: a model for each language, recognisers in a few threads, one for all calls.

Decoding is done by as many threads as there are processor cores, a batch of sound at a time. Only
so many callers are listened to at once, and nobody new while the threads lag behind: those callers
are asked for keys, which is never worse than being understood too late. Who coughed is not new.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import structlog

from ivr.billing.names import INTRODUCTIONS
from ivr.dialogue.hearing import COMMAND, DIGITS, NAME, Expecting
from ivr.speech.errors import EarsBusyError, GrammarError, ModelError
from ivr.speech.grammar import UNKNOWN, Grammar, Grammars, one_of
from ivr.speech.judging import Evidence, Strictness, is_a_voice
from ivr.speech.recogniser import Model, Recogniser
from ivr.speech.voicing import VoiceMeter

log = structlog.get_logger(__name__)
T = TypeVar("T")

CALLERS_A_CORE = 12
LAG_SECONDS = 0.5
"""sound that waits longer than this for a thread: nobody new is listened to"""
NARROW_GUESSES = 8
NAME_GUESSES = 20
WIDE_GUESSES = 1


class Sound(Protocol):
    """A caller's voice as raw samples, little end first; LineError when it is lost."""

    rate: int
    dropped_seconds: float

    async def batch(self) -> bytes: ...

    def forget(self) -> None: ...

    async def close(self) -> None: ...


OpenSound = Callable[[int], Awaitable[Sound]]
"""opens the caller's voice at so many samples a second"""


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language: what is understood in it, and with what."""

    model: Model
    grammars: Grammars
    strictness: Strictness = field(default_factory=Strictness)
    pauses: float = 1.0
    """times as long as usual may the pauses in an answer be"""


Batch = tuple[bytes, list[bool]]
"""whole frames of sound, and which of them are loud"""


class Decoding:
    """One answer's recognisers; `accept` and `finish` go through the threads of `Ears`.

    `babble` knows no word: what fits it nearly as well as words is none. `named` knows the names
    at hand.
    """

    def __init__(
        self,
        ears: Ears,
        strictness: Strictness,
        meter: VoiceMeter,
        narrow: Recogniser,
        wide: Recogniser,
        babble: Recogniser,
        *,
        named: Recogniser | None = None,
        is_name: bool = False,
    ) -> None:
        self._ears = ears
        self._strictness = strictness
        self._meter = meter
        self._telling = wide if is_name else narrow
        self._every = [wide, narrow, babble, *([] if named is None else [named])]

    async def accept(self, batches: Sequence[Batch]) -> str:
        """Take in sound; the words so far, as the recogniser has them that knows the answer."""
        return await self._ears.work(lambda: self._accept(batches))

    async def finish(self, spoken_seconds: float = 0.0) -> Evidence:
        """What was found in that much speech, and begin anew."""
        voicing = self._meter.voicing
        if not is_a_voice(voicing, self._strictness):
            await self.forget()
            return Evidence((), (), spoken_seconds, voicing)
        self._meter.forget()
        # Each in a thread of its own: the caller waits for the slowest, not for the sum.
        wide, narrow, babble, *named = await asyncio.gather(
            *(self._ears.work(recogniser.finish) for recogniser in self._every)
        )
        return Evidence(
            narrow,
            wide,
            max(spoken_seconds, voicing.loud_seconds),
            voicing,
            babble[0].score if babble else None,
            named[0] if named else (),
        )

    async def forget(self) -> None:
        """Begin anew: it was a click or a cough."""
        await self._ears.work(self._forget)

    def _forget(self) -> None:
        self._meter.forget()
        for recogniser in self._every:
            recogniser.forget()

    def _accept(self, batches: Sequence[Batch]) -> str:
        for sound, loud in batches:
            self._meter.hear(sound, loud)
        sound = b"".join(sound for sound, _ in batches)
        for recogniser in self._every:
            recogniser.accept(sound)
        return self._telling.words()


class Ears:
    """The ears of the whole app. Close it when no call is left.

    `callers` is how many are listened to at once.

    Raises ModelError or GrammarError when a language cannot be understood as it is set up.
    """

    def __init__(
        self, tongues: Mapping[str, Tongue], *, threads: int = 0, callers: int = 0
    ) -> None:
        cores = threads or os.cpu_count() or 1
        self.callers = callers or cores * CALLERS_A_CORE
        self.listened_to = 0
        self._waiting: dict[object, float] = {}
        """since when each of what waits for a thread has waited"""
        self._tongues = dict(tongues)
        self._sentences = {
            (language, grammar.source): _sayable(grammar, tongue.model)
            for language, tongue in self._tongues.items()
            for grammar in tongue.grammars
        }
        self._at_hand: dict[str, tuple[tuple[str, ...], list[str]]] = {}
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="ears")

    def tongue(self, language: str) -> Tongue | None:
        """How a language is understood; None when it is not."""
        return self._tongues.get(language)

    def grammars(self, language: str, expecting: Expecting) -> list[Grammar]:
        """Those that an answer is read with: the expected one, names read out, the commands."""
        tongue = self._tongues[language]
        expected = DIGITS if expecting.grammar == NAME else expecting.grammar
        offered = [one_of(expected, language, expecting.among)] if expecting.among else []
        return [tongue.grammars[expected], *offered, tongue.grammars[COMMAND]]

    @property
    def lag_seconds(self) -> float:
        """How long sound waits for a thread now.

        Not what waited a while ago: one answer that takes long delays the others once, and while
        nobody speaks nothing is decoded that could tell that the threads are free again.
        """
        now = time.monotonic()
        return now - min(list(self._waiting.values()), default=now)

    @property
    def is_full(self) -> bool:
        """Whether as many callers are listened to as may be."""
        return self.listened_to >= self.callers

    @property
    def is_busy(self) -> bool:
        """Whether nobody new can be listened to now."""
        return self.is_full or self.lag_seconds > LAG_SECONDS

    async def decoding(
        self, language: str, expecting: Expecting, *, is_new: bool = True
    ) -> Decoding:
        """Begin to listen for one answer; `release` it afterwards.

        Without `is_new` for a caller who is listened to already, and has only coughed: they are no
        more work than one who has not.

        Raises EarsBusyError.
        """
        if self.is_busy if is_new else self.is_full:
            raise EarsBusyError(
                f"{self.listened_to} callers are listened to and sound waits "
                f"{self.lag_seconds:.1f} s: callers are asked for keys"
            )
        self.listened_to += 1
        try:
            return await self.work(lambda: self._recognisers(language, expecting))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """One caller less is listened to."""
        self.listened_to -= 1

    async def work(self, what: Callable[[], T]) -> T:
        """Do something in one of the threads."""
        mine = object()

        def do() -> T:
            self._waiting.pop(mine, None)
            return what()

        self._waiting[mine] = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, do)
        finally:  # given up before a thread was free: then it waits no more either
            self._waiting.pop(mine, None)

    def close(self) -> None:
        """End the threads when they have done what was begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _recognisers(self, language: str, expecting: Expecting) -> Decoding:
        model = self._tongues[language].model
        sentences = [
            sentence
            for grammar in self.grammars(language, expecting)
            for sentence in self._sentences.get((language, grammar.source))
            or _heard(grammar, model)
        ]
        narrow = model.recogniser([*sentences, UNKNOWN], NARROW_GUESSES)
        meter, strictness = VoiceMeter(model.rate), self._tongues[language].strictness
        is_name = expecting.grammar == NAME
        wide = model.recogniser(None, NAME_GUESSES if is_name else WIDE_GUESSES)
        babble = model.recogniser([UNKNOWN], 1)
        names = self._names_heard(language, expecting.at_hand) if is_name else []
        named = model.recogniser([*names, UNKNOWN], NAME_GUESSES) if names else None
        return Decoding(self, strictness, meter, narrow, wide, babble, named=named, is_name=is_name)

    def _names_heard(self, language: str, names: tuple[str, ...]) -> list[str]:
        """Those of them whose every word the model knows, and what is said before a name.

        Made out once for call after call.
        """
        before, heard = self._at_hand.get(language, ((), []))
        if before is not names:
            model = self._tongues[language].model
            said = (*names, *INTRODUCTIONS) if names else ()
            heard = [words for words in said if all(map(model.knows, words.split()))]
            self._at_hand[language] = names, heard
        return heard


def unknown_words(grammars: Grammars, model: Model) -> dict[str, list[str]]:
    """The words of each grammar file that the model cannot hear."""
    unknown = {
        grammar.source: sorted(word for word in grammar.words if not model.knows(word))
        for grammar in grammars
    }
    return {source: words for source, words in unknown.items() if words}


def check(language: str, tongue: Tongue, *, strictly: bool) -> None:
    """Hold the grammars against the model's vocabulary.

    Raises GrammarError naming file and words; unless `strictly` only where a grammar is left
    without any sentence, other words are logged: public models know few letters, for instance.
    """
    missing = unknown_words(tongue.grammars, tongue.model)
    for source, words in missing.items():
        text = f"{source}: the speech model does not know {', '.join(words)}"
        if strictly:
            raise GrammarError(f"{text}. Take them out, or add them to the model and build it.")
        log.warning("words_not_heard", language=language, grammar=source, words=words)
    if not tongue.model.knows(UNKNOWN):
        raise ModelError(f"The speech model for {language!r} has no {UNKNOWN}: use another.")


def _sayable(grammar: Grammar, model: Model) -> list[str]:
    """The sentences to listen for: those whose every word the model knows."""
    sentences = _heard(grammar, model)
    if not sentences:
        raise GrammarError(
            f"{grammar.source}: the speech model knows no whole sentence of it. Use another model, "
            "or take the question's grammar out."
        )
    return sentences


def _heard(grammar: Grammar, model: Model) -> list[str]:
    return [
        sentence
        for sentence in grammar.sentences()
        if all(model.knows(word) for word in sentence.split())
    ]
