"""Which languages are understood, and what is wrong with a model, as the settings say it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from ivr import hearing
from ivr.billing.errors import LedgerUnavailable
from ivr.hearing import Hearing
from ivr.settings import PROJECT, Settings, load
from ivr.speech.errors import ModelError
from ivr.storage.errors import QueryRefused
from ivr.storage.name_index import Indexed
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


async def test_names_go_on_being_indexed_after_the_database_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[int] = []
    again = asyncio.Event()

    async def index(*_: object) -> Indexed:
        runs.append(len(runs))
        if len(runs) == 1:
            raise LedgerUnavailable("the database did not answer")
        if len(runs) == 2:
            raise QueryRefused("a mistake of ours")
        again.set()
        return Indexed(customers=1, names=1, words=2)

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
