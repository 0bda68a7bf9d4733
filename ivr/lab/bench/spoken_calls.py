"""From the end of a caller's words to the next prompt, in real calls.

Answers are timed by the caller's own telephone. After a name the prompt opens with that name, which
the telephone cannot know: there the daemon's log tells how long after the last word it was made
out, and the call's trail, to a tenth of a second, when the next prompt began.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ivr.lab.bench.figures import Figure, at_least, at_most, milliseconds, share, silences
from ivr.lab.lab import Lab
from ivr.lab.scenario import play
from ivr.lab.scenario_file import parse
from ivr.lab.scenario_report import Report
from ivr.storage.calls import PostgresCalls
from ivr.storage.pool import Database

SCRIPT = Path(__file__).parent / "spoken_call.yaml"
VOICES = ("en-us+f2", "en-us+m3", "en-gb+f2", "en-us+m1")
APART_SECONDS = 3.0
P50_MS = 400.0
_NAME_HEARD = re.compile(r"^([\d.]+) heard name$")
_STEP = re.compile(r"^([\d.]+) say ")


async def measure(lab: Lab, calls: int) -> tuple[list[Figure], list[dict[str, object]]]:
    """Figures of so many calls, one every APART_SECONDS, and what went wrong.

    Raises LabError, LedgerUnavailable.
    """
    log = Path(lab.config).with_name("serve.log")
    begin = log.stat().st_size

    async def one(place: int) -> Report:
        await asyncio.sleep(place * APART_SECONDS)
        text = SCRIPT.read_text(encoding="utf-8").replace("VOICE", VOICES[place % len(VOICES)])
        return await play(parse(text, SCRIPT.name), lab)

    reports = await asyncio.gather(*(one(place) for place in range(calls)))
    delays = delays_of(log.read_bytes()[begin:].decode(errors="replace").splitlines())
    trails = await _trails(lab, reports)
    answers = [ms / 1000 for report in reports for ms in report.speech_to_prompt_ms]
    names = list(after_names(trails, delays))
    decided = [seconds for heard in delays.values() for kind, seconds in heard if kind != "name"]
    figures = [
        share("calls as written", sum(one.passed for one in reports), calls, at_least(1.0)),
        silences([one.dead_air for one in reports]),
        milliseconds("last word of an answer to the prompt", answers, 0.5, at_most(P50_MS)),
        milliseconds("last word of an answer to the prompt", answers, 0.99),
        milliseconds("last word of a name to the prompt", names, 0.5, at_most(P50_MS)),
        milliseconds("last word of a name to the prompt", names, 0.99),
        milliseconds("of that, an answer made out", decided, 0.5),
        milliseconds("of that, a name made out", _of_names(delays), 0.5),
    ]
    return figures, [_fault(one) for one in reports if not one.passed]


def delays_of(lines: Iterable[str]) -> dict[str, list[tuple[str, float]]]:
    """What was heard in each call, and how many seconds after its end, from a daemon's log."""
    found: dict[str, list[tuple[str, float]]] = {}
    for line in lines:
        if '"speech_over"' not in line:
            continue
        event = json.loads(line)
        heard = (str(event["heard"]), float(event["delay_ms"]) / 1000)
        found.setdefault(str(event.get("call", "")), []).append(heard)
    return found


def after_names(
    trails: dict[str, Sequence[str]], delays: dict[str, list[tuple[str, float]]]
) -> Iterable[float]:
    """Seconds from the last word of each name to the next prompt."""
    for call, trail in trails.items():
        made_out = [seconds for kind, seconds in delays.get(call, ()) if kind == "name"]
        for seconds, then in zip(made_out, _to_the_prompt(trail), strict=False):
            yield seconds + then


def _to_the_prompt(trail: Sequence[str]) -> Iterable[float]:
    heard: float | None = None
    for step in trail:
        if name := _NAME_HEARD.match(step):
            heard = float(name[1])
        elif heard is not None and (said := _STEP.match(step)):
            yield float(said[1]) - heard
            heard = None


def _of_names(delays: dict[str, list[tuple[str, float]]]) -> list[float]:
    return [seconds for heard in delays.values() for kind, seconds in heard if kind == "name"]


async def _trails(lab: Lab, reports: Sequence[Report]) -> dict[str, Sequence[str]]:
    database = await Database.open(lab.postgres, size=1, application="saldo-bench")
    found: dict[str, Sequence[str]] = {}
    try:
        for report in reports:
            if report.sip_call_id is None:
                continue
            for call in (
                await PostgresCalls(database).recent(sip_call_id=report.sip_call_id)
            ).items:
                if call.ended is not None:
                    found[call.arrived.id] = call.ended.trail
    finally:
        await database.close()
    return found


def _fault(report: Report) -> dict[str, object]:
    failed = [f"{step.what}: {step.why}" for step in report.steps if step.ok is False]
    return {"failed": failed, "heard": [phrase for _, phrase, _ in report.heard]}
