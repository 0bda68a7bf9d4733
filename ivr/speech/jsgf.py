"""Reads JSGF, the grammar format of the W3C note of 2000: what of it our grammars use, and no more.

Pure. A file holds `#JSGF V1.0 UTF-8 en;`, `grammar name;`, imports of single public rules, and
rules of words, (groups), [options], a | b, /9/ a | /1/ b, x*, x+, <rules>, <NULL> and {tags}.
Recursion, quoted words and weights that are no whole numbers are refused. `//` and `/* */` are
comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ivr.speech.errors import GrammarError

_HEADER = re.compile(r"\s*#JSGF V1\.0(?: UTF-8(?: ([a-z]{2}))?)?\s*;")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<tag>\{[^{}]*\})|(?P<rule><[\w.\-]+>)|(?P<mark>[;=|()\[\]*+])|/(?P<weight>\d+)/|(?P<word>[\w'&-]+))"
)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Word:
    """One word said."""

    text: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A part of the meaning; nothing is said for it."""

    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Another rule, by its full name: `numbers.unit`."""

    name: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other; none of them is silence."""

    parts: tuple[Expansion, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of them, the first that fits."""

    parts: tuple[Expansion, ...]
    weights: tuple[int, ...] = ()
    """how much likelier each is than one of weight 1; none when all are alike"""


@dataclass(frozen=True, slots=True)
class Many:
    """The part again and again, at least once."""

    part: Expansion


Expansion = Word | Tag | Rule | Sequence | Choice | Many

SILENCE = Sequence(())


@dataclass(frozen=True, slots=True)
class GrammarFile:
    """One file: its rules by their full names."""

    name: str
    language: str
    public: tuple[str, ...]
    """full names, the first is what the grammar is for"""
    rules: Mapping[str, Expansion]
    imports: frozenset[str]


def read(text: str, source: str) -> GrammarFile:
    """What a grammar file says; `source` names it in errors.

    Raises GrammarError, with the line.
    """
    return _Reader(text, source).read()


class _Reader:
    """Goes through one file token by token."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._text = _COMMENT.sub(lambda gap: re.sub(r"[^\n]", " ", gap.group()), text)
        self._at = 0
        self._kind = ""
        self._piece = ""
        self._name = ""
        self._imports: set[str] = set()

    def read(self) -> GrammarFile:
        header = _HEADER.match(self._text)
        if header is None:
            raise self._error("it does not begin with '#JSGF V1.0 UTF-8 <language>;'")
        self._at = header.end()
        self._next()
        self._expect("grammar")
        self._name = self._plain_name(self._take("word"))
        self._expect(";")
        while self._piece == "import":
            self._next()
            self._imports.add(self._take("rule")[1:-1])
            self._expect(";")
        rules: dict[str, Expansion] = {}
        public: list[str] = []
        while self._kind:
            name, is_public, expansion = self._rule()
            if name in rules:
                raise self._error(f"the rule <{name}> is there twice")
            rules[name] = expansion
            if is_public:
                public.append(name)
        if not public:
            raise self._error("it has no public rule")
        return GrammarFile(
            self._name, header.group(1) or "", tuple(public), rules, frozenset(self._imports)
        )

    def _rule(self) -> tuple[str, bool, Expansion]:
        is_public = self._piece == "public"
        if is_public:
            self._next()
        name = f"{self._name}.{self._plain_name(self._take('rule')[1:-1])}"
        self._expect("=")
        expansion = self._alternatives()
        self._expect(";")
        return name, is_public, expansion

    def _alternatives(self) -> Expansion:
        weights, parts = [self._weight()], [self._in_a_row()]
        while self._piece == "|":
            self._next()
            weights.append(self._weight())
            parts.append(self._in_a_row())
        if any(weights) and not all(weights):
            raise self._error("weights belong before all alternatives, or before none")
        if len(parts) == 1:
            return parts[0]
        return Choice(tuple(parts), tuple(weights) if all(weights) else ())

    def _weight(self) -> int:
        """What stands before an alternative; 0 when nothing does."""
        if self._kind != "weight":
            return 0
        weight = int(self._take("weight"))
        if not weight:
            raise self._error("a weight is 1 at least: take out what is never said")
        return weight

    def _in_a_row(self) -> Expansion:
        parts: list[Expansion] = []
        while self._kind in {"word", "rule", "tag"} or self._piece in {"(", "["}:
            parts.append(self._item())
        if not parts:
            raise self._error("there is nothing between two marks")
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _item(self) -> Expansion:
        kind, piece = self._kind, self._piece
        self._next()
        if kind == "tag":
            return Tag(piece[1:-1].strip())
        if kind == "word":
            item: Expansion = Word(piece)
        elif kind == "rule":
            item = self._reference(piece[1:-1])
        else:
            item = self._alternatives()
            self._expect({"(": ")", "[": "]"}[piece])
            if piece == "[":
                item = Choice((item, SILENCE))
        if self._piece == "*":
            self._next()
            return Choice((Many(item), SILENCE))
        if self._piece == "+":
            self._next()
            return Many(item)
        return item

    def _reference(self, name: str) -> Expansion:
        if name == "NULL":
            return SILENCE
        if "." not in name:
            return Rule(f"{self._name}.{self._plain_name(name)}")
        if name not in self._imports:
            raise self._error(f"<{name}> is used and not imported")
        return Rule(name)

    def _plain_name(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise self._error(f"{name!r} is no name for a rule or grammar")
        return name

    # --- tokens

    def _next(self) -> None:
        rest = _TOKEN.match(self._text, self._at)
        if rest is None:
            if self._text[self._at :].strip():
                stray = self._text[self._at :].split()[0]
                raise self._error(f"{stray!r} has no place in our grammars")
            self._kind = self._piece = ""
            return
        self._kind = rest.lastgroup or ""
        self._piece = rest.group(self._kind)
        self._at = rest.end()

    def _take(self, kind: str) -> str:
        if self._kind != kind:
            raise self._error(f"a {kind} is expected, not {self._piece or 'the end'!r}")
        piece = self._piece
        self._next()
        return piece

    def _expect(self, piece: str) -> None:
        if self._piece != piece:
            raise self._error(f"{piece!r} is expected, not {self._piece or 'the end'!r}")
        self._next()

    def _error(self, why: str) -> GrammarError:
        line = self._text.count("\n", 0, self._at) + 1
        return GrammarError(f"{self._source}, line {line}: {why}.")
