"""Compiles words and sounds into the graphs that Vosk composes with a grammar while it runs."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pywrapfst as fst

from grammars.build.debian import Tools
from grammars.build.kaldi import forward, self_loop
from grammars.build.lexicon import Lexicon
from grammars.build.phones import NOISE, SILENCE, Sounds
from grammars.build.sentences import ALL_DIGITS
from grammars.build.vocabulary import UNKNOWN

# Costs, in negative natural logarithms.
PAUSE = 0.7  # a pause after a word, or none, alike
NOISE_PAUSE = 2.5
EPSILON = 0


@dataclass(frozen=True)
class Garbage:
    """What speech outside a grammar costs: to begin, and for each frame and sound of it."""

    # Dear to begin, or a murmur beside a word is taken for one; cheap to go on.
    entry: float = 9.0
    sound: float = 0.8
    frame: float = 0.4


@dataclass(frozen=True)
class Costs:
    """What is added to the sounds' likelihoods; all of it found by measuring."""

    garbage: Garbage = field(default_factory=Garbage)
    # Of every word: below nothing it makes up for what a grammar takes for each word.
    word: float = -2.0
    # Of a digit: in long rows one more or less is soon made up or left out.
    digit: float = -2.0
    # How much of how long each sound usually lasts counts.
    lasting: float = 0.5


@dataclass
class _Symbols:
    """Sounds are numbered from 1 as in Kaldi, marks that only tell words apart come after."""

    sounds: Sounds
    marks: int = 0
    words: dict[str, int] = field(default_factory=dict)

    def sound(self, name: str) -> int:
        return self.sounds.number(name) + 1

    def mark(self, number: int) -> int:
        self.marks = max(self.marks, number)
        return len(self.sounds.names) + number


@dataclass(frozen=True)
class Compiled:
    """Words with their numbers in the shipped graphs."""

    words: Mapping[str, int]


def write(
    folder: Path,
    lexicon: Lexicon,
    sounds: Sounds,
    stay: Sequence[float],
    costs: Costs,
    tools: Tools,
) -> Compiled:
    """Write HCLr.fst, words.txt and disambig_tid.int into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    symbols = _Symbols(sounds)
    symbols.words = {word: n for n, word in enumerate((*sorted(lexicon), UNKNOWN), 1)}
    spelled = _determinised(_lexicon(lexicon, symbols, costs))
    _add_garbage(spelled, symbols, costs.garbage)
    hcl = _Transitions(spelled, symbols, stay, costs).graph()
    hcl.arcsort(sort_type="olabel")
    plain, pairs = folder / "HCL.fst", folder / "relabel.txt"
    hcl.write(str(plain))
    tools.run(
        "fstconvert",
        "--fst_type=olabel_lookahead",
        f"--save_relabel_opairs={pairs}",
        plain,
        folder / "HCLr.fst",
    )
    words = _relabelled(symbols.words, pairs)
    plain.unlink()
    pairs.unlink()
    table = sorted(((number, word) for word, number in words.items()))
    lines = ["<eps> 0", *(f"{word} {number}" for number, word in table)]
    (folder / "words.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    first = 2 * len(sounds.names) + 1
    marks = "".join(f"{first + n}\n" for n in range(symbols.marks))
    (folder / "disambig_tid.int").write_text(marks)
    return Compiled(words)


def write_free(file: Path, compiled: Compiled, free: "Free") -> None:
    """Write Gr.fst: what is decoded without a grammar."""
    graph = fst.VectorFst()
    hubs = {name: graph.add_state() for name in ("start", *free.classes)}
    after = {name: graph.add_state() for name in free.classes}
    graph.set_start(hubs["start"])
    for (before, then), cost in free.steps.items():
        source = hubs["start"] if before == "start" else after[before]
        if then == "end":
            graph.set_final(source, fst.Weight("tropical", cost))
        else:
            _arc(graph, source, EPSILON, EPSILON, cost, hubs[then])
    for name, members in free.classes.items():
        for word, cost in members.items():
            number = compiled.words[word]
            _arc(graph, hubs[name], number, number, cost, after[name])
    graph.connect()
    graph.arcsort(sort_type="ilabel")
    graph.write(str(file))


@dataclass(frozen=True)
class Free:
    """Classes of words with each word's cost, and what a class costs after another.

    Steps begin at "start" and may go to "end".
    """

    classes: Mapping[str, Mapping[str, float]]
    steps: Mapping[tuple[str, str], float]


def _arc(graph: fst.VectorFst, source: int, sound: int, word: int, cost: float, to: int) -> None:
    graph.add_arc(source, fst.Arc(sound, word, fst.Weight("tropical", cost), to))


def _lexicon(lexicon: Lexicon, symbols: _Symbols, costs: Costs) -> fst.VectorFst:
    """Any words in a row, each followed by a pause or none."""
    graph = fst.VectorFst()
    start, loop, pause, paused = (graph.add_state() for _ in range(4))
    graph.set_start(start)
    graph.set_final(loop, fst.Weight("tropical", 0.0))
    _arc(graph, start, EPSILON, EPSILON, PAUSE, loop)
    _arc(graph, start, EPSILON, EPSILON, PAUSE, pause)
    _arc(graph, pause, symbols.sound(SILENCE), EPSILON, 0.0, paused)
    _arc(graph, pause, symbols.sound(NOISE), EPSILON, NOISE_PAUSE, pause)
    _arc(graph, paused, symbols.sound(NOISE), EPSILON, NOISE_PAUSE, pause)
    _arc(graph, paused, symbols.mark(1), EPSILON, 0.0, loop)
    for word, said, cost, mark in _told_apart(lexicon):
        labels = [symbols.sound(name) for name in said]
        if mark:
            labels.append(symbols.mark(mark + 1))
        source, output = loop, symbols.words[word]
        whole = PAUSE + cost + (costs.digit if word in ALL_DIGITS else costs.word)
        for place, label in enumerate(labels):
            at_end = place == len(labels) - 1
            if at_end:
                _arc(graph, source, label, output, whole, loop)
                _arc(graph, source, label, output, whole, pause)
            else:
                to = graph.add_state()
                _arc(graph, source, label, output, 0.0, to)
                source, output = to, EPSILON
    return graph


def _told_apart(lexicon: Lexicon) -> Iterable[tuple[str, tuple[str, ...], float, int]]:
    """Word, sounds, cost, mark: a mark where another word sounds the same or begins so."""
    shared = Counter(said for word in lexicon.values() for said in word)
    beginnings = {
        said[:length] for word in lexicon.values() for said in word for length in range(len(said))
    }
    used: dict[tuple[str, ...], int] = defaultdict(int)
    for word in sorted(lexicon):
        for rank, said in enumerate(lexicon[word]):
            mark = 0
            if shared[said] > 1 or said in beginnings:
                used[said] += 1
                mark = used[said]
            yield word, said, 0.15 * rank, mark


def _determinised(graph: fst.VectorFst) -> fst.VectorFst:
    graph.arcsort(sort_type="ilabel")
    done = fst.determinize(graph.rmepsilon())
    encoder = fst.EncodeMapper("standard", encode_labels=True, encode_weights=True)
    done.encode(encoder)
    done.minimize(allow_nondet=True)
    done.decode(encoder)
    return done


def _add_garbage(graph: fst.VectorFst, symbols: _Symbols, garbage: Garbage) -> None:
    """The unknown word: any sounds, entered and left by marks of its own."""
    enter, leave = symbols.mark(symbols.marks + 1), symbols.mark(symbols.marks + 1)
    opened, body, gone = (graph.add_state() for _ in range(3))
    start = graph.start()
    for state in [s for s in graph.states() if graph.final(s) != fst.Weight.zero("tropical")]:
        _arc(graph, state, enter, symbols.words[UNKNOWN], garbage.entry, opened)
    if graph.final(start) == fst.Weight.zero("tropical"):
        _arc(graph, start, enter, symbols.words[UNKNOWN], garbage.entry, opened)
    for name in symbols.sounds.names[2:]:
        for state in (opened, body):
            _arc(graph, state, symbols.sound(name), EPSILON, garbage.sound, body)
    _arc(graph, body, leave, EPSILON, 0.0, gone)
    _arc(graph, gone, EPSILON, EPSILON, 0.0, start)
    graph.set_final(gone, fst.Weight("tropical", 0.0))


class _Place(NamedTuple):
    """A state of the finished graph: which state of the spelled one, and how it was entered."""

    state: int
    sound: int  # 0 when not by a sound
    unknown: bool
    just_begun: bool = False  # the sound must last another frame


class _Transitions:
    """Each state once for every sound that it is entered by, to loop in that sound there."""

    def __init__(
        self,
        spelled: fst.VectorFst,
        symbols: _Symbols,
        stay: Sequence[float],
        costs: Costs,
    ) -> None:
        self._spelled, self._garbage = spelled, costs.garbage
        self._staying = [-costs.lasting * math.log(chance) for chance in stay]
        self._leaving = [-costs.lasting * math.log(1 - chance) for chance in stay]
        self._sounds, self._unknown = len(symbols.sounds.names), symbols.words[UNKNOWN]
        self._long = {symbols.sound(name) for name in symbols.sounds.long}
        self._graph = fst.VectorFst()
        self._made: dict[_Place, int] = {}
        self._waiting: list[_Place] = []

    def graph(self) -> fst.VectorFst:
        """The graph with Kaldi's transitions for sounds; marks are numbered after them."""
        self._graph.set_start(self._state(_Place(self._spelled.start(), 0, unknown=False)))
        while self._waiting:
            place = self._waiting.pop()
            new = self._made[place]
            if place.sound:
                cost = self._staying[place.sound - 1] + self._extra(place.unknown)
                to = self._state(place._replace(just_begun=False))
                _arc(self._graph, new, self_loop(place.sound - 1), EPSILON, cost, to)
            if place.just_begun:
                continue
            final = self._spelled.final(place.state)
            if final != fst.Weight.zero("tropical"):
                self._graph.set_final(new, final)
            for arc in self._spelled.arcs(place.state):
                self._follow(place, new, arc)
        return self._graph

    def _follow(self, place: _Place, new: int, arc: fst.Arc) -> None:
        inside = place.unknown or arc.olabel == self._unknown
        leaving = self._leaving[place.sound - 1] if place.sound else 0.0
        cost = float(arc.weight) + leaving
        if not arc.ilabel:
            to, label = _Place(arc.nextstate, 0, unknown=False), EPSILON
        elif arc.ilabel > self._sounds:
            to, label = _Place(arc.nextstate, 0, inside), self._sounds + arc.ilabel
        else:
            begun = arc.ilabel in self._long and not inside
            to, label = _Place(arc.nextstate, arc.ilabel, inside, begun), forward(arc.ilabel - 1)
            cost += self._extra(inside)
        _arc(self._graph, new, label, arc.olabel, cost, self._state(to))

    def _extra(self, unknown: bool) -> float:  # noqa: FBT001 - passed on as it comes
        return self._garbage.frame if unknown else 0.0

    def _state(self, place: _Place) -> int:
        if place not in self._made:
            self._made[place] = self._graph.add_state()
            self._waiting.append(place)
        return self._made[place]


def _relabelled(words: Mapping[str, int], pairs: Path) -> dict[str, int]:
    new = {}
    for line in pairs.read_text().splitlines():
        old, _, number = line.partition("\t")
        new[int(old)] = int(number)
    return {word: new[number] for word, number in words.items()}
