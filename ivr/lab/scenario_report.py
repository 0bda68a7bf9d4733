"""How a simulated call went: its steps in words, and how quickly it was answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ivr.lab.hearing import DEAD_AIR_SECONDS, Heard
from ivr.lab.phone import Press, Said
from ivr.lab.scenario_file import HangsUp, Hears, HearsWords, Presses, Says, Step, Waits
from ivr.lab.transcript import Line

MASK = "••••"
LONGEST_SHOWN = 8
"""digits; a longer entry may be a card number and is shown as MASK"""
_CARD_NUMBER = re.compile(r"\d{12}")
_CARD_OPENS = (
    *("secure_start", "ask_card_number", "ask_expiry", "ask_security_code"),
    *("say_card_number", "say_expiry", "say_security_code", "say_card_postal_code"),
)
_CARD_CLOSES = (
    *("confirm_charge", "card_left", "charging", "declined", "card_not_available"),
    *("card_not_taken", "way_not_taken", "keep_card"),
)

Turn = Press | Said
"""something that the caller did"""


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
    transcript: list[Line] = field(default_factory=list)
    """the call in words, where they were asked for"""
    key_to_prompt_ms: list[float] = field(default_factory=list)
    speech_to_prompt_ms: list[float] = field(default_factory=list)
    """the same, from the end of the caller's words"""
    dead_air: list[tuple[float, float]] = field(default_factory=list)
    """second and length of each silence of more than two seconds after the caller's last key of a
    press, or last word: while they key, speak or think, it is their turn"""

    @property
    def passed(self) -> bool:
        return all(step.ok for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """What `saldo call --json` prints."""
        keyed, spoken = sorted(self.key_to_prompt_ms), sorted(self.speech_to_prompt_ms)
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
                "p50": _percentile(keyed, 0.5),
                "p99": _percentile(keyed, 0.99),
                "speech_to_prompt": self.speech_to_prompt_ms,
                "speech_p50": _percentile(spoken, 0.5),
            },
            "dead_air": [{"at": at, "seconds": seconds} for at, seconds in self.dead_air],
        }


def shown(steps: tuple[Step, ...], place: int) -> str:
    """A step in words; what may belong to a card is masked, and so is its length."""
    step = steps[place]
    match step:
        case Hears():
            return f"hears {step.phrase}" + (f" in {step.language}" if step.language else "")
        case HearsWords():
            return f"hears “{step.words}”"
        case Presses():
            digits = sum(key.isdigit() for key in step.keys)
            secret = digits > LONGEST_SHOWN or _in_card(steps[:place])
            return f"presses {MASK if secret else step.keys}"
        case Says():
            return f"says {MASK if _in_card(steps[:place]) else step.utterance}"
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


def to_prompt_ms(turns: Sequence[Turn], kind: type[Turn], heard: Sequence[Heard]) -> list[float]:
    """From the end of each turn of this kind to the phrase that followed before the next turn.

    A press is not counted when the answer began before its last key was up: an earlier key had
    completed the entry. Nor are words that were answered before they were over.
    """
    latencies = []
    next_begins = [*(turn.began for turn in turns[1:]), float("inf")]
    for turn, next_began in zip(turns, next_begins, strict=False):
        for one in heard:
            began = one.at if one.opened is None else one.opened
            if turn.began < began < next_began:
                if isinstance(turn, kind) and one.opened is not None and began > turn.ended:
                    latencies.append(round((began - turn.ended) * 1000, 1))
                break
    return latencies


def after_turns(
    silences: Sequence[tuple[float, float]], turns: Sequence[Turn]
) -> list[tuple[float, float]]:
    """What is left of the silences after the caller's last turn in each, where it is too long.

    A silence that the caller fills with the next turn is over when that begins.
    """
    left = []
    for at, seconds in silences:
        ended = [turn.ended for turn in turns if at <= turn.ended <= at + seconds]
        if not ended:
            continue
        since = max(ended)
        until = min((turn.began for turn in turns if turn.began >= since), default=at + seconds)
        silent = min(until, at + seconds) - since
        if silent > DEAD_AIR_SECONDS:
            left.append((since, silent))
    return left


def _percentile(ordered: list[float], part: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None
