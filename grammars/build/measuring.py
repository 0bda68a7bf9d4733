"""Figures of a model, with callers that it never heard: `python -m grammars.build measure`."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import vosk
from rapidfuzz.distance import Levenshtein

from grammars.build import telephone
from grammars.build.debian import Tools
from grammars.build.dice import Dice
from grammars.build.lexicon import Lexicon
from grammars.build.sentences import DIGITS, TWICE
from grammars.build.trials import ELSE, NO, YES, Callers, Trial
from grammars.build.vocabulary import UNKNOWN, Vocabulary

CUSTOMERS = 1000
BEST = 10
SHORTEST, LONGEST = 4, 9
ACCEPTED = 0.99


@dataclass(frozen=True)
class Heard:
    """One trial and what the recogniser made of it, best first."""

    trial: Trial
    texts: tuple[str, ...]
    score: float
    """how well the best text fits: a logarithm, comparable for the same sound only"""

    @property
    def rejected(self) -> bool:
        """Nothing, or something that is not of the grammar."""
        return not self.texts[0] or UNKNOWN in self.texts[0]


class Bench:
    """A model and the callers it is measured with."""

    def __init__(
        self, folder: Path, vocabulary: Vocabulary, said: Lexicon, tools: Tools, trials: int
    ) -> None:
        vosk.SetLogLevel(-1)
        self._model = vosk.Model(str(folder))
        self._vocabulary, self._said, self._trials = vocabulary, said, trials
        self._language = vocabulary.language
        self._tools = tools
        self.audio_seconds, self.busy_seconds = 0.0, 0.0

    def figures(self, engine: str) -> Iterable[tuple[str, str]]:
        """Name and value of every figure, for callers of one synthesiser."""
        callers = Callers(self._vocabulary, self._tools, engine, 7)
        yield from self._digits(callers)
        yield from self._yes_or_no(callers)
        yield from self._names(callers)

    def _digits(self, callers: Callers) -> Iterable[tuple[str, str]]:
        grammar = self.digit_grammar()
        heard = self._hear(callers.digits(self._trials), grammar)
        yield "digits right in strings of 4 to 9", f"{_digits_right(heard):.2%}"
        yield "whole strings right", f"{_share(heard, _same):.1%}"
        yield "digit strings taken for unknown", f"{_share(heard, lambda o: o.rejected):.1%}"

        def fits(one: Heard) -> bool:
            return SHORTEST <= len(one.texts[0].split()) <= LONGEST

        yield from self._outside("digits", callers, heard, grammar, fits)

    def _yes_or_no(self, callers: Callers) -> Iterable[tuple[str, str]]:
        yes, no = YES[self._language], NO[self._language]
        grammar = [*yes, *no, UNKNOWN]
        heard = self._hear(callers.phrases((*yes, *no), self._trials), grammar)
        yield "yes/no of the right kind", f"{_share(heard, lambda o: _kind(o, yes, no)):.1%}"
        yield "yes/no taken for unknown", f"{_share(heard, lambda o: o.rejected):.1%}"
        yield from self._outside("yes/no", callers, heard, grammar, lambda o: o.texts[0] in grammar)

    def digit_grammar(self) -> list[str]:
        """Digits, doubled ones, and the unknown word."""
        zero = ["oh"] if self._language == "en" else []
        return [*DIGITS[self._language], *zero, *TWICE[self._language], UNKNOWN]

    def _outside(
        self,
        name: str,
        callers: Callers,
        inside: Sequence[Heard],
        grammar: list[str],
        fits: Callable[[Heard], bool],
    ) -> Iterable[tuple[str, str]]:
        """How much of what is no answer is known as such, by one rule and by all of them.

        `inside` were answers; the free decoding's lead is what 99 % of them stay below.
        """
        talk = self._hear(callers.phrases(ELSE[self._language], self._trials // 2), grammar)
        noise = self._hear(callers.sounds(self._trials // 2), grammar)
        leads = sorted(self._lead(one) for one in inside if not one.rejected and fits(one))
        border = leads[int(len(leads) * ACCEPTED)] if leads else 0.0
        rules: dict[str, Callable[[Heard], bool]] = {
            "the unknown word": lambda one: one.rejected,
            "whole phrases": lambda one: one.rejected or not fits(one),
            "free decoding": lambda one: not one.texts[0] or self._lead(one) > border,
            "all three": lambda one: one.rejected or not fits(one) or self._lead(one) > border,
        }
        for rule, known in rules.items():
            yield f"sentences outside {name}: {rule}", f"{_share(talk, known):.1%}"
            yield f"noises outside {name}: {rule}", f"{_share(noise, known):.1%}"
        yield f"answers to {name} lost by all three", f"{_share(inside, rules['all three']):.1%}"
        yield f"free decoding's lead for {name}, a second", f"{border:.1f}"

    def _lead(self, heard: Heard) -> float:
        """How much better the free decoding fits, a second of sound."""
        seconds = len(heard.trial.pcm) / 2 / telephone.RATE_HZ
        return (self._recognised(heard.trial, None).score - heard.score) / seconds

    def _names(self, callers: Callers) -> Iterable[tuple[str, str]]:
        rng = Dice(11)
        names = {_full_name(self._vocabulary, rng) for _ in range(CUSTOMERS)}
        directory = sorted(names)
        heard = self._hear(callers.names(directory, min(self._trials, len(directory))), None)
        yield "names right at first", f"{_share(heard, _same):.1%}"
        yield f"names among {BEST} best", f"{_share(heard, lambda o: o.trial.words in o.texts):.1%}"
        ranked = [(one.trial.words, self._looked_up(one, directory)) for one in heard]
        first = sum(name == best[0] for name, best in ranked) / len(ranked)
        three = sum(name in best[:3] for name, best in ranked) / len(ranked)
        yield f"of {CUSTOMERS} customers, first by sound", f"{first:.1%}"
        yield f"of {CUSTOMERS} customers, in three by sound", f"{three:.1%}"

    def _looked_up(self, heard: Heard, directory: Sequence[str]) -> list[str]:
        """The directory's nearest names by the sounds of what was heard."""
        hypotheses = [(self._sounds(text), rank) for rank, text in enumerate(heard.texts) if text]
        scores = {}
        for name in directory:
            target = self._sounds(name)
            scores[name] = min(
                (
                    Levenshtein.normalized_distance(one, target) + 0.02 * rank
                    for one, rank in hypotheses
                ),
                default=1.0,
            )
        return sorted(directory, key=scores.__getitem__)[:5]

    def _sounds(self, text: str) -> tuple[str, ...]:
        return tuple(s for word in text.split() for s in self._said.get(word, (tuple(word),))[0])

    def _hear(self, trials: Iterable[Trial], grammar: list[str] | None) -> list[Heard]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda trial: self._recognised(trial, grammar), list(trials)))

    def _recognised(self, trial: Trial, grammar: list[str] | None) -> Heard:
        words = () if grammar is None else (json.dumps(grammar, ensure_ascii=False),)
        recogniser = vosk.KaldiRecognizer(self._model, telephone.RATE_HZ, *words)
        recogniser.SetMaxAlternatives(1 if grammar else BEST)
        begun = time.thread_time()
        step = telephone.RATE_HZ // 5
        texts = [
            recogniser.Result()
            for place in range(0, len(trial.pcm), step)
            if recogniser.AcceptWaveform(trial.pcm[place : place + step])
        ]
        texts.append(recogniser.FinalResult())
        self.busy_seconds += time.thread_time() - begun
        self.audio_seconds += len(trial.pcm) / 2 / telephone.RATE_HZ
        return Heard(trial, *_joined(texts))


def _joined(results: Sequence[str]) -> tuple[tuple[str, ...], float]:
    """The texts and score of one utterance, which Vosk may have cut at a pause."""
    every = [json.loads(result)["alternatives"] for result in results]
    score = sum(float(found[0]["confidence"]) for found in every)
    guesses = [[one["text"].strip() for one in found] for found in every]
    parts = [guess for guess in guesses if any(guess)]
    if not parts:
        return ("",), score
    longest = max(map(len, parts))
    texts = (
        " ".join(part[min(place, len(part) - 1)] for part in parts) for place in range(longest)
    )
    return tuple(texts), score


def _full_name(vocabulary: Vocabulary, rng: Dice) -> str:
    words = [rng.choice(vocabulary.given), rng.choice(vocabulary.surnames)]
    if vocabulary.language == "es" and rng.come_up(0.5):
        words.append(rng.choice(vocabulary.surnames))
    return " ".join(words)


def _share(heard: Sequence[Heard], right: Callable[[Heard], bool]) -> float:
    return sum(map(right, heard)) / len(heard)


def _same(heard: Heard) -> bool:
    return heard.texts[0].replace("oh", "zero") == heard.trial.words


def _digits_right(heard: Sequence[Heard]) -> float:
    wrong = total = 0
    for one in heard:
        said = one.trial.words.split()
        wrong += Levenshtein.distance(one.texts[0].replace("oh", "zero").split(), said)
        total += len(said)
    return 1 - wrong / total


def _kind(heard: Heard, yes: Sequence[str], no: Sequence[str]) -> bool:
    """Whether it means the same: no when a word is heard that only a no has."""
    only_no = {word for phrase in no for word in phrase.split()}
    only_no -= {word for phrase in yes for word in phrase.split()}
    means_no = bool(only_no & set(heard.texts[0].split()))
    return not heard.rejected and means_no == (heard.trial.words in no)
