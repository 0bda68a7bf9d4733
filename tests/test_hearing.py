"""Which languages are understood, and what is wrong with a model, as the settings say it."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import structlog

from ivr import hearing
from ivr.billing.errors import LedgerUnavailable
from ivr.dialogue.hearing import Expecting
from ivr.hearing import Hearing
from ivr.settings import PROJECT, Settings, load
from ivr.speech.errors import GrammarError, ModelError
from ivr.speech.listening import Answer
from ivr.storage import sql
from ivr.storage.errors import QueryRefused
from ivr.storage.name_index import Indexed, any_names_left
from ivr.storage.pool import Database


def settings(**models: str) -> Settings:
    return Settings.model_validate({"speech": {"models": models}})


def test_without_a_model_everybody_is_asked_for_keys() -> None:
    """Although models are shipped: they understand synthetic voices only."""
    assert hearing.ears(settings()) is None
    assert hearing.ears(settings(en="", es="")) is None
    assert Hearing(None).of("1.1") is None


@pytest.mark.parametrize("folder", ["missing", "."])
def test_a_missing_or_broken_model_names_its_setting(tmp_path: Path, folder: str) -> None:
    with pytest.raises(ModelError, match=r"\[speech\] models\.en"):
        hearing.ears(settings(en=str(tmp_path / folder), es=""), shipped=tmp_path)


def test_slow_callers_are_given_time_by_a_setting() -> None:
    slow = Settings.model_validate({"speech": {"models": {"en": "shipped"}, "pauses": 1.5}})
    ears = hearing.ears(slow)
    assert ears is not None
    tongue = ears.tongue("en")
    assert tongue is not None
    usual, slower = (
        Answer(ears, each, "en", Expecting("yes_no"), dt.date(2026, 11, 25)).patience()
        for each in (replace(tongue, pauses=1.0), tongue)
    )
    assert slower.after_complete == pytest.approx(1.5 * usual.after_complete)
    assert slower.after_incomplete == pytest.approx(1.5 * usual.after_incomplete)
    ears.close()


def test_an_empty_folder_where_a_model_is_shipped_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "es").mkdir()
    with pytest.raises(ModelError, match=r"models\.es"):
        hearing.ears(settings(es="shipped"), shipped=tmp_path)


def test_a_model_is_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_SPEECH__MODELS__EN", "/models/en")
    monkeypatch.setenv("SALDO_SPEECH__MODELS__ES", "")
    assert load().speech.models == {"en": "/models/en", "es": ""}


def test_the_shipped_models_know_every_word_of_the_grammars() -> None:
    ears = hearing.ears(settings(en="shipped", es="shipped"))
    assert ears is not None
    assert all(ears.tongue(language) for language in ("en", "es"))
    ears.close()


def test_the_nicknames_of_the_project_are_read() -> None:
    assert "bill" in hearing.nicknames().of("william")
    assert (PROJECT / "grammars/nicknames/es.txt").is_file()


def test_a_broken_model_is_one_sentence_at_start_and_no_crash(tmp_path: Path) -> None:
    shutil.copytree(hearing.SHIPPED / "en", tmp_path / "en")
    graph = tmp_path / "en/graph/HCLr.fst"
    graph.write_bytes(graph.read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"\(\[speech\] models\.en\) is broken") as caught:
        hearing.ears(settings(en=str(tmp_path / "en")))
    assert "\n" not in str(caught.value)


def test_a_model_of_a_rate_that_asterisk_lacks_ends_the_start(tmp_path: Path) -> None:
    shutil.copytree(hearing.SHIPPED / "es", tmp_path / "es")
    (tmp_path / "es/conf/mfcc.conf").write_text("--sample-frequency=44100\n")
    with pytest.raises(ModelError, match=r"models\.es\) is made for 44100 samples a second"):
        hearing.ears(settings(es="shipped"), shipped=tmp_path)


def without_a_word(word: str, folder: Path) -> Path:
    """Our English model, which no longer knows that word."""
    shutil.copytree(hearing.SHIPPED / "en", folder)
    words = folder / "graph/words.txt"
    text = words.read_text(encoding="utf-8")
    assert f"\n{word} " in text
    words.write_text(text.replace(f"\n{word} ", f"\nnot-{word} "), encoding="utf-8")
    return folder


def test_a_word_that_our_own_model_lacks_ends_the_start(tmp_path: Path) -> None:
    without_a_word("yes", tmp_path / "en")
    with pytest.raises(GrammarError, match=r"en/.*\.jsgf: the speech model does not know yes\."):
        hearing.ears(settings(en="shipped"), shipped=tmp_path)


def test_a_word_that_a_public_model_lacks_is_logged_and_the_rest_works(tmp_path: Path) -> None:
    folder = without_a_word("yes", tmp_path / "en")
    with structlog.testing.capture_logs() as logs:
        ears = hearing.ears(settings(en=str(folder)))
    assert ears is not None
    ears.close()
    lacking = [line for line in logs if line["event"] == "words_not_heard"]
    assert {"grammar": "en/yes_no.jsgf", "words": ["yes"]}.items() <= lacking[-1].items()


@pytest.mark.parametrize("named", ["shipped", str(hearing.SHIPPED / "en")])
@pytest.mark.parametrize(
    ("environment", "warned"), [("production", True), ("sandbox", True), ("stand-in", False)]
)
def test_shipped_models_where_people_may_call_are_warned_of(
    named: str, environment: str, *, warned: bool
) -> None:
    configured = Settings.model_validate(
        {
            "braintree": {"environment": environment},
            "speech": {"models": {"en": named, "es": "/models/es"}},
        }
    )
    with structlog.testing.capture_logs() as logs:
        hearing.warn_of_synthetic_ears(configured)
    assert [line["language"] for line in logs] == ["en"] * warned
    assert all("synthetic voices only" in line["todo"] for line in logs)


async def test_names_go_on_being_indexed_after_the_database_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[int] = []
    again = asyncio.Event()

    async def left(_: object) -> bool:
        return True

    async def index(*_: object) -> Indexed:
        runs.append(len(runs))
        if len(runs) == 1:
            raise LedgerUnavailable("the database did not answer")
        if len(runs) == 2:
            raise QueryRefused("a mistake of ours")
        again.set()
        return Indexed(customers=1, names=1, words=2)

    monkeypatch.setattr(hearing, "any_names_left", left)
    monkeypatch.setattr(hearing, "index_names", index)
    monkeypatch.setattr(hearing, "LOOK_SECONDS", 0.001)
    migrated = asyncio.Event()
    database = cast("Database", None)
    task = asyncio.create_task(hearing.keep_names_findable(database, hearing.nicknames(), migrated))
    await asyncio.sleep(0.01)
    assert runs == []  # the tables are not there yet
    migrated.set()
    async with asyncio.timeout(5):
        await again.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def kept_findable(database: Database) -> AsyncIterator[None]:
    migrated = asyncio.Event()
    migrated.set()
    task = asyncio.create_task(hearing.keep_names_findable(database, hearing.nicknames(), migrated))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_indexed(database: Database) -> None:
    async with asyncio.timeout(30):
        while await any_names_left(database):  # noqa: ASYNC110 - Postgres is asked, not waited for
            await asyncio.sleep(0.01)


async def add_customers(database: Database, count: int) -> None:
    async with database.session() as session:
        await session.script(
            "customers",
            "INSERT INTO customers (external_id, account_number, kind, name, language, postal_code)"
            " SELECT 'C' || n, (100000 + n)::text, 'person', 'James Smith', 'en', '28013'"
            f" FROM generate_series((SELECT count(*) FROM customers) + 1,"
            f" (SELECT count(*) FROM customers) + {count}) AS n",
        )


async def test_a_new_customer_is_found_soon_and_looking_costs_one_query(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "LOOK_SECONDS", 0.01)
    asked: list[str] = []
    ask, connect = database.row, database.apart

    async def row(name: str, *values: object) -> object:
        asked.append(name)
        return await ask(name, *values)

    def apart(seconds: float) -> object:
        asked.append("a connection")
        return connect(seconds)

    async with kept_findable(database):
        await add_customers(database, 1)
        await until_indexed(database)
        await asyncio.sleep(0.2)
        monkeypatch.setattr(database, "row", row)
        monkeypatch.setattr(database, "apart", apart)
        await asyncio.sleep(0.2)
        assert len(asked) > 2
        assert set(asked) == {"first_name_to_index"}
        await add_customers(database, 1)
        monkeypatch.setattr(database, "row", ask)
        await until_indexed(database)
    assert asked.count("a connection") == 1


async def test_a_look_reads_an_index_also_after_thousands_were_taken_out(
    database: Database,
) -> None:
    await add_customers(database, 5000)
    async with database.session() as session:
        await session.script("all of them are indexed", "DELETE FROM names_to_index")
        query = sql.QUERIES["first_name_to_index"].text
        for _ in range(3):  # the first look marks what was taken out
            row = await session.raw.fetchrow(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
    assert row is not None
    top = json.loads(row[0])[0]["Plan"]
    assert top["Plans"][0]["Node Type"] in {"Index Scan", "Index Only Scan"}
    assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 30
