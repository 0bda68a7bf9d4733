"""Recordings as files: put together from parts, private, and checked to the byte."""

from __future__ import annotations

import os
import stat
import time
import wave
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ivr.billing.recordings import RATE, Reason, Span, read_manifest, tone
from ivr.storage.recordings import (
    HEADER_BYTES,
    CannotCheck,
    RecordingFolder,
    RecordingNotKept,
    verify,
)

KEY = "k" * 32
CALL = "0123456789abcdef" * 2
BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
SECURE = [(2 * RATE, 5 * RATE)]


def part(file: Path, value: int, seconds: float) -> Path:
    """Sound of one loudness, as the PBX writes it."""
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(np.full(round(seconds * RATE), value, "<i2").tobytes())
    return file


def kept(
    folder: Path,
    samples: int | None = 8 * RATE,
    secure: list[tuple[int, int]] | None = SECURE,
) -> Path:
    """Two seconds, three of the secure part, and three more."""
    shelf = RecordingFolder(folder / "kept", KEY)
    parts = {part(folder / "a", 111, 2): 0, part(folder / "b", 222, 3): 5 * RATE}
    return shelf.keep(CALL, BEGAN, parts, secure, samples)


def test_the_parts_stand_where_they_were_heard_and_the_tone_between_them(tmp_path: Path) -> None:
    file = kept(tmp_path)
    with wave.open(str(file)) as recording:
        assert recording.getparams()[:4] == (1, 2, RATE, 8 * RATE)
        sound = recording.readframes(8 * RATE)
    samples = np.frombuffer(sound, "<i2")
    assert set(samples[: 2 * RATE]) == {111}
    assert sound[4 * RATE : 10 * RATE] == tone(0, 3 * RATE)
    assert set(samples[5 * RATE :]) == {222}
    manifest = read_manifest(file.with_suffix(".json").read_text())
    assert manifest.spans == (Span(2 * RATE, 5 * RATE, Reason.SECURE_SEGMENT),)
    assert (manifest.call_id, manifest.began, manifest.is_whole) == (CALL, BEGAN, True)


def test_recording_and_manifest_are_readable_by_us_alone(tmp_path: Path) -> None:
    file = kept(tmp_path)
    for each in (file, file.with_suffix(".json")):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    assert sorted(each.name for each in file.parent.iterdir()) == [f"{CALL}.json", f"{CALL}.wav"]


def test_a_long_recording_is_put_together_as_well(tmp_path: Path) -> None:
    shelf = RecordingFolder(tmp_path / "kept", KEY)
    parts = {part(tmp_path / "a", 5, 35): 0}
    file = shelf.keep(CALL, BEGAN, parts, [(35 * RATE, 70 * RATE)], 70 * RATE)
    assert verify(file, KEY) == []
    assert file.stat().st_size == HEADER_BYTES + 70 * RATE * 2


def test_a_call_of_which_only_the_parts_are_known_is_kept_with_what_lies_between(
    tmp_path: Path,
) -> None:
    manifest = read_manifest(kept(tmp_path, None, None).with_suffix(".json").read_text())
    assert (manifest.samples, manifest.is_whole) == (8 * RATE, False)
    assert manifest.spans == (Span(2 * RATE, 5 * RATE, Reason.SECURE_SEGMENT),)


def test_a_call_is_kept_once_its_manifest_lies_there(tmp_path: Path) -> None:
    shelf = RecordingFolder(kept(tmp_path).parent, KEY)
    assert shelf.has(CALL)
    assert not shelf.has("f" * 32)


def test_a_recording_as_it_was_made_passes(tmp_path: Path) -> None:
    assert verify(kept(tmp_path), KEY) == []


def flip(at: int) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        sound = bytearray(file.read_bytes())
        sound[at] ^= 1
        file.write_bytes(sound)

    return change


def shorten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2])


def replace_sound(file: Path) -> None:
    part(file, 7, 8)


def no_sound(file: Path) -> None:
    file.write_text("this is no sound")


def change_manifest(file: Path) -> None:
    note = file.with_suffix(".json")
    note.write_text(note.read_text().replace('"end": 5.0', '"end": 4.0'))


def break_manifest(file: Path) -> None:
    file.with_suffix(".json").write_text("{")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (flip(HEADER_BYTES + 10), ["the hash"]),
        (flip(HEADER_BYTES + 2 * (3 * RATE)), ["the hash", "from 2.00 to 5.00 s"]),
        (shorten, ["the hash"]),
        (replace_sound, ["the hash", "from 2.00 to 5.00 s"]),
        (no_sound, ["the hash", "from 2.00 to 5.00 s"]),
        (change_manifest, ["changed after it was signed"]),
        (break_manifest, ["manifest is broken"]),
    ],
)
def test_whatever_was_changed_is_found(
    tmp_path: Path, change: Callable[[Path], None], said: list[str]
) -> None:
    file = kept(tmp_path)
    change(file)
    wrong = verify(file, KEY)
    assert len(wrong) == len(said)
    for words, sentence in zip(said, wrong, strict=True):
        assert words in sentence


def test_the_manifest_of_another_call_is_found_out(tmp_path: Path) -> None:
    file = kept(tmp_path)
    other = file.with_name("f" * 32 + ".wav")
    file.replace(other)
    file.with_suffix(".json").replace(other.with_suffix(".json"))
    assert verify(other, KEY) == ["the manifest is that of another recording"]


def test_sound_in_a_span_is_found_even_when_whoever_put_it_there_has_the_key(
    tmp_path: Path,
) -> None:
    """The hash and the signature may be right: the span must be flat all the same."""
    shelf = RecordingFolder(tmp_path / "kept", KEY)
    file = shelf.keep(CALL, BEGAN, {part(tmp_path / "a", 111, 8): 0}, [], 8 * RATE)
    manifest = read_manifest(file.with_suffix(".json").read_text())
    span = Span(2 * RATE, 5 * RATE, Reason.SECURE_SEGMENT)
    values = {key: getattr(manifest, key) for key in manifest.__slots__}
    forged = type(manifest)(**values | {"spans": (span,)})
    file.with_suffix(".json").write_text(forged.signed(KEY))
    assert verify(file, KEY) == ["from 2.00 to 5.00 s there is something else than the flat tone"]


def test_a_recording_without_a_manifest_cannot_be_checked(tmp_path: Path) -> None:
    file = kept(tmp_path)
    file.with_suffix(".json").unlink()
    with pytest.raises(CannotCheck, match=r"no manifest that can be read"):
        verify(file, KEY)


def test_a_manifest_without_a_recording_cannot_be_checked(tmp_path: Path) -> None:
    file = kept(tmp_path)
    file.unlink()
    with pytest.raises(CannotCheck, match="cannot be read"):
        verify(file, KEY)


def test_what_is_no_sound_is_not_kept(tmp_path: Path) -> None:
    shelf = RecordingFolder(tmp_path / "kept", KEY)
    room = shelf.room_for(CALL, 0)
    assert stat.S_IMODE(room.stat().st_mode) == 0o600
    with pytest.raises(RecordingNotKept, match="no such sound"):
        shelf.keep(CALL, BEGAN, {room: 0}, [], 100)


def test_what_was_being_written_when_we_died_is_removed_by_the_next(tmp_path: Path) -> None:
    file = kept(tmp_path)
    left = [file.with_name(f".{CALL}.wav"), file.with_name(f".{CALL}.0.part")]
    for each in left:
        each.touch()
    (file.parent / ".theirs").touch()
    RecordingFolder(file.parent, KEY)
    assert not any(each.exists() for each in left)
    assert (file.parent / ".theirs").exists()
    assert file.exists()


def test_recordings_are_deleted_after_their_days_and_nothing_else_is(tmp_path: Path) -> None:
    file = kept(tmp_path)
    other = file.with_name("theirs.wav")
    other.touch()
    shelf = RecordingFolder(file.parent, KEY, keep_days=2)
    assert shelf.tidy() == 0
    long_ago = time.time() - 3 * 86400
    for each in file.parent.iterdir():
        os.utime(each, (long_ago, long_ago))
    assert RecordingFolder(file.parent, KEY).tidy() == 0, "by default they are kept for ever"
    assert shelf.tidy() == 1
    assert list(file.parent.iterdir()) == [other]


def test_the_recording_that_proves_a_mandate_is_kept_two_years_longer(tmp_path: Path) -> None:
    file = kept(tmp_path)
    shelf = RecordingFolder(file.parent, KEY, keep_days=2)
    shelf.spare(file.stem)
    year = 366 * 86400
    for days, gone in ((10 * 86400, 0), (2 * year - 86400, 0), (2 * year + 86400, 1)):
        for each in file.parent.iterdir():
            os.utime(each, (time.time() - days,) * 2)
        assert shelf.tidy() == gone
        assert file.exists() is not bool(gone)
    assert list(file.parent.iterdir()) == []


def test_a_folder_that_cannot_be_is_told_of_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingNotKept, match=r"\[recordings\] folder"):
        RecordingFolder(tmp_path / "file" / "folder", KEY)


SHELF_HAS = (
    ((5.0, 7.9), True),
    ((0.0, 1.8), True),
    ((4.7, 8.3), True),  # the clocks of call and recording are not the same
    ((4.0, 7.9), False),  # it began before the recording was back
    ((5.0, 9.0), False),  # it went on after it
    ((2.5, 4.5), False),
)


@pytest.mark.parametrize(("heard", "has"), SHELF_HAS)
def test_what_was_heard_is_in_the_recording_or_is_not(
    tmp_path: Path,
    heard: tuple[float, float],
    has: bool,  # noqa: FBT001 - a case
) -> None:
    kept(tmp_path)
    assert RecordingFolder(tmp_path / "kept", KEY).has_between(CALL, *heard) is has


def test_a_recording_that_is_put_together_from_what_a_crash_left_counts_as_well(
    tmp_path: Path,
) -> None:
    kept(tmp_path, samples=None, secure=None)
    shelf = RecordingFolder(tmp_path / "kept", KEY)
    assert shelf.has_between(CALL, 5.0, 7.9)
    assert not shelf.has_between(CALL, 4.0, 7.9)


def test_of_a_recording_that_is_not_kept_nobody_can_say(tmp_path: Path) -> None:
    shelf = RecordingFolder(tmp_path / "kept", KEY)
    shelf.spare(CALL)
    assert shelf.has_between(CALL, 5.0, 7.9) is None


def test_a_recording_that_was_cut_off_or_lost_its_manifest_proves_nothing(tmp_path: Path) -> None:
    file = kept(tmp_path)
    shelf = RecordingFolder(tmp_path / "kept", KEY)
    os.truncate(file, HEADER_BYTES + 7 * RATE)
    assert shelf.has_between(CALL, 5.0, 7.9) is False
    file.with_suffix(".json").write_text("{}")
    assert shelf.has_between(CALL, 5.0, 7.9) is False
    file.unlink()
    assert shelf.has_between(CALL, 5.0, 7.9) is False
