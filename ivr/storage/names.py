"""Customers by a spoken name or by the keys that spell it, always with the same queries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite
from time import monotonic

from ivr.billing.customers import Customer, CustomerKind
from ivr.billing.matches import (
    CALLING_NUMBER_KNOWN,
    JOINED,
    NICKNAME,
    OWES,
    SPELLED_OTHERWISE,
    Decision,
    Hypothesis,
    MarginRule,
    Named,
    Near,
    Said,
    decide,
    dissent,
    likely_combinations,
    name_distance,
    words_said,
)
from ivr.billing.names import (
    FEWEST_KEYS,
    MOST_KEYS,
    Nicknames,
    combination_key,
    fold,
    form,
    heard_forms,
    miskeyed,
    read_out,
)
from ivr.billing.sounds import ACCENTS, ALL_ACCENTS
from ivr.storage import rows
from ivr.storage.name_index import Pronouncer, word_keys
from ivr.storage.pool import Database, Record
from ivr.storage.sound_distances import nearest

MOST_AT_HAND = 5_000
"""customers: with more, a recogniser that knows their names only is slow and no better"""
AT_HAND_SECONDS = 60.0
"""how long their names are kept"""
MOST_HYPOTHESES = 24
MOST_WORDS = 24
"""distinct words and pairs of words looked up of one list of hypotheses"""
MOST_JOINED = 2
"""hypotheses of which neighbours are looked up as one word too"""
ALIKE_OF_A_KEY = 150
ALIKE = 160
"""words of the directory compared with one word heard"""
KEPT = 50
WORST_WORD = 2.0
"""a word farther than this is another word"""
COMBINATIONS = 300
NAMES_OF_A_COMBINATION = 8
CANDIDATES = 150
SHOWN = 12
"""names whose bearers are looked up"""
MOST_BEARERS = 500
BEARERS_LOOKED_AT = 10
"""of one name, to see whether anyone of that name owes"""
MOST_SPELLED = 12

SPOKEN_RULE = MarginRule()
SPELLED_RULE = MarginRule(sure=0.4, margin=0.5, far=1.5, span=1.1, tie=0.02)
SLIPS = (0.0, 0.4, 1.0, 1.3)
"""distance of a name spelled exactly, begun exactly, spelled and begun with one slip"""


@dataclass(frozen=True, slots=True)
class _Found:
    """A name of the directory before it is known who bears it."""

    distance: float
    words: tuple[str, ...] = ()
    kind: CustomerKind = CustomerKind.PERSON
    said: tuple[int, ...] = ()
    """places of the words that the caller said"""
    dissent: float = 0.0


@dataclass(frozen=True, slots=True)
class _Token:
    """A word heard, or two neighbours that may be one word of a name."""

    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        return fold("".join(self.parts))


@dataclass(frozen=True, slots=True)
class _Reading:
    tokens: tuple[_Token, ...]
    cost: float
    hypothesis: int


class PostgresNames:
    """Finds customers by name. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database, pronouncer: Pronouncer, nicknames: Nicknames) -> None:
        self._database = database
        self._pronouncer = pronouncer
        self._nicknames = nicknames
        self._at_hand: tuple[str, ...] = ()
        self._at_hand_until = 0.0

    async def at_hand(self) -> tuple[str, ...]:
        """What customers are called, in lower case as it is said, unless they are too many.

        The same object for AT_HAND_SECONDS.
        """
        if monotonic() >= self._at_hand_until:
            found = await self._database.rows("names_if_few", MOST_AT_HAND)
            self._at_hand = await asyncio.to_thread(_as_said, found)
            self._at_hand_until = monotonic() + AT_HAND_SECONDS
        return self._at_hand

    async def by_spoken_name(
        self,
        heard: Sequence[Hypothesis],
        language: str,
        calling_number: str = "",
        rule: MarginRule = SPOKEN_RULE,
    ) -> Decision:
        """Who was meant, of what the recogniser may have heard, best first.

        `calling_number` is E.164 or empty; it speaks for a name but finds none. Raises also
        PronunciationUnavailable.
        """
        return decide(await self.ranked(heard, language, calling_number), rule)

    async def ranked(
        self, heard: Sequence[Hypothesis], language: str, calling_number: str = ""
    ) -> list[Named]:
        """The nearest names, at most SHOWN, nearest first, each as far as it was said.

        Those of which the same was said, or what sounds the same, are one.
        """
        readings = list(_readings(heard))
        tokens = list(dict.fromkeys(token for one in readings for token in one.tokens))
        tokens = tokens[:MOST_WORDS]
        near, spoken = await self._words_near(tokens, ACCENTS[language])
        by_token = dict(zip(tokens, near, strict=True))
        said = [
            Said(tuple(by_token[token] for token in one.tokens), one.cost, one.hypothesis)
            for one in readings
            if all(token in by_token for token in one.tokens)
        ]
        candidates = await self._candidates(said)
        named = await self._named(candidates, calling_number)
        accent = ALL_ACCENTS.index(ACCENTS[language][0])
        offered = []
        for name_id, one in named:
            found = candidates[name_id]
            words = [found.words[place] for place in found.said]
            sound = tuple(spoken[word][accent] if word in spoken else word for word in words)
            offered.append((sound, replace(one, name=_as_heard(one.name, found))))
        return _merged(offered)

    async def by_keys(
        self, keys: str, calling_number: str = "", rule: MarginRule = SPELLED_RULE
    ) -> Decision:
        """Whose name is spelled by these keys, from its beginning, one slip forgiven."""
        plain = keys[:MOST_KEYS]
        enough = len(plain) >= FEWEST_KEYS
        slips = miskeyed(plain) if enough else []
        found = await self._database.rows(
            "names_of_keys", plain if enough else "", slips, MOST_SPELLED
        )
        distances = {row["name_id"]: _Found(SLIPS[row["slips"]]) for row in found}
        return decide((one for _, one in await self._named(distances, calling_number)), rule)

    async def of_postal_code(self, named: Named, postal_code: str) -> Customer | None:
        """The one bearer of a name with this postal code: the second factor.

        None if there is none, and if there are two, so that nobody hears the other's invoices.
        """
        found = await self._database.rows(
            "customers_of_postal_code", list(named.customers), postal_code
        )
        return rows.customer(found[0]) if len(found) == 1 else None

    async def _words_near(
        self, tokens: Sequence[_Token], accents: Sequence[str]
    ) -> tuple[list[Near], dict[str, Sequence[str]]]:
        """For each token the words it may be; and the sounds of these, by folded word."""
        sounds = await self._sounds(tokens, accents)
        asked = [
            (place, key)
            for place, (token, spoken) in enumerate(zip(tokens, sounds, strict=True))
            for key in word_keys(token.text, spoken)
        ]
        places, keys = [place for place, _ in asked], [key for _, key in asked]
        alike: list[list[tuple[str, Sequence[str]]]] = [[] for _ in tokens]
        for row in await self._database.rows("words_like", places, keys, ALIKE_OF_A_KEY, ALIKE):
            alike[row["place"]].append((fold(row["word"]), row["sounds"]))
        near = [
            self._near(token.text, spoken, words)
            for token, spoken, words in zip(tokens, sounds, alike, strict=True)
        ]
        return near, {word: spoken for words in alike for word, spoken in words}

    async def _sounds(
        self, tokens: Sequence[_Token], accents: Sequence[str]
    ) -> list[tuple[str, ...]]:
        words = list(dict.fromkeys(part for token in tokens for part in token.parts))
        spoken = dict(zip(words, await self._pronouncer.sounds(words, accents), strict=True))
        return [
            tuple(
                "".join(sounds)
                for sounds in zip(*(spoken[part] for part in token.parts), strict=True)
            )
            for token in tokens
        ]

    def _near(
        self, text: str, spoken: Sequence[str], words: Sequence[tuple[str, Sequence[str]]]
    ) -> Near:
        """What a word heard may be, nicknames included, the nearest KEPT."""
        apart = nearest(spoken, [sounds for _, sounds in words])
        likely: dict[str, float] = {}
        for (word, _), distance in zip(words, apart, strict=True):
            cost = 0.0 if word == text else distance + SPELLED_OTHERWISE
            if cost <= WORST_WORD:
                likely[word] = min(cost, likely.get(word, cost))
        for word, cost in [(text, 0.0), *likely.items()]:
            for mate in self._nicknames.of(word):
                likely[mate] = min(cost + NICKNAME, likely.get(mate, cost + NICKNAME))
        return dict(sorted(likely.items(), key=lambda item: item[1])[:KEPT])

    async def _candidates(self, said: Sequence[Said]) -> dict[int, _Found]:
        """The nearest SHOWN names, the nearest first."""
        keys = [combination_key(words) for words in likely_combinations(said, COMBINATIONS)]
        found = await self._database.rows(
            "names_of_combinations", keys, NAMES_OF_A_COMBINATION, CANDIDATES
        )
        ranked = []
        for row in found:
            words = tuple(row["words"].split())
            kind = CustomerKind(row["kind"])
            distance = min(name_distance(one, words, kind) for one in said)
            if isfinite(distance):
                ranked.append((distance, row["id"], words, kind))
        ranked.sort()
        return {
            name_id: _Found(
                distance, words, kind, words_said(said, words, kind), dissent(said, words, kind)
            )
            for distance, name_id, words, kind in ranked[:SHOWN]
        }

    async def _named(
        self, found: dict[int, _Found], calling_number: str
    ) -> list[tuple[int, Named]]:
        """The names with their bearers, by id, nearest first."""
        bearers = await self._database.rows(
            "bearers_of_names", list(found), calling_number, MOST_BEARERS, BEARERS_LOOKED_AT
        )
        named = []
        for row in bearers:
            near = found[row["name_id"]]
            known = CALLING_NUMBER_KNOWN * bool(row["calling"]) + OWES * bool(row["owes"])
            one = Named(row["name"], tuple(row["customers"]), near.distance, known, near.dissent)
            named.append((row["name_id"], one))
        return sorted(named, key=lambda item: (item[1].rank, item[1].name))


def _as_heard(name: str, found: _Found) -> str:
    """What is read of a bearer's name to a caller who said this much of it."""
    if form(name, found.kind).words == found.words:
        return read_out(name, found.kind, found.said)
    # Changed since it was indexed: nobody hears of the new name who said the old one.
    return " ".join(found.words[place].capitalize() for place in found.said)


def _as_said(found: Sequence[Record]) -> tuple[str, ...]:
    forms = (form(row["name"], CustomerKind(row["kind"])) for row in found)
    return tuple(dict.fromkeys(" ".join(one.written) for one in forms if one.words))


def _readings(heard: Sequence[Hypothesis]) -> Iterator[_Reading]:
    """Every hypothesis as words, then with two neighbours joined."""
    joined = []
    for rank, one in enumerate(heard[:MOST_HYPOTHESES]):
        for words in heard_forms(one.text):
            tokens = tuple(_Token((word,)) for word in words)
            yield _Reading(tokens, one.cost, rank)
            for place, (left, right) in enumerate(pairwise(words)):
                if rank >= MOST_JOINED:
                    break
                both = (*tokens[:place], _Token((left, right)), *tokens[place + 2 :])
                joined.append(_Reading(both, one.cost + JOINED, rank))
    yield from joined


def _merged(named: Sequence[tuple[tuple[str, ...], Named]]) -> list[Named]:
    """Names that sound the same become one, called as the nearest: no voice can tell them apart.

    So do those of which the same words were said: what else they are called is nobody's business
    before the second factor.
    """
    found: dict[tuple[str, ...], Named] = {}
    for sound, one in named:
        first = found.get(sound)
        customers = (*first.customers, *one.customers) if first else one.customers
        found[sound] = replace(first or one, customers=customers)
    return list(found.values())
