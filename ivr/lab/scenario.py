"""Plays a simulated call against a running lab and reports how it went."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from ivr import settings
from ivr.lab import expecting
from ivr.lab.errors import LabError
from ivr.lab.hearing import Heard
from ivr.lab.packages import ensure_tree
from ivr.lab.phone import NotAnswered, Phone, Press, Said, save_recording
from ivr.lab.phrasebook import Phrasebook, is_variant
from ivr.lab.progress import SilentProgress
from ivr.lab.scenario_file import (
    HangsUp,
    Hears,
    HearsWords,
    Presses,
    Says,
    Scenario,
    ScenarioError,
    Step,
    Waits,
)
from ivr.lab.scenario_report import Report, StepReport, Turn, after_turns, shown, to_prompt_ms
from ivr.lab.scenario_words import Transcriber, contains, shipped_models
from ivr.lab.speaking import Speech, Utterance, synthesise
from ivr.lab.transcript import AROUND_SECONDS, Did, Reader
from ivr.speech.catalogue import Catalogue
from ivr.speech.errors import SpeechError

GOODBYE_SECONDS = 20.0
"""how long after the last step the other side may take to end the call"""
_LOOK_SECONDS = 0.03
_LISTEN_SECONDS = 0.5
_OTHERS_END_IT = ("paid", "promised", "not-paid", "nothing-owed", "confirming")


class LabPlaces(Protocol):
    """What is used of a running lab (lab.json)."""

    @property
    def sip(self) -> str: ...
    @property
    def pay(self) -> str: ...
    @property
    def postgres(self) -> str: ...
    @property
    def recordings(self) -> str: ...
    @property
    def config(self) -> str: ...
    @property
    def sounds(self) -> str: ...


Watch = Callable[[StepReport], None]
"""Called when a step begins (`ok` is None) and when it has ended."""


async def play(
    scenario: Scenario,
    lab: LabPlaces,
    to: str | None = None,
    watch: Watch | None = None,
    *,
    in_words: bool = False,
    said: Mapping[Utterance, Speech] | None = None,
) -> Report:
    """Call, go through the steps, and look at what is left in the database.

    `to` is a SIP address or an extension to call instead of the scenario's own. After a step that
    fails no other is tried, but expectations are looked at all the same. With `in_words` the report
    has a transcript. `said` is the sound of what the caller says, where it has been made already.

    Latency is measured in the phone: from when the last key of a press was up (its first RFC 4733
    end packet left), or the last word was sent, to the first audible sound of the phrase that came
    next. So it includes the way to the PBX and back, the PBX, everything of ours, and the silence a
    sound file opens with (15 ms at most in ours). The phone has no jitter buffer, and
    looks every 5 ms. Phrases that open with a name, and turns that were followed by another turn
    first, are not counted.

    Raises ScenarioError for an unknown phrase, LabError when sounds or the database are missing.
    """
    book, transcriber, reader = _phrasebook(lab)
    for step in scenario.steps:
        if isinstance(step, Hears) and step.phrase not in book:
            raise ScenarioError(
                f"{scenario.name}: there is no phrase {step.phrase!r} with a sound of its own: "
                "see audio-prompts/en/catalogue.toml"
            )
    tree = await asyncio.to_thread(ensure_tree, SilentProgress())
    if said is None:
        said = await synthesise(utterances(scenario))
    async with Phone(tree, book, keys=scenario.keys) as phone:
        playing = Playing(scenario, phone, watch or (lambda _: None), said, transcriber, reader)
        await playing.run(_address(lab, to or scenario.to))
        report = playing.report()
        if in_words and phone.established_at is not None:
            report.transcript = await asyncio.to_thread(
                reader.lines, phone.heard, playing.did, phone.established_at
            )
        report.recording = await asyncio.to_thread(_keep, phone, Path(lab.recordings), scenario)
    if phone.established_at is not None:
        report.sip_call_id = phone.sip_call_id
        findings = await expecting.look(lab.postgres, phone.sip_call_id, scenario.expect)
        for finding in findings:
            met = StepReport(f"expects {finding.what}", not finding.why, None, finding.why)
            report.steps.append(met)
            playing.watch(met)
    return report


def utterances(scenario: Scenario) -> list[Utterance]:
    """What the caller says in it, in order."""
    return [step.utterance for step in scenario.steps if isinstance(step, Says)]


class Playing:
    """One call being played; separate from `play` so that tests need no lab."""

    def __init__(
        self,
        scenario: Scenario,
        phone: Phone,
        watch: Watch,
        said: Mapping[Utterance, Speech],
        transcriber: Transcriber,
        reader: Reader,
    ) -> None:
        self.watch = watch
        self._said = said
        self._transcriber = transcriber
        self._reader = reader
        self._scenario = scenario
        self._phone = phone
        self._clock = asyncio.get_running_loop().time
        self.did: list[Did] = []
        """what the caller said and keyed, as far as it can be shown"""
        self._turns: list[Turn] = []
        self._position = float("-inf")
        self._steps: list[StepReport] = []

    async def run(self, uri: str) -> None:
        """Dial and go through the steps; failures are in the report."""
        steps = self._scenario.steps
        self._steps = [StepReport(f"calls {uri}")]
        self._steps += [StepReport(shown(steps, place)) for place in range(len(steps))]
        caller, headers = self._scenario.caller, dict(self._scenario.headers)
        self.watch(self._steps[0])
        try:
            await self._phone.dial(uri, caller, headers)
        except NotAnswered as error:
            self._done(self._steps[0], str(error))
            return
        self._done(self._steps[0], "")
        await self._make_line_noise()
        for step, report in zip(steps, self._steps[1:], strict=True):
            self.watch(report)
            began = self._clock()
            why = await self._go(step)
            self._done(report, why)
            if isinstance(step, Presses | Says | HangsUp):
                self.did.append(Did(began, self._clock(), report.what))
            if why:
                break
        await self._finish()

    def report(self) -> Report:
        """How it went so far."""
        phone = self._phone
        zero = phone.established_at
        report = Report(self._scenario.name, self._steps)
        if zero is None:
            return report
        heard = phone.heard.heard
        report.heard = [(round(one.at - zero, 2), one.phrase_id, one.language) for one in heard]
        report.key_to_prompt_ms = to_prompt_ms(self._turns, Press, heard)
        report.speech_to_prompt_ms = to_prompt_ms(self._turns, Said, heard)
        end = phone.closed_at or self._clock()
        silences = phone.heard.dead_air(zero, end)
        report.dead_air = [
            (round(at - zero, 1), round(seconds, 1))
            for at, seconds in after_turns(silences, self._turns)
        ]
        return report

    def _done(self, report: StepReport, why: str) -> None:
        report.ok, report.why = not why, why
        if self._phone.established_at is not None:
            report.at = round(self._clock() - self._phone.established_at, 2)
        self.watch(report)

    async def _go(self, step: Step) -> str:
        """Do a step; why it failed, "" when it did not."""
        try:
            match step:
                case Hears():
                    return await self._hear(step)
                case HearsWords():
                    return await self._hear_words(step)
                case Presses():
                    self._turns.append(await self._phone.press(step.keys, step.gap))
                case Says():
                    return await self._say(step)
                case Waits():
                    await asyncio.sleep(step.seconds)
                case HangsUp():
                    await self._phone.hang_up()
        except LabError as error:
            return str(error)
        return ""

    async def _make_line_noise(self) -> None:
        """What is noisy when the caller speaks is noisy from the beginning."""
        first = next((step for step in self._scenario.steps if isinstance(step, Says)), None)
        if first and len(background := self._said[first.utterance].background):
            await self._phone.say(Speech(background[:0], background))

    async def _say(self, step: Says) -> str:
        said = await self._phone.say(self._said[step.utterance])
        if step.utterance.words:  # a cough asks for no answer
            self._turns.append(said)
        if not step.hushes:
            return ""
        await asyncio.sleep(AROUND_SECONDS)
        return await asyncio.to_thread(
            self._reader.why_not_hushed, self._phone.heard, said.began, said.ended
        )

    async def _hear_words(self, step: HearsWords) -> str:
        # The answer may begin before we know that the turn is over.
        since = self._turns[-1].began if self._turns else float("-inf")
        until = self._clock() + step.within
        while True:
            over, late = self._phone.closed.is_set(), self._is_late(until)
            if over:
                await self._phone.listen_to_the_end()
            heard = self._phone.heard
            said = await asyncio.to_thread(self._reader.said, heard, since)
            if any(contains(each, step.words) for each in said):
                return ""
            language = step.language or (heard.heard[-1].language if heard.heard else "en")
            words = await asyncio.to_thread(
                self._transcriber.recognise, heard.since(since), language
            )
            if contains(words, step.words):
                return ""
            if over or late:
                why = f"the call was over ({self._phone.reason})" if over else "not in time"
                return f"{why}; “{words}” was understood instead"
            await asyncio.sleep(_LISTEN_SECONDS)

    async def _hear(self, step: Hears) -> str:
        until = self._clock() + step.within
        while True:
            over, late = self._phone.closed.is_set(), self._is_late(until)
            if over:
                await self._phone.listen_to_the_end()
            new = [one for one in self._phone.heard.heard if one.at > self._position]
            for one in new:
                if _is(one, step):
                    self._position = one.at
                    return ""
                if step.strict:
                    return f"{one.phrase_id} was said before it"
            if over or late:
                why = f"the call was over ({self._phone.reason})" if over else "not in time"
                return f"{why}; {instead([one.phrase_id for one in new])}"
            await asyncio.sleep(_LOOK_SECONDS)

    def _is_late(self, until: float) -> bool:
        """Whether it was not said in time; what was said but not looked at yet may be it."""
        return self._clock() > until and not self._phone.heard.is_behind

    async def _finish(self) -> None:
        """Let the other side end the call where it should; else hang up."""
        phone = self._phone
        failed = any(step.ok is False for step in self._steps)
        if not failed and self._scenario.expect.ending in _OTHERS_END_IT:
            await self._is_hung_up_on()
        await self._go(HangsUp())
        await phone.listen_to_the_end()

    async def _is_hung_up_on(self) -> None:
        if self._phone.closed.is_set():
            return
        report = StepReport("is hung up on after the goodbye")
        self._steps.append(report)
        self.watch(report)
        try:
            await asyncio.wait_for(self._phone.closed.wait(), GOODBYE_SECONDS)
        except TimeoutError:
            self._done(report, f"the line was still open {GOODBYE_SECONDS:.0f} s later")
        else:
            self._done(report, "")


def instead(said: Sequence[str]) -> str:
    """What a caller heard who waited for something else."""
    return f"{', '.join(said) or 'nothing'} {'were' if len(said) > 1 else 'was'} said instead"


def _is(one: Heard, step: Hears) -> bool:
    return is_variant(one.phrase_id, step.phrase) and step.language in (None, one.language)


def _address(lab: LabPlaces, to: str) -> str:
    if to == "pay":
        return lab.pay
    return to if to.startswith("sip:") else f"sip:{to}@{lab.sip}"


def _phrasebook(lab: LabPlaces) -> tuple[Phrasebook, Transcriber, Reader]:
    loaded = settings.load(Path(lab.config))
    return load_phrasebook(loaded.speech.prompts, Path(lab.sounds), loaded.company.name)


@cache
def load_phrasebook(
    prompts: Path, sounds: Path, company: str
) -> tuple[Phrasebook, Transcriber, Reader]:
    """The phrases of these prompts by their built sounds and by their words; read once.

    Raises LabError.
    """
    try:
        catalogue = Catalogue.load(prompts, company)
        transcriber = Transcriber(shipped_models())
        book = Phrasebook.load(catalogue, sounds)
    except SpeechError as error:
        raise LabError(str(error)) from None
    return book, transcriber, Reader(catalogue, sounds, transcriber)


def _keep(phone: Phone, folder: Path, scenario: Scenario) -> str | None:
    """Write what was heard under a name that holds no digit of the scenario's name."""
    if phone.established_at is None:
        return None
    slug = re.sub(r"[^a-z]+", "-", scenario.name.lower()).strip("-")[:60] or "call"
    file = folder / f"{slug}-{datetime.now(UTC):%Y%m%dT%H%M%S-%f}.wav"
    try:
        save_recording(phone, file)
    except OSError as error:
        raise LabError(f"{file} cannot be written ({error.strerror}): make room") from None
    return str(file)
