"""What `saldo serve` does with records and chores that fail: no caller pays for it."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from ivr import app
from ivr.answering import Calls
from ivr.billing.errors import BillingError, LedgerUnavailable
from ivr.hearing import Hearing
from ivr.metrics import Metrics
from ivr.speech.catalogue import Catalogue
from ivr.speech.tts import Tts
from ivr.speech.voice import Voice
from ivr.storage.calls import PostgresCalls
from ivr.storage.errors import MigrationError, QueryRefused
from ivr.storage.pool import Database
from tests.dialogue.company import Company
from tests.dialogue.conversation import KNOWN, a_desk
from tests.fakes.line import FakeLine
from tests.fakes.virtual_time import VirtualTimeLoop
from tests.fakes.voice import PROMPTS, FakeVoice


class Refusing:
    """Records in a database without our tables."""

    async def arrived(self, call: object) -> None:
        raise QueryRefused("the database lacks a table or column (call_arrived)")

    async def ended(self, call_id: str, ended: object) -> None:
        raise QueryRefused("the database lacks a table or column (call_ended)")


def in_virtual_time(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work)


def test_records_that_are_refused_do_not_cost_the_caller_the_call() -> None:
    async def call() -> None:
        line = FakeLine(KNOWN)
        calls = Calls(
            cast("PostgresCalls", Refusing()),
            cast("Any", FakeVoice()),
            a_desk(Company(), set()),
            Metrics(),
            Hearing(None),
            language="en",
            limit_seconds=600,
        )
        with capture_logs() as logs:
            await calls.take_call(cast("Any", line))
        await line.quiet()
        assert line.phrases[-2:] == ["nothing_owed", "goodbye"]
        assert [one["what"] for one in logs if one["event"] == "call_record_lost"] == [
            "opened",
            "closed",
        ]

    in_virtual_time(call())


class Chores:
    """Stands for the database: what each round of the sweep meets, and what it did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *troubles: BillingError | None) -> None:
        self.troubles = list(troubles)
        self.done: list[str] = []
        monkeypatch.setattr(app, "migrate", self._migrate)
        monkeypatch.setattr(PostgresCalls, "abandoned", self._calls)

    async def _migrate(self, _database: object) -> None:
        self._meet("migrate")

    async def _calls(self, older_than_seconds: float) -> list[str]:
        self._meet(f"calls {older_than_seconds:g}")
        return []

    def _meet(self, what: str) -> None:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble:
            raise trouble
        self.done.append(what)

    def sweep(self, seconds: float) -> None:
        async def sweep() -> None:
            async with asyncio.timeout(seconds):
                await app._sweep(cast("Database", None), asyncio.Event(), 1800)

        in_virtual_time(sweep())


@pytest.mark.parametrize("trouble", [LedgerUnavailable("away"), QueryRefused("not allowed")])
def test_a_chore_that_fails_is_done_later_and_ends_no_call(
    monkeypatch: pytest.MonkeyPatch, trouble: BillingError
) -> None:
    chores = Chores(monkeypatch, None, trouble)
    with pytest.raises(TimeoutError):
        chores.sweep(app.SWEEP_SECONDS * 1.5)
    assert chores.done == ["migrate", "calls 2200"]


def test_a_database_that_is_not_there_yet_gets_its_tables_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chores = Chores(monkeypatch, LedgerUnavailable("not there yet"))
    with pytest.raises(TimeoutError):
        chores.sweep(app.SWEEP_SECONDS * 1.5)
    assert chores.done[0] == "migrate"


def test_tables_of_a_newer_program_end_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    chores = Chores(monkeypatch, MigrationError("install the newer program"))
    with pytest.raises(MigrationError):
        chores.sweep(1.0)


def test_a_daemon_without_its_sounds_says_so(tmp_path: Path) -> None:
    voice = Voice(Catalogue.load(PROMPTS, "Saldo Telecom"), tmp_path, cast("Tts", None))
    with capture_logs() as logs:
        app._look_for_sounds(voice)
    assert [line["event"] for line in logs] == ["sounds_missing"]
    for _, segment in voice.all_segments():
        segment.ulaw.parent.mkdir(parents=True, exist_ok=True)
        segment.ulaw.touch()
    with capture_logs() as logs:
        app._look_for_sounds(voice)
    assert logs == []
