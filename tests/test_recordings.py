"""What `saldo serve` has beside a call that hears it, by its settings."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from ivr.recordings import Recorder
from ivr.settings import Settings
from ivr.storage.recordings import RecordingNotKept
from ivr.telephony.lending import Witness
from ivr.telephony.muting import MutedCaller
from ivr.telephony.recording import Recording

KEY = "k" * 64


def recorder(**recordings: Any) -> Recorder:
    return Recorder(Settings(recordings=recordings))


class FakeStream:
    app = "saldo"


class FakeLine:
    """Notes who hears the caller."""

    channel_id = "1"
    arrived = None

    def __init__(self) -> None:
        self.witnesses: list[Witness] = []

    def heard_by(self, witness: Witness) -> None:
        self.witnesses.append(witness)


def connected(one: Recorder) -> Recorder:
    one.connect(cast("Any", None), cast("Any", FakeStream()), cast("Any", None), "saldo-capture")
    return one


@pytest.fixture
def unrun() -> Iterator[list[Any]]:
    """Work that a test only looks at."""
    work: list[Any] = []
    yield work
    for one in work:
        one.close()


async def test_without_recordings_only_those_of_the_pbx_are_minded(unrun: list[Any]) -> None:
    one = connected(recorder())
    work = one.work()
    unrun += work.values()
    assert list(work) == ["muting"]
    line = FakeLine()

    async def talk(_: object) -> None:
        assert [type(each) for each in line.witnesses] == [MutedCaller]

    await one.recorded(talk)(cast("Any", line))
    assert line.witnesses
    await one.finish()


async def test_with_recordings_every_call_has_its_own(
    tmp_path: Path, unrun: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[str] = []

    async def end(_: Recording) -> None:
        did.append("end")

    monkeypatch.setattr(Recording, "begin", lambda _: did.append("begin"))
    monkeypatch.setattr(Recording, "end", end)
    monkeypatch.setattr(
        "ivr.telephony.recording.Recordings.of",
        lambda self, call: Recording(self, cast("Any", None), cast("Any", None), call),
    )
    one = connected(recorder(on=True, key=KEY, folder=tmp_path / "kept"))
    work = one.work()
    unrun += work.values()
    assert list(work) == ["muting", "recordings"]
    line = FakeLine()

    async def talk(_: object) -> None:
        did.append("talk")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await one.recorded(talk)(cast("Any", line))
    assert did == ["begin", "talk", "end"]
    assert [type(each) for each in line.witnesses] == [MutedCaller, Recording]


def test_the_folder_is_made_and_private(tmp_path: Path) -> None:
    recorder(on=True, key=KEY, folder=tmp_path / "a" / "kept")
    assert stat.S_IMODE((tmp_path / "a" / "kept").stat().st_mode) == 0o700


def test_recordings_that_can_be_kept_nowhere_are_told_of_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingNotKept):
        recorder(on=True, key=KEY, folder=tmp_path / "file" / "kept")
