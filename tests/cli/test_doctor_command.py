"""`saldo doctor` as it is typed: what it prints, and its exit status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any, Self

import pytest
from aiohttp import web

from ivr.capture.doctor import checkup
from ivr.capture.doctor.finding import Check, Finding, Problem, slight, unseen
from ivr.settings import PROJECT, Settings
from tests.cli.terminal import NOBODY, Typed

OURS = str(PROJECT / "asterisk-config")
ANSWERS: dict[str, Any] = {
    "/ari/asterisk/info": {"system": {"version": "22.10.1+dfsg"}},
    "/ari/asterisk/logging": [{"channel": "/log/messages.log", "configuration": "NOTICE ERROR "}],
    "/ari/applications": [],
    "/ari/asterisk/modules": [
        {"name": f"{name}.so", "status": "Running"}
        for name in ("res_ari_events", "res_ari_channels", "app_stasis", "chan_pjsip")
    ],
    "/ari/endpoints": [
        {"technology": "PJSIP", "resource": "trunk", "state": "online"},
        {"technology": "PJSIP", "resource": "anna", "state": "offline"},
        {"technology": "Local", "resource": "x", "state": "unknown"},
    ],
}
SIP = "/ari/asterisk/config/dynamic/res_pjsip"
LOG = [{"channel": "/log/messages.log", "configuration": "NOTICE VERBOSE "}]
CHECK = Check("thing", "it matters", "change it")


class FakePbx:
    """Answers what the doctor asks of ARI, in a thread of its own."""

    def __init__(self) -> None:
        self.answers = dict(ANSWERS)
        self.trunk(contact="sip:sbc.example:5060", qualify_frequency="60")
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    def trunk(self, **settings: str) -> None:
        """A trunk with these settings of its address; anna is a phone that logs in."""
        aor = [{"attribute": key, "value": value} for key, value in settings.items()]
        self.answers[f"{SIP}/aor/trunk"] = aor
        self.answers[f"{SIP}/endpoint/trunk"] = [{"attribute": "aors", "value": "trunk"}]
        self.answers[f"{SIP}/endpoint/anna"] = [{"attribute": "aors", "value": "anna"}]

    async def _answer(self, request: web.Request) -> web.Response:
        found = self.answers.get(request.path)
        return web.json_response(found, status=200 if found is not None else 404)


@pytest.fixture
def pbx() -> Iterator[FakePbx]:
    with FakePbx() as fake:
        yield fake


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkup, "USUAL_FOLDER", tmp_path / "etc-asterisk")
    monkeypatch.setattr(checkup, "_machine", list)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, typed: Typed) -> Typed:
    """A terminal where nothing that is asked answers; `typed` cleans the environment first."""
    monkeypatch.setenv("SALDO_ASTERISK__URL", f"http://{NOBODY}")
    monkeypatch.setenv("SALDO_ASTERISK__AMI_PORT", NOBODY.rpartition(":")[2])
    monkeypatch.setenv("SALDO_DATABASE__URL", f"postgresql://saldo@{NOBODY}/saldo")
    return typed


def finding(findings: list[dict[str, str]], id_: str, grade: str) -> dict[str, str]:
    (one,) = [one for one in findings if (one["id"], one["grade"]) == (id_, grade)]
    return one


def test_what_is_away_is_unknown_and_the_rest_is_looked_at(away: Typed) -> None:
    ran = away("doctor", "--asterisk-config", OURS, "--json")
    report = json.loads(ran.out)
    findings = report["findings"]
    assert ran.status == 1  # nothing can be paid: the gateway has no keys
    assert "braintree.merchant_id" in finding(findings, "gateway", "fault")["found"]
    assert "did not answer" in finding(findings, "pbx", "unknown")["found"]
    assert "cannot be reached" in finding(findings, "manager", "unknown")["found"]
    assert "did not answer" in finding(findings, "database", "unknown")["found"]
    assert "keys" in finding(findings, "log-levels", "ok")["found"]
    assert report["counts"]["unknown"] == 3
    assert {one["id"] for one in findings}.isdisjoint({"version", "clock", "database-statements"})


def test_without_a_folder_the_configuration_is_unknown(away: Typed) -> None:
    findings = json.loads(away("doctor", "--json").out)["findings"]
    assert "not looked at" in finding(findings, "configuration", "unknown")["found"]
    assert "log-levels" not in {one["id"] for one in findings}


def test_a_folder_that_is_not_there_is_a_wrong_use(away: Typed) -> None:
    ran = away("doctor", "--asterisk-config", "nowhere")
    assert (ran.status, ran.out) == (2, "")
    assert "nowhere" in ran.complaint
    assert "asterisk.conf" in ran.complaint


def test_the_running_pbx_is_judged(
    away: Typed, pbx: FakePbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_ASTERISK__URL", pbx.url)
    findings = json.loads(away("doctor", "--json").out)["findings"]
    for id_ in ("pbx", "version", "running-logs", "subscribers", "running-modules", "modules"):
        finding(findings, id_, "ok")
    for id_ in ("trunk", "running-verbose"):
        finding(findings, id_, "ok")


@pytest.mark.parametrize(
    ("path", "answer", "id_"),
    [
        ("/ari/asterisk/info", {"system": {"version": "22.9.0"}}, "version"),
        (
            "/ari/asterisk/logging",
            [{"channel": "x", "configuration": "NOTICE DTMF "}],
            "running-logs",
        ),
        (
            "/ari/applications",
            [{"name": "spy", "channel_ids": ["__AST_CHANNEL_ALL_TOPIC"], "endpoint_ids": []}],
            "subscribers",
        ),
        (
            "/ari/asterisk/modules",
            [*ANSWERS["/ari/asterisk/modules"], {"name": "res_hep.so", "status": "Running"}],
            "modules",
        ),
        (
            "/ari/asterisk/modules",
            [{"name": "app_stasis.so", "status": "Not Running"}],
            "running-modules",
        ),
        (
            "/ari/endpoints",
            [{"technology": "PJSIP", "resource": "trunk", "state": "offline"}],
            "trunk",
        ),
    ],
)
def test_a_fault_of_the_running_pbx_is_found(
    away: Typed,
    pbx: FakePbx,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    answer: object,
    id_: str,
) -> None:
    monkeypatch.setenv("SALDO_ASTERISK__URL", pbx.url)
    pbx.answers[path] = answer
    findings = json.loads(away("doctor", "--json").out)["findings"]
    assert (id_, "fault") in {(one["id"], one["grade"]) for one in findings}


@pytest.mark.parametrize(
    "settings", [{"contact": "sip:sbc.example", "qualify_frequency": "0"}, {"contact": ""}, {}]
)
def test_a_trunk_that_nobody_watches_is_never_taken_for_one_that_is_there(
    away: Typed, pbx: FakePbx, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    monkeypatch.setenv("SALDO_ASTERISK__URL", pbx.url)
    pbx.trunk(**settings)
    findings = json.loads(away("doctor", "--json").out)["findings"]
    assert "not known" in finding(findings, "trunk", "warning")["found"]


def test_a_running_log_that_would_take_what_is_typed_is_found(
    away: Typed, pbx: FakePbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_ASTERISK__URL", pbx.url)
    pbx.answers["/ari/asterisk/logging"] = LOG
    findings = json.loads(away("doctor", "--json").out)["findings"]
    assert "messages.log" in finding(findings, "running-verbose", "warning")["found"]


def test_telephone_orders_are_never_taken_for_allowed(
    away: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = json.loads(away("doctor", "--json").out)["findings"]
    finding(findings, "gateway-moto", "warning")
    monkeypatch.setenv("SALDO_BRAINTREE__ENVIRONMENT", "production")
    findings = json.loads(away("doctor", "--json").out)["findings"]
    assert "did not answer" in finding(findings, "gateway-moto", "unknown")["found"]


@pytest.mark.parametrize(
    ("paid", "grade", "said"),
    [
        (None, "unknown", "no card has been"),
        (datetime(2026, 11, 5, tzinfo=UTC), "ok", "2026-11-05"),
    ],
)
def test_telephone_orders_are_shown_by_a_payment(
    away: Typed,
    monkeypatch: pytest.MonkeyPatch,
    paid: datetime | None,
    grade: str,
    said: str,
) -> None:
    async def last_payment(_: object) -> datetime | None:
        return paid

    monkeypatch.setattr(checkup, "last_payment", last_payment)
    monkeypatch.setenv("SALDO_BRAINTREE__ENVIRONMENT", "production")
    findings = json.loads(away("doctor", "--json").out)["findings"]
    assert said in finding(findings, "gateway-moto", grade)["found"]


def test_a_model_that_is_not_there_is_a_fault(
    away: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SALDO_SPEECH__MODELS", json.dumps({"es": str(tmp_path / "gone")}))
    findings = json.loads(away("doctor", "--json").out)["findings"]
    assert "models.es" in finding(findings, "speech-models", "fault")["found"]


@pytest.mark.parametrize(
    ("problems", "status"),
    [
        ([], 0),
        ([slight("a little")], 0),
        ([slight("a little"), unseen("hidden")], 2),
        ([unseen("hidden"), Problem("broken")], 1),
    ],
)
def test_the_exit_status_tells_faults_and_what_could_not_be_looked_at(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, problems: list[Problem], status: int
) -> None:
    async def found(_: Settings, __: Path | None) -> list[Finding]:
        return CHECK.judge("fine", problems)

    monkeypatch.setattr("ivr.cli.doctor.examine", found)
    ran = typed("doctor")
    assert ran.status == status
    assert all(one.found in ran.out for one in problems)
    assert ("change it" in ran.out) == bool(problems)
