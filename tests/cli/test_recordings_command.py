"""`saldo recordings verify`: what it says and how it ends."""

from __future__ import annotations

import wave
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.billing.recordings import RATE
from ivr.storage.recordings import RecordingFolder
from tests.cli.terminal import Ran, Typed

KEY = "k" * 32
CALL = "0123456789abcdef" * 2
OTHER = "f" * 32


@pytest.fixture
def run(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """`saldo recordings verify ...` with the key."""
    monkeypatch.setenv("SALDO_RECORDINGS__KEY", KEY)
    return lambda *files: typed("recordings", "verify", *map(str, files))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    part = tmp_path / "part"
    with wave.open(str(part), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(bytes(8 * RATE * 2))
    shelf = RecordingFolder(tmp_path / "kept", KEY)
    began = datetime.now(UTC)
    shelf.keep(CALL, began, {part: 0}, [(2 * RATE, 5 * RATE)], 8 * RATE)
    shelf.keep(OTHER, began, {part: 0}, None, None)
    return tmp_path / "kept"


def test_recordings_as_they_were_made(run: Callable[..., Ran], folder: Path) -> None:
    ran = run(folder)
    assert (ran.status, ran.err) == (0, "")
    assert f"{CALL}.wav: as it was made, 8.0 s, 3.0 s of it masked\n" in ran.out
    assert f"{OTHER}.wav: as it was made, 8.0 s, 0.0 s of it masked; the end of the call" in ran.out


@pytest.mark.parametrize("suffix", [".wav", ".json"])
def test_one_recording_may_be_named_by_either_file(
    run: Callable[..., Ran], folder: Path, suffix: str
) -> None:
    ran = run(folder / f"{CALL}{suffix}")
    assert (ran.status, ran.out.count("as it was made")) == (0, 1)


def test_one_that_was_changed_is_named_and_the_others_are_checked(
    run: Callable[..., Ran], folder: Path
) -> None:
    sound = bytearray((folder / f"{CALL}.wav").read_bytes())
    sound[-1] ^= 1
    (folder / f"{CALL}.wav").write_bytes(sound)
    (folder / "0.wav").touch()  # without a manifest
    ran = run(folder)
    assert ran.status == 1
    assert f"{CALL}.wav: NOT as it was made: the sound was changed" in ran.out
    assert f"{OTHER}.wav: as it was made" in ran.out


def test_one_that_cannot_be_checked(run: Callable[..., Ran], folder: Path) -> None:
    (folder / f"{CALL}.json").unlink()
    ran = run(folder)
    assert ran.status == 2
    assert f"{CALL}.wav: cannot be checked: there is no manifest" in ran.err


def test_where_there_is_no_recording_nothing_was_checked(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = run(tmp_path)
    assert ran.status == 2
    assert "no recording" in ran.err


def test_without_the_key_nothing_is_checked(
    run: Callable[..., Ran], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SALDO_RECORDINGS__KEY")
    ran = run(folder)
    assert (ran.status, ran.out) == (2, "")
    assert "[recordings] key is not set" in ran.err


def test_another_key_is_told_as_such(
    run: Callable[..., Ran], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_RECORDINGS__KEY", "x" * 32)
    ran = run(folder)
    assert ran.status == 1
    assert "signed with another key" in ran.out
