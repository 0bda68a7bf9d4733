"""Scenario files: read as written, and every mistake named with its line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ivr.lab.dialpad import KeyWay
from ivr.lab.phrasebook import Phrasebook
from ivr.lab.scenario_file import (
    Expected,
    ExpectedPayment,
    HangsUp,
    Hears,
    HearsWords,
    Presses,
    Says,
    Scenario,
    ScenarioError,
    Waits,
    load,
    parse,
)
from ivr.lab.speaking import Utterance
from ivr.settings import PROJECT

FILES = sorted((PROJECT / "tests/scenarios").rglob("*.yaml"))


def steps(text: str) -> str:
    return f"name: a call\nsteps:\n{text}"


def complaint(text: str) -> str:
    with pytest.raises(ScenarioError) as error:
        parse(text, "call.yaml")
    return str(error.value)


# --- files


def test_a_scenario_is_read_as_it_is_written() -> None:
    scenario = parse(
        """
name: pays one invoice by card
from: "+34600111222"
to: pay
headers: {X-Saldo-Account: "1042"}
keys: inband
steps:
  - hears: ask_card_number.attempt2
  - hears: {phrase: error.invalid-date, within: 2.5, strict: true, language: es}
  - press: "0330"
  - press: {keys: "12*#", gap: 0.5}
  - says: yes
  - says: {words: "james smith", voice: en-gb+f2, rate: 170, noise_db: 20}
  - says: {words: "robert hill", hushes: true}
  - says: {noise: music, seconds: 12}
  - hears: {words: "thank you", within: 5, language: en}
  - waits: 2.5
  - hangs_up
expect:
  ending: paid
  payments: [{amount: "42.50", currency: EUR, last4: "0011", status: captured}]
  invoices: {"F-2026-0007": paid}
  webhooks: [invoice.paid]
  texts: []
  mails: [receipt]
""",
        "call.yaml",
    )
    assert scenario == Scenario(
        name="pays one invoice by card",
        caller="+34600111222",
        to="pay",
        headers=(("X-Saldo-Account", "1042"),),
        keys=KeyWay.INBAND,
        steps=(
            Hears("ask_card_number_attempt2"),
            Hears("error_invalid_date", 2.5, strict=True, language="es"),
            Presses("0330"),
            Presses("12*#", 0.5),
            Says(Utterance("yes")),
            Says(Utterance("james smith", "en+f2", 170, 20.0)),
            Says(Utterance("robert hill"), hushes=True),
            Says(Utterance(noise="music", seconds=12.0)),
            HearsWords("thank you", 5.0, "en"),
            Waits(2.5),
            HangsUp(),
        ),
        expect=Expected(
            ending="paid",
            payments=(ExpectedPayment(Decimal("42.50"), "EUR", "0011", "captured"),),
            invoices=(("F-2026-0007", "paid"),),
            webhooks=("invoice.paid",),
            texts=(),
            mails=("receipt",),
        ),
    )


def test_keys_travel_beside_the_voice_unless_a_file_says_otherwise() -> None:
    assert parse("name: x\nsteps: []\n", "call.yaml").keys is KeyWay.RFC4733


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_scenario_of_ours_is_well_written(file: Path, phrasebook: Phrasebook) -> None:
    scenario = load(file)
    assert scenario.expect.ending is not None
    heard = [step.phrase for step in scenario.steps if isinstance(step, Hears)]
    assert [phrase for phrase in heard if phrase not in phrasebook] == []


def test_each_scenario_that_pays_has_invoices_of_its_own() -> None:
    paid = [
        number for file in FILES for number, state in load(file).expect.invoices if state == "paid"
    ]
    assert len(paid) == len(set(paid)) >= 10


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: x\nsteps: []\ncolour: red\n", "call.yaml, line 3: 'colour' is not known here"),
        (
            "name: x\nkeys: pulse\nsteps: []\n",
            "'pulse' is not known here; use rfc4733, info, inband",
        ),
        (steps("  - dances: 1\n"), "line 3: 'dances' is not known here"),
        (steps("  - press: 1\n    waits: 2\n"), "line 3: a step is one of"),
        (steps("  - hears: {phrase: paid, soon: 1}\n"), "line 3: 'soon' is not known here"),
        (steps("  - hears: {within: 3}\n"), "line 3: 'phrase' is missing"),
        (steps("  - waits: long\n"), "line 3: write seconds here"),
        (steps("  - waits: -1\n"), "line 3: write seconds here"),
        (steps("  - waits: .nan\n"), "line 3: write seconds here"),
        (steps("  - hears: {phrase: paid, strict: maybe}\n"), "write true or false"),
        (steps('  - says: "..."\n'), "line 3: write words here"),
        (steps("  - says: {voice: es}\n"), "line 3: write either 'words' or 'noise'"),
        (steps("  - says: {words: a, noise: cough}\n"), "write either 'words' or 'noise'"),
        (steps("  - says: {words: a, voice: xx}\n"), "line 3: espeak-ng has no voice 'xx'"),
        (steps("  - says: {words: a, voice: en+f99}\n"), "espeak-ng has no voice 'en+f99'"),
        (steps("  - says: {words: a, rate: 20}\n"), "line 3: write a number here, 80 to 400"),
        (steps("  - says: {words: a, noise_db: .nan}\n"), "write a number here, -10 to 60"),
        (steps("  - says: {words: a, seconds: 3}\n"), "'seconds' goes with 'noise' alone"),
        (steps("  - says: {noise: cough, voice: es}\n"), "'voice' goes with 'words' alone"),
        (steps("  - says: {noise: cough, hushes: true}\n"), "'hushes' goes with 'words' alone"),
        (steps("  - says: {words: a, hushes: 1}\n"), "line 3: write true or false here"),
        (steps("  - says: {noise: sneeze}\n"), "'sneeze' is not known here; use cough"),
        (steps("  - says: {noise: music, seconds: 0}\n"), "write a number here, 0.1 to 120"),
        (steps("  - says: {words: a, colour: red}\n"), "'colour' is not known here"),
        (steps("  - hears: {words: a, phrase: paid}\n"), "'phrase' does not go with 'words'"),
        (steps("  - hears: {words: '?'}\n"), "line 3: write words here"),
        ("steps: []\n", "line 1: 'name' is missing"),
        ("name: x\nname: y\nsteps: []\n", "line 2: 'name' is written twice"),
        ("name: x\nsteps: 3\n", "line 2: write a list here"),
        ("name: [x\n", "line 2: this is not YAML"),
        ("", "is empty"),
        ("- a\n", "line 1: write keys here"),
        ('name: x\nfrom: "<a@b>"\nsteps: []\n', "line 2: write a number"),
        ('name: x\nheaders: {X-A: "1\\n2"}\nsteps: []\n', "line 2: this cannot be a SIP header"),
        ("name: x\nsteps: []\nexpect: {ending: rich}\n", "line 3: 'rich' is not known here"),
        ("name: x\nsteps: []\nexpect: {invoices: {A: lost}}\n", "'lost' is not known here"),
        ("name: x\nsteps: []\nexpect: {payments: [{amount: much}]}\n", "write an amount"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_line(text: str, says: str) -> None:
    assert says in complaint(text)


def test_a_mistyped_key_is_not_repeated_in_the_complaint() -> None:
    said = complaint(steps('  - press: "4111 1111 1111 1111"\n'))
    assert "line 3: write keys 0-9" in said
    assert "4111" not in said


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(tmp_path / "none.yaml")
