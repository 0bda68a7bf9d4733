"""Grammars: which sentences answer a question, what they mean, and which words to listen for.

A grammar is turned into an automaton of its words. It answers three things: what a sentence means
(its tags in the order in which they were said), whether more can follow, and a short list of
sentences in which every two words that can stand together do so, for the recogniser.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ivr.billing.names import written_words
from ivr.speech import jsgf, spoken
from ivr.speech.errors import GrammarError
from ivr.speech.jsgf import Choice, Expansion, GrammarFile, Many, Rule, Sequence, Tag, Word

Tags = tuple[str, ...]
START = 0
END = -1
_SAID_TOO = {"zero": (Word("oh"),)}
UNKNOWN = "[unk]"
"""the recogniser's word for what is none of the words it was told"""


@dataclass(frozen=True, slots=True)
class Step:
    """From one word to the next one, or to the end, and what is meant on the way."""

    tags: Tags
    to: int


class Grammar:
    """The sentences that answer one question."""

    def __init__(self, name: str, language: str, source: str, expansion: Expansion) -> None:
        self.name = name
        self.language = language
        self.source = source
        """the file, for messages"""
        places = _Places()
        self._steps = _steps(expansion, places)
        self._words, self._weights = places.words, places.weights

    @property
    def words(self) -> frozenset[str]:
        """Every word that can be said."""
        return frozenset(self._words[1:])

    def read(self, sentence: str) -> Tags | None:
        """What a whole sentence means; None when it is none of this grammar's.

        Of two readings the one that is written first in the file counts.
        """
        for at, tags in self._follow(sentence).items():
            for step in self._steps[at]:
                if step.to == END:
                    return (*tags, *step.tags)
        return None

    def begins(self, sentence: str) -> bool:
        """Whether a sentence of this grammar can begin with these words, or be them."""
        return bool(self._follow(sentence))

    def may_go_on(self, sentence: str) -> bool:
        """Whether a word of this grammar can follow these."""
        return any(step.to != END for at in self._follow(sentence) for step in self._steps[at])

    def sentences(self) -> list[str]:
        """Sentences in which every possible pair of neighbouring words occurs, shortest first.

        The recogniser learns from them which word follows which, and how often (it looks back one
        word): a pair that leads to a word with a weight is there that many times, unless it can be
        had otherwise for less.
        """
        ways_in, ways_out = self._ways_in(), self._ways_out()
        weights = self._pair_weights(ways_in)
        seen: set[tuple[str, str]] = set()
        found: list[str] = []
        for at, to in self._pairs(ways_in):
            pair = self._said(at, to)
            weight = weights[pair]
            if pair in seen and weight == 1:
                continue
            places = [*ways_in[at], *([] if to == END else ways_out[to])]
            sentence = [self._words[place] for place in places]
            seen.update(zip(["", *sentence], [*sentence, ""], strict=True))
            found += [" ".join(sentence)] * weight
            weights[pair] = 1  # once is enough, wherever else these two words can be said
        return sorted(found, key=len)

    def _pair_weights(self, ways_in: Mapping[int, tuple[int, ...]]) -> dict[tuple[str, str], int]:
        weights: dict[tuple[str, str], int] = {}
        for at, to in self._pairs(ways_in):
            pair, weight = self._said(at, to), 1 if to == END else self._weights[to]
            weights[pair] = min(weight, weights.get(pair, weight))
        return weights

    def _said(self, at: int, to: int) -> tuple[str, str]:
        return self._words[at], "" if to == END else self._words[to]

    def _follow(self, sentence: str) -> dict[int, Tags]:
        threads: dict[int, Tags] = {START: ()}
        for word in sentence.split():
            further: dict[int, Tags] = {}
            for at, tags in threads.items():
                for step in self._steps[at]:
                    if step.to != END and self._words[step.to] == word:
                        further.setdefault(step.to, (*tags, *step.tags))
            threads = further
        return threads

    def _pairs(self, ways_in: Mapping[int, tuple[int, ...]]) -> Iterator[tuple[int, int]]:
        for at in ways_in:
            for step in self._steps[at]:
                if (at, step.to) != (START, END):
                    yield at, step.to

    def _ways_in(self) -> dict[int, tuple[int, ...]]:
        """The shortest way to each word from the start, both words included."""
        ways: dict[int, tuple[int, ...]] = {START: ()}
        todo = deque([START])
        while todo:
            at = todo.popleft()
            for step in self._steps[at]:
                if step.to != END and step.to not in ways:
                    ways[step.to] = (*ways[at], step.to)
                    todo.append(step.to)
        return ways

    def _ways_out(self) -> dict[int, tuple[int, ...]]:
        """The shortest way from each word to the end, the word included."""
        before: dict[int, list[int]] = {}
        for at, steps in enumerate(self._steps):
            for step in steps:
                before.setdefault(step.to, []).append(at)
        ways: dict[int, tuple[int, ...]] = {END: ()}
        todo = deque([END])
        while todo:
            at = todo.popleft()
            for place in before.get(at, ()):
                if place not in ways:
                    ways[place] = (place, *ways[at])
                    todo.append(place)
        return ways


class Grammars:
    """All grammars of one language."""

    def __init__(self, language: str, grammars: Iterable[Grammar]) -> None:
        self.language = language
        self._grammars = {grammar.name: grammar for grammar in grammars}

    def __getitem__(self, name: str) -> Grammar:
        try:
            return self._grammars[name]
        except KeyError:
            raise GrammarError(f"There is no grammar {name!r} in {self.language!r}.") from None

    def __iter__(self) -> Iterator[Grammar]:
        return iter(self._grammars.values())

    def names(self) -> frozenset[str]:
        return frozenset(self._grammars)


def load(folder: Path) -> dict[str, Grammars]:
    """The grammars below `folder`, a folder for each language; every one is checked.

    Raises GrammarError.
    """
    languages = {
        place.name: _language(place)
        for place in sorted(folder.glob("*/"))
        if any(place.glob("*.jsgf"))
    }
    if not languages:
        raise GrammarError(f"There are no grammars (*.jsgf) in folders of {folder}.")
    return languages


def one_of(name: str, language: str, choices: Iterable[str]) -> Grammar:
    """Names that were read out, each by any words in a row that no other has: "1", "2" and so on.

    Of "James Smith" and "Jane Smith": james, jane, james smith, jane smith. A whole name means
    itself, though it is part of another: of "Ana Ruiz" and "Ana Ruiz Soto", ana ruiz is the first.
    Digits are said one by one, all of them: of "visa 1042" and "visa 7358", one zero four two.
    """
    names = [written_words(choice) for choice in choices]
    runs = [_runs(words) for words in names]
    ways = [
        Sequence((*(_said(word, language) for word in run), Tag(str(place))))
        for place, (words, own) in enumerate(zip(names, runs, strict=True), start=1)
        for run in own
        if (names.count(run) if run == words else sum(run in others for others in runs)) == 1
    ]
    return Grammar(name, language, "names that were read out", Choice(tuple(ways)))


def _said(word: str, language: str) -> Expansion:
    if not word.isdecimal():
        return Word(word)
    digits = [said for said in spoken.spelled_words(word, language) if said != spoken.PAUSE]
    return Sequence(tuple(Choice((Word(said), *_SAID_TOO.get(said, ()))) for said in digits))


def _runs(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Any of these words that stand in a row, the longest first."""
    lengths = range(len(words), 0, -1)
    return [words[at : at + length] for length in lengths for at in range(len(words) - length + 1)]


def _language(folder: Path) -> Grammars:
    files: dict[str, tuple[GrammarFile, str]] = {}
    for path in sorted(folder.glob("*.jsgf")):
        source = f"{folder.name}/{path.name}"
        try:
            file = jsgf.read(path.read_text(encoding="utf-8"), source)
        except UnicodeDecodeError:
            raise GrammarError(f"{source} is not in UTF-8.") from None
        if (file.name, file.language) != (path.stem, folder.name):
            raise GrammarError(
                f"{source} calls itself grammar {file.name} in {file.language or 'no language'}: "
                "both must be the names of the file and its folder."
            )
        files[file.name] = file, source
    rules = {name: rule for file, _ in files.values() for name, rule in file.rules.items()}
    public = {name for file, _ in files.values() for name in file.public}
    for file, source in files.values():
        for name in sorted(file.imports - public):
            raise GrammarError(f"{source} imports <{name}>, which is no public rule here.")
    return Grammars(
        folder.name,
        [
            Grammar(name, folder.name, source, _spelt_out(file.public[0], rules, source, ()))
            for name, (file, source) in files.items()
        ],
    )


def _spelt_out(
    name: str, rules: Mapping[str, Expansion], source: str, within: tuple[str, ...]
) -> Expansion:
    """A rule with everything it refers to put in its place."""
    if name in within:
        raise GrammarError(f"{source}: the rule <{name}> contains itself.")
    if name not in rules:
        raise GrammarError(f"{source}: there is no rule <{name}>.")

    def put(expansion: Expansion) -> Expansion:
        match expansion:
            case Rule(other):
                return _spelt_out(other, rules, source, (*within, name))
            case Sequence(parts):
                return Sequence(tuple(map(put, parts)))
            case Choice(parts, weights):
                return Choice(tuple(map(put, parts)), weights)
            case Many(part):
                return Many(put(part))
        return expansion

    return put(rules[name])


@dataclass(frozen=True, slots=True)
class _Places:
    """The states of an automaton: the start, and every word where it stands in the grammar."""

    words: list[str] = field(default_factory=lambda: [""])
    weights: list[int] = field(default_factory=lambda: [1])
    """of the alternatives that a word begins"""

    def add(self, word: str) -> int:
        self.words.append(word)
        self.weights.append(1)
        return len(self.words) - 1


def _steps(expansion: Expansion, places: _Places) -> list[tuple[Step, ...]]:
    """The automaton: for the start and for each word, what can come next, the likeliest first.

    Adds the expansion's words to `places`.
    """
    steps: dict[int, dict[int, Step]] = {}

    def join(ends: Mapping[int, Tags], starts: Mapping[int, Tags]) -> None:
        for end, said in ends.items():
            known = steps.setdefault(end, {})
            for start, meant in starts.items():
                known.setdefault(start, Step((*said, *meant), start))

    whole = _piece(expansion, places, join)
    join({START: ()}, whole.starts)
    if whole.silent is not None:
        join({START: ()}, {END: whole.silent})
    join(whole.ends, {END: ()})
    return [tuple(steps.get(state, {}).values()) for state in range(len(places.words))]


_Join = Callable[[Mapping[int, Tags], Mapping[int, Tags]], None]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a grammar: where it is entered and left, with the tags met on those ways."""

    starts: Mapping[int, Tags]
    ends: Mapping[int, Tags]
    silent: Tags | None
    """the tags when nothing at all is said; None when something must be"""


def _piece(expansion: Expansion, places: _Places, join: _Join) -> _Piece:
    match expansion:
        case Word(text):
            place = places.add(text)
            return _Piece({place: ()}, {place: ()}, None)
        case Tag(text):
            return _Piece({}, {}, (text,))
        case Sequence(parts):
            return _in_a_row([_piece(part, places, join) for part in parts], join)
        case Choice(parts, weights):
            pieces = [_piece(part, places, join) for part in parts]
            for piece, weight in zip(pieces, weights, strict=False):  # none: all alike
                for place in piece.starts:
                    places.weights[place] *= weight
            return _one_of(pieces)
        case Many(part):
            piece = _piece(part, places, join)
            join(piece.ends, piece.starts)
            return piece
    raise AssertionError(f"{expansion} was not spelt out")


def _one_of(pieces: list[_Piece]) -> _Piece:
    return _Piece(
        {place: tags for piece in pieces for place, tags in piece.starts.items()},
        {place: tags for piece in pieces for place, tags in piece.ends.items()},
        next((piece.silent for piece in pieces if piece.silent is not None), None),
    )


def _in_a_row(pieces: list[_Piece], join: _Join) -> _Piece:
    starts: dict[int, Tags] = {}
    ends: dict[int, Tags] = {}
    silent: Tags | None = ()
    for piece in pieces:
        join(ends, piece.starts)
        if silent is not None:
            starts |= {place: (*silent, *tags) for place, tags in piece.starts.items()}
        passed = piece.silent
        kept = {} if passed is None else {place: (*tags, *passed) for place, tags in ends.items()}
        ends = {**dict(piece.ends), **kept}
        silent = None if silent is None or passed is None else (*silent, *passed)
    return _Piece(starts, ends, silent)
