"""The parts of the bench, each to be run alone; what they measure on is set up and taken down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ivr.hearing import LANGUAGES, SHIPPED, ears
from ivr.lab import lab
from ivr.lab.bench import answers, calls, customers, dialogues, names, spoken_calls, streams
from ivr.lab.bench.callers import Kind
from ivr.lab.bench.customers import Names
from ivr.lab.bench.figures import FOLDER, Figure, Part
from ivr.lab.bench.voices import Studio
from ivr.lab.errors import LabError
from ivr.lab.progress import TerminalProgress
from ivr.settings import Settings, load
from ivr.speech.ears import Ears

LAB = FOLDER / "lab"
"""of the bench's own: another lab that runs here goes on undisturbed"""
ENDLESS = 100_000
"""callers listened to at once where the limit itself is not what is measured"""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of everything."""

    sizes: tuple[int, ...]
    """customers, for names as text"""
    look_ups: int
    dialogues: tuple[tuple[int, int], ...]
    """customers of a company, and dialogues with them in each language"""
    others: int
    """dialogues with careless callers, and with strangers"""
    answers: int
    """of each kind, a language"""
    calls: int
    models: Path | None

    @classmethod
    def of(cls, *, short: bool, models: Path | None) -> Self:
        """`models`: a folder with en and es, in place of the shipped ones."""
        if short:
            return cls((1_000, 100_000), 300, ((1_000, 40),), 10, 60, 4, models)
        sizes = (1_000, 10_000, 100_000, 1_000_000)
        return cls(sizes, 1000, ((1_000, 200), (100_000, 100)), 40, 200, 20, models)


async def by_text(extent: Extent, tell: Tell) -> Part:
    """Names as text, one size after the other."""
    figures: list[Figure] = []
    faults: list[dict[str, object]] = []
    with TerminalProgress() as progress:
        async with customers.server(progress) as server:
            for size in extent.sizes:
                async with customers.company(server, size, Names.CENSUS, tell) as company:
                    found, missed = await names.measure(company, extent.look_ups)
                figures += found
                faults += missed
    return Part("Names as text", figures, faults)


async def by_voice(extent: Extent, tell: Tell) -> Part:
    """Whole dialogues."""
    figures: list[Figure] = []
    faults: list[dict[str, object]] = []
    async with _ears(extent) as hearing:
        with TerminalProgress() as progress:
            async with customers.server(progress) as server:
                for size, count in extent.dialogues:
                    async with customers.company(server, size, Names.KNOWN, tell) as company:
                        found, missed = await _held(company, hearing, (count, extent.others), tell)
                    figures += found
                    faults += missed
    return Part("Whole dialogues by voice: names the models know, 20 dB", figures, faults)


async def _held(
    company: customers.Company, hearing: Ears, counts: tuple[int, int], tell: Tell
) -> tuple[list[Figure], list[dict[str, object]]]:
    figures: list[Figure] = []
    faults: list[dict[str, object]] = []
    studio = Studio()
    bench = dialogues.Dialogues(company, hearing, studio)
    size = len(company.customers)
    for language in LANGUAGES:
        for kind in Kind:
            count = counts[kind is not Kind.HONEST]
            tell(f"{size:,} customers, {language}: {count} {kind.value}")
            held = await bench.hold(bench.callers(language, kind, count))
            about = f"{size:,}, {language}"
            if kind is Kind.HONEST:
                figures += dialogues.figures(held, about)
            else:
                figures.append(dialogues.wrong(held, f"{about}, {kind.value}"))
            faults += [one.fault() for one in held if one.is_wrong]
            if kind is Kind.HONEST:
                faults += [
                    one.fault()
                    for one in held
                    if not (one.is_wrong or (one.is_right and one.place == 1))
                ]
    return [*figures, *dialogues.look_up_times(bench.look_ups, f"{size:,}")], faults


async def by_grammar(extent: Extent, tell: Tell) -> Part:
    """Answers."""
    figures: list[Figure] = []
    faults: list[dict[str, object]] = []
    studio = Studio()
    kinds = (
        (answers.number_trials, answers.number_figures),
        (answers.yes_no_trials, answers.yes_no_figures),
        (answers.other_trials, answers.other_figures),
    )
    async with _ears(extent) as hearing:
        for language in LANGUAGES:
            for trials, in_figures in kinds:
                tell(f"{language}: {extent.answers} of {trials.__name__}")
                tried = list(trials(language, extent.answers))
                found = await answers.hear(hearing, language, tried, studio)
                figures += in_figures(language, found)
                if trials is not answers.other_trials:
                    figures += answers.delay_figures(language, found)
                faults += [one.fault(language) for one in found if not one.is_right]
    return Part("Answers by grammar, 20 dB", figures, faults)


async def at_once(extent: Extent, tell: Tell) -> Part:
    """Decodings at once."""
    async with _ears(extent) as hearing:
        return Part("Callers understood at once", await streams.most_at_once(hearing, tell))


async def to_the_prompt(extent: Extent, _: Tell) -> Part:
    """End of speech to the next prompt."""
    async with _lab(extent) as running:
        figures, faults = await spoken_calls.measure(running, extent.calls)
    return Part("End of speech to the next prompt, in real calls", figures, faults)


async def paying(extent: Extent, _: Tell) -> Part:
    """What a paid call costs."""
    async with _lab(extent) as running:
        return Part("Paying calls", await calls.measure(running, extent.calls))


PARTS: Mapping[str, Callable[[Extent, Tell], Coroutine[Any, Any, Part]]] = {
    "names": by_text,
    "dialogues": by_voice,
    "answers": by_grammar,
    "streams": at_once,
    "speech": to_the_prompt,
    "calls": paying,
}


def _settings(extent: Extent) -> Settings:
    """The user's own, with speech models for both languages."""
    found = load()
    folder = extent.models
    models = {each: str(folder / each) if folder else "shipped" for each in LANGUAGES}
    speech = found.speech.model_copy(update={"models": models, "callers": 0})
    return found.model_copy(update={"speech": speech})


@asynccontextmanager
async def _ears(extent: Extent) -> AsyncIterator[Ears]:
    settings = _settings(extent)
    speech = settings.speech.model_copy(update={"callers": ENDLESS})
    settings = settings.model_copy(update={"speech": speech})
    hearing = await asyncio.to_thread(ears, settings, SHIPPED)
    if hearing is None:
        raise LabError("no speech model is set: build them with `make speech-model`")
    try:
        yield hearing
    finally:
        hearing.close()


@asynccontextmanager
async def _lab(extent: Extent) -> AsyncIterator[lab.Lab]:
    with TerminalProgress() as progress:
        running = await asyncio.to_thread(lab.up, LAB, _settings(extent), progress)
    try:
        yield running
    finally:
        await asyncio.to_thread(lab.down, LAB)
