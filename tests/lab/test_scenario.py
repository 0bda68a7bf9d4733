"""Scenario files, what is expected of a call, and playing one."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ivr.lab import expecting
from ivr.lab.errors import LabError
from ivr.lab.expecting import Left, Payment, compare
from ivr.lab.hearing import Heard
from ivr.lab.packages import Tree
from ivr.lab.phone import Press
from ivr.lab.phrasebook import Phrasebook
from ivr.lab.scenario import MASK, StepReport, key_to_prompt_ms, play, shown
from ivr.lab.scenario_file import (
    Expected,
    ExpectedPayment,
    HangsUp,
    Hears,
    Presses,
    Scenario,
    ScenarioError,
    Waits,
    load,
    parse,
)
from ivr.settings import PROJECT
from tests.lab.plain_pbx import PlainPbx

FILES = sorted((PROJECT / "tests/scenarios").glob("*.yaml"))


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
steps:
  - hears: ask_card_number.attempt2
  - hears: {phrase: error.invalid-date, within: 2.5, strict: true, language: es}
  - press: "0330"
  - press: {keys: "12*#", gap: 0.5}
  - waits: 2.5
  - hangs_up
expect:
  ending: paid
  payments: [{amount: "42.50", currency: EUR, last4: "0011", status: captured}]
  invoices: {"F-2026-0007": paid}
  webhooks: [invoice.paid]
  texts: []
""",
        "call.yaml",
    )
    assert scenario == Scenario(
        name="pays one invoice by card",
        caller="+34600111222",
        to="pay",
        headers=(("X-Saldo-Account", "1042"),),
        steps=(
            Hears("ask_card_number_attempt2"),
            Hears("error_invalid_date", 2.5, strict=True, language="es"),
            Presses("0330"),
            Presses("12*#", 0.5),
            Waits(2.5),
            HangsUp(),
        ),
        expect=Expected(
            ending="paid",
            payments=(ExpectedPayment(Decimal("42.50"), "EUR", "0011", "captured"),),
            invoices=(("F-2026-0007", "paid"),),
            webhooks=("invoice.paid",),
            texts=(),
        ),
    )


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
        (steps("  - dances: 1\n"), "line 3: 'dances' is not known here"),
        (steps("  - press: 1\n    waits: 2\n"), "line 3: a step is one of"),
        (steps("  - hears: {phrase: paid, soon: 1}\n"), "line 3: 'soon' is not known here"),
        (steps("  - hears: {within: 3}\n"), "line 3: 'phrase' is missing"),
        (steps("  - waits: long\n"), "line 3: write seconds here"),
        (steps("  - waits: -1\n"), "line 3: write seconds here"),
        (steps("  - waits: .nan\n"), "line 3: write seconds here"),
        (steps("  - hears: {phrase: paid, strict: maybe}\n"), "write true or false"),
        (steps('  - says: "yes"\n'), "line 3: `says` needs speech recognition"),
        (steps('  - hears: {words: "thank you"}\n'), "line 3: `words` needs speech recognition"),
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
    assert key_to_prompt_ms(presses, heard) == [250.0, 100.0]


# --- expectations

LEFT = Left(
    found=True,
    settled=True,
    ending="paid",
    payments=(Payment(Decimal("42.500"), "EUR", "1111", "captured"),),
    invoices={"A": "paid", "B": "unpaid"},
    webhooks=("payment.captured", "invoice.paid", "invoice.paid"),
    texts=("receipt",),
)


def whys(expected: Expected, left: Left = LEFT) -> list[str]:
    return [finding.why for finding in compare(expected, left)]


def test_what_is_as_expected_has_no_reason_to_fail() -> None:
    payment = ExpectedPayment(Decimal("42.5"), "EUR", "1111", "captured")
    expected = Expected("paid", (payment,), (("A", "paid"), ("B", "unpaid")), ("invoice.paid",) * 2)
    assert whys(expected) == ["", "", "", "", ""]


def test_what_was_not_named_is_not_looked_at() -> None:
    assert whys(Expected()) == []
    assert whys(Expected(payments=(ExpectedPayment(last4="1111"),))) == [""]


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        (Expected(ending="agent"), "it is paid"),
        (Expected(payments=()), "there are: 42.5 EUR …1111 captured"),
        (Expected(payments=(ExpectedPayment(), ExpectedPayment())), "there are: 42.5"),
        (Expected(payments=(ExpectedPayment(last4="4444"),)), "there are: 42.5"),
        (Expected(invoices=(("A", "unpaid"),)), "it is paid"),
        (Expected(invoices=(("C", "paid"),)), "there is no such invoice"),
        (Expected(webhooks=("invoice.paid",)), "there are: payment.captured, invoice.paid"),
        (Expected(webhooks=("service.reactivated",)), "there are: payment.captured"),
        (Expected(texts=()), "there are: receipt"),
        (Expected(texts=("receipt", "receipt")), "there are: receipt"),
    ],
)
def test_what_is_not_as_expected_says_what_there_is(expected: Expected, why: str) -> None:
    (said,) = whys(expected)
    assert said.startswith(why)


def test_a_call_without_a_record_is_said_once() -> None:
    unknown = Left(False, False, None, (), {}, (), ())
    assert len(whys(Expected(ending="paid", texts=()), unknown)) == 1


@pytest.fixture
async def rows(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


ROWS = """
INSERT INTO customers (external_id, account_number, kind, name, language, postal_code)
    VALUES ('C1', '1042', 'person', 'James Smith', 'en', '28013');
INSERT INTO services (external_id, customer_id, label, status)
    SELECT 'S1', id, 'mobile', 'active' FROM customers;
INSERT INTO invoices (number, service_id, amount, currency, paid, due_date)
    SELECT 'F-1', id, 42.5, 'EUR', 42.5, '2026-01-01' FROM services;
INSERT INTO invoices (number, service_id, amount, currency, paid, due_date)
    SELECT 'F-2', id, 42.5, 'EUR', 1, '2026-01-01' FROM services;
INSERT INTO calls (id, channel_id, sip_call_id, dialled, node, arrived_at)
    VALUES ('call-1', 'channel-1', 'sip-1', 'pay', 'node', now());
INSERT INTO attempts (id, order_id, customer_id, call_id, amount, currency, state, last4,
                      transaction_id, confirmation)
    SELECT ('00000000-0000-4000-8000-00000000000' || turn)::uuid, 'order-' || turn, customers.id,
           'call-1', 42.5, 'EUR', state, '1111', 'transaction', '12345678'
    FROM customers, (VALUES (1, 'canceled'), (2, 'declined'), (3, 'captured')) AS one (turn, state);
INSERT INTO events (topic, kind, attempt_id, payload)
    VALUES ('webhook', 'invoice.paid', '00000000-0000-4000-8000-000000000003', '{}');
INSERT INTO events (topic, kind, call_id, payload) VALUES ('text', 'receipt', 'call-1', '{}');
"""


async def test_the_database_is_looked_at_until_the_record_is_closed(
    database_url: str, rows: asyncpg.Connection[asyncpg.Record]
) -> None:
    await rows.execute(ROWS)
    declined = ExpectedPayment(Decimal("42.50"), "EUR", "1111", "declined")
    captured = ExpectedPayment(Decimal("42.50"), "EUR", "1111", "captured")
    invoices = (("F-1", "paid"), ("F-2", "unpaid"))
    expected = Expected("paid", (declined, captured), invoices, ("invoice.paid",), ("receipt",))
    looking = asyncio.create_task(expecting.look(database_url, "sip-1", expected))
    await asyncio.sleep(0.5)
    assert not looking.done()
    await rows.execute("UPDATE calls SET outcome = 'paid', ended_at = now()")
    findings = await asyncio.wait_for(looking, 5)
    assert [finding.why for finding in findings] == [""] * 6


async def test_a_database_that_is_away_is_a_clear_error() -> None:
    with pytest.raises(LabError, match="saldo lab status"):
        await expecting.look("postgresql://127.0.0.1:1/none", "sip-1", Expected(ending="paid"))


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
