"""Whole dialogues by voice: who is calling, from the first question to the second factor.

The dialogue, its ears, the speech models, the look-up and Postgres are the real ones. Simulated are
the caller, who answers what was asked in a synthetic voice that no model was trained with, and the
telephone line, which adds white noise at 20 dB and G.711.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from ivr.billing.customers import Customer, CustomerKind
from ivr.billing.matches import Choose, Decision, Hypothesis, Named, Sure
from ivr.billing.names import form
from ivr.billing.paying import Paying
from ivr.billing.sounds import ACCENTS
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import Over, WantsAgent
from ivr.dialogue.flows.identify import identify
from ivr.lab.bench.callers import Caller, Kind, PhraseNames
from ivr.lab.bench.customers import Company, Invented, Names, invented
from ivr.lab.bench.figures import Figure, at_least, at_most, milliseconds, share
from ivr.lab.bench.simulated_line import SimulatedLine
from ivr.lab.bench.voices import Studio, speakers
from ivr.speech.ears import Ears
from ivr.speech.listening import CallersEars
from ivr.storage.captures import PostgresCaptures
from ivr.storage.customers import PostgresDirectory
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.names import PostgresNames

AT_ONCE = 2
DIALOGUE_SECONDS = 120.0
POSTAL_CODE_DIGITS = 5
FIRST, IN_THREE = 0.90, 0.96


@dataclass(slots=True)
class Dialogue:
    """What came of one call."""

    caller: Caller
    decisions: list[Decision] = field(default_factory=list)
    """of the look-ups of names said"""
    heard: list[str] = field(default_factory=list)
    """the best guess of each"""
    identified: int | None = None
    """who we took them for"""
    line: SimulatedLine | None = None

    @property
    def place(self) -> int:
        """Behind which of the names first offered the caller was: 1 to 3, or 0 for none."""
        for place, named in enumerate(offered(self.decisions[0]) if self.decisions else (), 1):
            if self.caller.who.id in named.customers:
                return place
        return 0

    @property
    def is_right(self) -> bool:
        return self.caller.kind is not Kind.STRANGER and self.identified == self.caller.who.id

    @property
    def is_wrong(self) -> bool:
        """Somebody else was taken for a customer."""
        return self.identified is not None and not self.is_right

    def fault(self) -> dict[str, object]:
        """For a report of what went wrong."""
        asked = [one.phrase for one in self.line.phrases] if self.line else []
        return {
            "caller": self.caller.who.somebody.name,
            "kind": self.caller.kind.value,
            "speaker": str(self.caller.speaker),
            "heard": self.heard,
            "offered": [[one.name for one in offered(each)] for each in self.decisions],
            "phrases": asked,
            "said": self.line.said if self.line else [],
            "identified": self.identified,
        }


def offered(decision: Decision) -> Sequence[Named]:
    """The names that a decision leads to being read out, as far as they were said."""
    if isinstance(decision, Sure):
        return (decision.named,)
    return decision.names if isinstance(decision, Choose) else ()


class WatchedNames:
    """The real look-up (billing.ports.Names), which remembers what came of each."""

    def __init__(self, names: PostgresNames, dialogue: Dialogue, times: list[float]) -> None:
        self._names = names
        self._dialogue = dialogue
        self._times = times

    async def at_hand(self) -> tuple[str, ...]:
        return await self._names.at_hand()

    async def by_spoken_name(
        self, heard: Sequence[Hypothesis], language: str, calling_number: str = ""
    ) -> Decision:
        clock = asyncio.get_running_loop().time
        began = clock()
        decision = await self._names.by_spoken_name(heard, language, calling_number)
        self._times.append(clock() - began)
        self._dialogue.heard.append(heard[0].text if heard else "")
        self._dialogue.decisions.append(decision)
        return decision

    async def by_keys(self, keys: str, calling_number: str = "") -> Decision:
        return await self._names.by_keys(keys, calling_number)

    async def of_postal_code(self, named: Named, postal_code: str) -> Customer | None:
        return await self._names.of_postal_code(named, postal_code)


class Dialogues:
    """Calls to one company."""

    def __init__(self, company: Company, ears: Ears, studio: Studio) -> None:
        self.look_ups: list[float] = []
        """seconds"""
        self._company = company
        self._ears = ears
        self._studio = studio
        self._kinds = {one.somebody.name: one.somebody.kind for one in company.customers}

    async def hold(self, callers: Sequence[Caller]) -> list[Dialogue]:
        """All of them, AT_ONCE at a time. Raises LabError, LedgerUnavailable."""
        texts = ((each.speaker, words) for each in callers for words in each.may_say())
        await self._studio.record(texts)
        places = asyncio.Semaphore(AT_ONCE)

        async def one(caller: Caller) -> Dialogue:
            async with places:
                return await self._held(caller)

        return list(await asyncio.gather(*map(one, callers)))

    async def _held(self, caller: Caller) -> Dialogue:
        dialogue = Dialogue(caller)
        line = dialogue.line = SimulatedLine(caller, self._studio)
        call = Call(line, PhraseNames(), caller.language, CallersEars(self._ears, line.voice))
        desk = self._desk(WatchedNames(self._company.names, dialogue, self.look_ups))
        try:
            async with asyncio.timeout(DIALOGUE_SECONDS):
                dialogue.identified = (await identify(call, desk)).id
        except (WantsAgent, Over, TimeoutError):
            dialogue.identified = None
        finally:
            await call.rest()
        return dialogue

    def _desk(self, names: WatchedNames) -> Desk:
        database = self._company.database
        return Desk(
            directory=PostgresDirectory(database),
            invoices=PostgresInvoices(database),
            captures=PostgresCaptures(database),
            paying=cast("Paying", None),  # the dialogue is over when it is known who calls
            brands=(),
            postal_code_length=POSTAL_CODE_DIGITS,
            names=names,
        )

    def callers(self, language: str, kind: Kind, count: int) -> list[Caller]:
        """So many at most, the same every time, each with a voice of their own."""
        chance = random.Random(f"{language} {kind}")  # noqa: S311 - repeatable, hides nothing
        people = [one for one in self._people(kind, count) if one.somebody.language == language]
        if kind is not Kind.STRANGER:
            people = chance.sample(people, min(count, len(people)))
        voices = speakers(language)

        async def own_words(name: str, own: str) -> int:
            return await self._own_words(name, own, language)

        return [
            Caller(who, kind, language, chance.choice(voices), manner, own_words)
            for manner, who in enumerate(people[:count])
        ]

    def _people(self, kind: Kind, count: int) -> Iterable[Invented]:
        customers = self._company.customers
        if kind is not Kind.STRANGER:
            return customers
        # Those who would come next: the same kind of names, and nobody of the company's.
        more = list(invented(len(customers) + 8 * count + 100, Names.KNOWN))[len(customers) :]
        return [one for one in more if one.somebody.name not in self._kinds]

    async def _own_words(self, name: str, own: str, language: str) -> int:
        """How many words of a name are, by their sound and in order, the caller's; 0 if not all."""
        found = []
        for each in (name, own):
            # What is read of a name may be nobody's whole name.
            kind = self._kinds.get(each) or self._kinds.get(own, CustomerKind.PERSON)
            words = form(each, kind).written
            found.append(await self._company.pronouncer.sounds(words, ACCENTS[language][:1]))
        read, left = found[0], iter(found[1])
        return len(read) if all(word in left for word in read) else 0


def figures(held: Sequence[Dialogue], about: str) -> list[Figure]:
    """Of customers: found at once, in three, in the end, and never somebody else."""
    total = len(held)
    return [
        share(f"{about}: right customer offered first", _places(held, 1), total, at_least(FIRST)),
        share(f"{about}: right customer in three", _places(held, 3), total, at_least(IN_THREE)),
        share(f"{about}: identified in the end", sum(one.is_right for one in held), total),
        wrong(held, about),
    ]


def wrong(held: Sequence[Dialogue], about: str) -> Figure:
    """The one that must be nobody; with what it may be for all we know."""
    count = sum(one.is_wrong for one in held)
    interval = share("", count, len(held))
    return Figure(
        f"{about}: wrong customer accepted",
        count / len(held) if held else None,
        "%",
        at_most(0),
        len(held),
        interval.low,
        interval.high,
    )


def look_up_times(seconds: Sequence[float], about: str) -> list[Figure]:
    """How long the look-ups of the dialogues took, while speech was decoded beside them."""
    return [milliseconds(f"{about}: look-up", seconds, part) for part in (0.5, 0.99)]


def _places(held: Sequence[Dialogue], most: int) -> int:
    return sum(1 <= one.place <= most for one in held)
