"""Playing a scenario: steps, masks, latency, on a real telephone."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ivr.lab.hearing import Heard
from ivr.lab.packages import Tree
from ivr.lab.phone import Press
from ivr.lab.phrasebook import RATE
from ivr.lab.scenario import instead, play
from ivr.lab.scenario_file import (
    Scenario,
    ScenarioError,
    parse,
)
from ivr.lab.scenario_report import MASK, StepReport, shown, to_prompt_ms
from tests.lab.plain_pbx import PlainPbx
from tests.lab.test_scenario_file import steps

# --- reports


def test_keys_of_a_card_are_masked_and_others_are_not() -> None:
    scenario = parse(
        steps(
            "".join(
                f"  - {step}\n"
                for step in (
                    'press: "1042#"',
                    "hears: ask_card_number",
                    'press: "41111"',
                    "hears: ask_expiry",
                    'press: "1230"',
                    'press: "123"',
                    "hears: confirm_charge",
                    'press: "1"',
                    'press: "1049#28003#"',
                    'press: "2"',
                    'press: "4111111111111111#"',
                    'press: "1230"',
                )
            )
        ),
        "call.yaml",
    )
    said = [shown(scenario.steps, place) for place in range(len(scenario.steps))]
    pressed = [what.removeprefix("presses ") for what in said if what.startswith("presses")]
    assert pressed == ["1042#", MASK, MASK, MASK, "1", MASK, "2", MASK, MASK]


def test_latency_is_from_a_press_to_the_phrase_that_follows_it() -> None:
    presses = [
        Press(1.0, 2.0),
        Press(10.0, 11.0),
        Press(11.5, 12.0),
        Press(20.0, 21.0),
        Press(30.0, 31.0),
    ]
    heard = [
        Heard("welcome", "en", 0.5, 0.5),
        Heard("paid", "en", 3.0, 2.25),
        Heard("confirm_total", "en", 4.0, 4.0),
        Heard("service_back", "en", 13.0, None),
        Heard("goodbye", "en", 14.0, 14.0),
        Heard("goodbye", "en", 21.1, 21.1),
        Heard("owes_one", "en", 30.5, 30.5),
        Heard("paid", "en", 35.0, 35.0),
    ]
    assert to_prompt_ms(presses, Press, heard) == [250.0, 100.0]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "nothing was said instead"),
        (["welcome"], "welcome was said instead"),
        (["welcome", "paid"], "welcome, paid were said instead"),
    ],
)
def test_what_was_said_instead_is_told_in_english(said: list[str], told: str) -> None:
    assert instead(said) == told


# --- playing


@dataclass(frozen=True)
class Places:
    sip: str
    pay: str
    postgres: str
    recordings: str
    config: str
    sounds: str


@pytest.fixture(scope="module")
def pbx(tree: Tree, sounds: Path) -> Iterator[PlainPbx]:
    folder = Path(tempfile.mkdtemp(prefix="saldo-pbx-"))
    plan = f"""
exten => pay,1,Answer()
 same => n,Read(KEYS,{sounds}/en/ask_account_number-1,4,,1,5)
 same => n,Playback({sounds}/en/goodbye-1)
 same => n,Hangup()
exten => echo,1,Answer()
 same => n,Echo()
"""
    running = PlainPbx(folder, tree, plan)
    yield running
    running.stop()
    shutil.rmtree(folder)


@pytest.fixture
def places(pbx: PlainPbx, sounds: Path, tmp_path: Path) -> Places:
    (tmp_path / "saldo.toml").write_text("")
    config, recordings = str(tmp_path / "saldo.toml"), str(tmp_path / "recordings")
    uri = pbx.uri("pay")
    return Places(uri.partition("@")[2], uri, "", recordings, config, str(sounds))


def scenario(*written: str) -> Scenario:
    lines = "".join(f"  - {step}\n" for step in written)
    return parse(f'name: card 4111 call\nfrom: "+34600111222"\nsteps:\n{lines}', "call.yaml")


@pytest.mark.e2e
async def test_a_played_call_reports_its_steps_what_was_heard_and_how_quick_it_was(
    places: Places,
) -> None:
    seen: list[tuple[str, bool | None]] = []

    def watch(step: StepReport) -> None:
        seen.append((step.what, step.ok))

    report = await play(
        scenario("hears: ask_account_number", 'press: "1042"', "hears: goodbye"),
        places,
        watch=watch,
    )
    told: dict[str, Any] = json.loads(json.dumps(report.as_json()))
    assert told["passed"] is True
    assert [step["what"] for step in told["steps"]][1:] == [
        "hears ask_account_number",
        "presses 1042",
        "hears goodbye",
    ]
    assert [one["phrase"] for one in told["heard"]] == ["ask_account_number", "goodbye"]
    (latency,) = told["latency_ms"]["key_to_prompt"]
    assert told["latency_ms"]["p50"] == told["latency_ms"]["p99"] == latency
    assert 0 < latency < 2000
    recording = Path(told["recording"])
    assert recording.parent == Path(places.recordings)
    assert recording.name.startswith("card-call-")
    assert await asyncio.to_thread(lambda: recording.stat().st_size) > 8000
    assert seen[2:4] == [("hears ask_account_number", None), ("hears ask_account_number", True)]


@pytest.mark.e2e
async def test_a_phrase_that_does_not_come_fails_its_step_and_ends_the_call(
    places: Places,
) -> None:
    report = await play(
        scenario("hears: {phrase: paid, within: 1.5}", 'press: "1042"', "hears: goodbye"), places
    )
    assert not report.passed
    assert [step.ok for step in report.steps] == [True, False, None, None]
    assert report.steps[1].why == "not in time; ask_account_number was said instead"


@pytest.mark.e2e
async def test_a_noisy_line_is_noisy_before_anything_is_said(pbx: PlainPbx, places: Places) -> None:
    talks = scenario("waits: 1.5", 'says: {words: "hello", noise_db: 20}', "hangs_up")
    report = await play(talks, places, to=pbx.uri("echo"))
    assert report.recording
    echoed = await asyncio.to_thread(Path(report.recording).read_bytes)
    before = np.frombuffer(echoed, "<i2")[RATE // 2 : RATE].astype(np.float64)
    assert 50 < np.sqrt(np.mean(before**2)) < 500


@pytest.mark.e2e
async def test_strict_lets_nothing_be_said_before(places: Places) -> None:
    report = await play(scenario("hears: {phrase: goodbye, strict: true}"), places)
    assert report.steps[1].why == "ask_account_number was said before it"


@pytest.mark.e2e
async def test_a_call_nobody_answers_fails_its_first_step(places: Places) -> None:
    report = await play(scenario("hears: goodbye"), places, to="nobody")
    assert [step.ok for step in report.steps] == [False, None]
    assert "404" in report.steps[0].why
    assert report.recording is None


async def test_a_phrase_that_does_not_exist_is_refused_before_the_call(places: Places) -> None:
    with pytest.raises(ScenarioError, match="no phrase 'welcom'"):
        await play(scenario("hears: welcom"), places)
