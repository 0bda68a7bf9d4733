"""Plays a simulated call against a running lab and reports how it went."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from ivr import settings
from ivr.lab import expecting
from ivr.lab.errors import LabError
from ivr.lab.hearing import DEAD_AIR_SECONDS, Heard
from ivr.lab.packages import ensure_tree
from ivr.lab.phone import NotAnswered, Phone, PhoneError, Press, save_recording
from ivr.lab.phrasebook import Phrasebook, is_variant
from ivr.lab.progress import SilentProgress
from ivr.lab.scenario_file import HangsUp, Hears, Presses, Scenario, ScenarioError, Step, Waits
from ivr.speech.catalogue import Catalogue
from ivr.speech.errors import SpeechError

MASK = "••••"
LONGEST_SHOWN = 8
"""digits; a longer entry may be a card number and is shown as MASK"""
GOODBYE_SECONDS = 20.0
"""how long after the last step the other side may take to end the call"""
_LOOK_SECONDS = 0.03
_OTHERS_END_IT = ("paid", "not-paid", "nothing-owed", "confirming")
_CARD_NUMBER = re.compile(r"\d{12}")
_CARD_OPENS = ("secure_start", "ask_card_number", "ask_expiry", "ask_security_code")
_CARD_CLOSES = ("confirm_charge", "card_left", "charging", "declined", "card_not_available")


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


@dataclass(slots=True)
class StepReport:
    """One step or one expectation."""

    what: str
    """as shown: keys that may be a card's are masked"""
    ok: bool | None = None
    """None: not reached"""
    at: float | None = None
    """seconds from the answer to the end of the step"""
    why: str = ""
    """why it failed"""


@dataclass(slots=True)
class Report:
    """How a simulated call went; seconds are counted from the answer."""

    name: str
    steps: list[StepReport]
    heard: list[tuple[float, str, str]] = field(default_factory=list)
    """second, phrase id, language"""
    sip_call_id: str | None = None
    """finds the call in the database; None when it was never answered"""
    recording: str | None = None
    """what the caller heard; its own keys are not in it"""
    key_to_prompt_ms: list[float] = field(default_factory=list)
    dead_air: list[tuple[float, float]] = field(default_factory=list)
    """second and length of each silence of more than two seconds after the caller's last key of a
    press: while they key, or think, it is their turn"""

    @property
    def passed(self) -> bool:
        return all(step.ok for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """What `saldo call --json` prints."""
        ordered = sorted(self.key_to_prompt_ms)
        return {
            "name": self.name,
            "passed": self.passed,
            "steps": [
                {"what": step.what, "ok": bool(step.ok), "at": step.at, "why": step.why}
                for step in self.steps
            ],
            "heard": [
                {"phrase": phrase, "language": language, "at": at}
                for at, phrase, language in self.heard
            ],
            "recording": self.recording,
            "latency_ms": {
                "key_to_prompt": self.key_to_prompt_ms,
                "p50": _percentile(ordered, 0.5),
                "p99": _percentile(ordered, 0.99),
            },
            "dead_air": [{"at": at, "seconds": seconds} for at, seconds in self.dead_air],
        }


Watch = Callable[[StepReport], None]
"""Called when a step begins (`ok` is None) and when it has ended."""


async def play(
    scenario: Scenario, lab: LabPlaces, to: str | None = None, watch: Watch | None = None
) -> Report:
    """Call, go through the steps, and look at what is left in the database.

    `to` is a SIP address or an extension to call instead of the scenario's own. After a step that
    fails no other is tried, but expectations are looked at all the same.

    Latency is measured in the phone: from when the last key of a press was up (its first RFC 4733
    end packet left) to the first audible sound of the phrase that came next. So it includes the
    way to the PBX and back, the PBX, everything of ours, and the silence a sound file opens with
    (about 60 ms in synthesised ones). The phone has no jitter buffer, and looks every 5 ms. Phrases
    that open with a name, and presses that were followed by another press first, are not counted.

    Raises ScenarioError for an unknown phrase, LabError when sounds or the database are missing.
    """
    book = _phrasebook(lab)
    for step in scenario.steps:
        if isinstance(step, Hears) and step.phrase not in book:
            raise ScenarioError(
                f"{scenario.name}: there is no phrase {step.phrase!r} with a sound of its own: "
                "see audio-prompts/en/catalogue.toml"
            )
    tree = await asyncio.to_thread(ensure_tree, SilentProgress())
    async with Phone(tree, book) as phone:
        playing = Playing(scenario, phone, watch or (lambda _: None))
        await playing.run(_address(lab, to or scenario.to))
        report = playing.report()
        report.recording = await asyncio.to_thread(_keep, phone, Path(lab.recordings), scenario)
    if phone.established_at is not None:
        report.sip_call_id = phone.sip_call_id
        findings = await expecting.look(lab.postgres, phone.sip_call_id, scenario.expect)
        for finding in findings:
            met = StepReport(f"expects {finding.what}", not finding.why, None, finding.why)
            report.steps.append(met)
            playing.watch(met)
    return report


class Playing:
    """One call being played; separate from `play` so that tests need no lab."""

    def __init__(self, scenario: Scenario, phone: Phone, watch: Watch) -> None:
        self.watch = watch
        self._scenario = scenario
        self._phone = phone
        self._clock = asyncio.get_running_loop().time
        self._presses: list[Press] = []
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
        for step, report in zip(steps, self._steps[1:], strict=True):
            self.watch(report)
            why = await self._go(step)
            self._done(report, why)
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
        report.key_to_prompt_ms = key_to_prompt_ms(self._presses, heard)
        end = phone.closed_at or self._clock()
        silences = phone.heard.dead_air(zero, end)
        report.dead_air = [
            (round(at - zero, 1), round(seconds, 1))
            for at, seconds in after_keys(silences, self._presses)
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
                case Presses():
                    self._presses.append(await self._phone.press(step.keys, step.gap))
                case Waits():
                    await asyncio.sleep(step.seconds)
                case HangsUp():
                    await self._phone.hang_up()
        except PhoneError as error:
            return str(error)
        return ""

    async def _hear(self, step: Hears) -> str:
        until = self._clock() + step.within
        while True:
            over = self._phone.closed.is_set()
            late = self._clock() > until
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
                said = ", ".join(one.phrase_id for one in new) or "nothing"
                why = f"the call was over ({self._phone.reason})" if over else "not in time"
                return f"{why}; {said} was said instead"
            await asyncio.sleep(_LOOK_SECONDS)

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


def shown(steps: tuple[Step, ...], place: int) -> str:
    """A step in words; keys that may belong to a card are masked, and so is their number."""
    step = steps[place]
    match step:
        case Hears():
            return f"hears {step.phrase}" + (f" in {step.language}" if step.language else "")
        case Presses():
            digits = sum(key.isdigit() for key in step.keys)
            secret = digits > LONGEST_SHOWN or _in_card(steps[:place])
            return f"presses {MASK if secret else step.keys}"
        case Waits():
            return f"waits {step.seconds:g} s"
        case HangsUp():
            return "hangs up"


def _in_card(before: tuple[Step, ...]) -> bool:
    """Whether the last phrase that opens or closes the card's part of the call opened it."""
    for step in reversed(before):
        if isinstance(step, Presses) and _CARD_NUMBER.search(step.keys):
            return True  # expiry and security code follow
        if isinstance(step, Hears):
            if step.phrase.startswith(_CARD_CLOSES):
                return False
            if step.phrase.startswith((*_CARD_OPENS, "error_", "field_cleared")):
                return True
    return False


def key_to_prompt_ms(presses: list[Press], heard: list[Heard]) -> list[float]:
    """From the end of each press to the phrase that followed before the next press.

    A press is not counted when the answer began before its last key was up: an earlier key had
    completed the entry.
    """
    latencies = []
    next_begins = [*(press.began for press in presses[1:]), float("inf")]
    for press, next_began in zip(presses, next_begins, strict=False):
        for one in heard:
            began = one.at if one.opened is None else one.opened
            if press.began < began < next_began:
                if one.opened is not None and began > press.ended:
                    latencies.append(round((began - press.ended) * 1000, 1))
                break
    return latencies


def after_keys(
    silences: list[tuple[float, float]], presses: list[Press]
) -> list[tuple[float, float]]:
    """What is left of the silences after the last key pressed in each, where that is too long."""
    left = []
    for at, seconds in silences:
        keyed = [press.ended for press in presses if at <= press.ended <= at + seconds]
        if keyed and at + seconds - max(keyed) > DEAD_AIR_SECONDS:
            left.append((max(keyed), at + seconds - max(keyed)))
    return left


def _is(one: Heard, step: Hears) -> bool:
    return is_variant(one.phrase_id, step.phrase) and step.language in (None, one.language)


def _percentile(ordered: list[float], part: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None


def _address(lab: LabPlaces, to: str) -> str:
    if to == "pay":
        return lab.pay
    return to if to.startswith("sip:") else f"sip:{to}@{lab.sip}"


def _phrasebook(lab: LabPlaces) -> Phrasebook:
    loaded = settings.load(Path(lab.config))
    return load_phrasebook(loaded.speech.prompts, Path(lab.sounds), loaded.company.name)


@cache
def load_phrasebook(prompts: Path, sounds: Path, company: str) -> Phrasebook:
    """The phrases of these prompts by their built sounds; read once. Raises LabError."""
    try:
        return Phrasebook.load(Catalogue.load(prompts, company), sounds)
    except SpeechError as error:
        raise LabError(str(error)) from None


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
