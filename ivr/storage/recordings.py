"""Recordings as files: `<call id>.wav` and its manifest `<call id>.json` in one folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ivr.billing.bank_accounts import YEARS_KEPT
from ivr.billing.errors import BillingError
from ivr.billing.recordings import (
    RATE,
    SAMPLE_BYTES,
    Manifest,
    ManifestBroken,
    Part,
    Piece,
    Span,
    between,
    read_manifest,
    spans,
    timeline,
    tone,
    why_not_signed,
)

HEADER_BYTES = 44
"""of the WAV files that Asterisk and we write"""
BLOCK = RATE * 10
"""samples handled at once"""
DAY_SECONDS = 86400.0
SPARED = ".mandate"
"""beside a recording that proves what its caller agreed to"""
MANDATE_DAYS = 366.0 * YEARS_KEPT
OURS = re.compile(r"[0-9a-f]{32}\.(wav|json|mandate)")
LEFT_BEHIND = re.compile(r"\.[0-9a-f]{32}\.(wav|json)")


class RecordingNotKept(BillingError):
    """A recording could not be written; the message says why."""


class CannotCheck(BillingError):
    """Nothing can be said of a recording: it, or its manifest, cannot be read."""


class RecordingFolder:
    """Where recordings are kept, readable by nobody else, for `keep_days` unless that is 0.

    Raises RecordingNotKept when there can be no such folder.
    """

    def __init__(self, folder: Path, key: str, keep_days: float = 0) -> None:
        self._folder = folder
        self._key = key
        self._keep_days = keep_days
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._remove_left_behind()
        except OSError as error:
            raise RecordingNotKept(
                f"recordings cannot be kept in {folder} ({error.strerror}): see [recordings] folder"
            ) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RecordingNotKept(f"nothing may be written to {folder}: see [recordings] folder")

    def has(self, call_id: str) -> bool:
        """Whether that call's recording is kept already, with its manifest."""
        return (self._folder / f"{call_id}.json").exists()

    def has_between(self, call_id: str, begin: float, end: float) -> bool | None:
        """Whether that call's recording has the sound from one second of the call to another.

        None: it is not kept here, or not yet. Raises OSError.
        """
        file = self._folder / f"{call_id}.wav"
        try:
            manifest = read_manifest(file.with_suffix(".json").read_text(encoding="utf-8"))
            is_there = file.stat().st_size >= HEADER_BYTES + manifest.samples * SAMPLE_BYTES
        except FileNotFoundError:
            return None
        except (ManifestBroken, UnicodeDecodeError):
            return False
        return is_there and manifest.has_sound(round(begin * RATE), round(end * RATE))

    def room_for(self, call_id: str, number: int) -> Path:
        """A new file for a part, until the recording is whole. Raises OSError."""
        file = self._folder / f".{call_id}.{number}.part"
        with _private(file):
            return file

    def keep(
        self,
        call_id: str,
        began: datetime,
        parts: Mapping[Path, int],
        secure: Iterable[tuple[int, int]] | None,
        samples: int | None,
    ) -> Path:
        """Put the parts, each with its start, together; write recording and manifest.

        `secure` are the times in the secure part, `samples` the length of the call; None when
        nobody knows. Raises RecordingNotKept.
        """
        try:
            return self._keep(call_id, began, parts, secure, samples)
        except OSError as error:
            raise RecordingNotKept(f"not written to {self._folder}: {error.strerror}") from None
        except (wave.Error, EOFError) as error:
            raise RecordingNotKept(f"what the PBX recorded is no such sound: {error}") from None

    def spare(self, call_id: str) -> None:
        """Keep that call's recording for MANDATE_DAYS at least: it proves what was agreed to.

        Raises OSError.
        """
        (self._folder / f"{call_id}{SPARED}").touch(mode=0o600)

    def tidy(self) -> int:
        """Delete what was kept long enough; how many recordings that were. Raises OSError."""
        if not self._keep_days:
            return 0
        oldest = time.time() - self._keep_days * DAY_SECONDS
        spared_since = time.time() - MANDATE_DAYS * DAY_SECONDS
        gone = 0
        for file in sorted(self._folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                since = spared_since if self._is_spared(file) else oldest
                if OURS.fullmatch(file.name) and file.stat().st_mtime < since:
                    file.unlink()
                    gone += file.suffix == ".wav"
        return gone

    def _is_spared(self, file: Path) -> bool:
        return file.with_suffix(SPARED).exists()

    def _keep(
        self,
        call_id: str,
        began: datetime,
        files: Mapping[Path, int],
        secure: Iterable[tuple[int, int]] | None,
        samples: int | None,
    ) -> Path:
        parts = [Part(start, _samples_in(file)) for file, start in files.items()]
        length = max((part.start + part.samples for part in parts), default=0)
        pieces = timeline(
            parts,
            between(parts) if secure is None else secure,
            length if samples is None else samples,
        )
        file = self._folder / f"{call_id}.wav"
        note = file.with_suffix(".json")
        manifest = Manifest(
            call_id=call_id,
            began=began,
            samples=pieces[-1].end if pieces else 0,
            spans=spans(pieces),
            is_whole=samples is not None,
            sha256=_write(_hidden(file), _blocks(pieces, parts, list(files))),
        )
        with _private(_hidden(note)) as out:
            _write_all(out, manifest.signed(self._key).encode())
            os.fsync(out)
        _hidden(file).replace(file)
        _hidden(note).replace(note)
        return file

    def _remove_left_behind(self) -> None:
        """What we were writing when we were cut off: it is made anew from what the PBX has."""
        for file in self._folder.iterdir():
            if file.suffix == ".part" or LEFT_BEHIND.fullmatch(file.name):
                file.unlink(missing_ok=True)


def verify(file: Path, key: str) -> list[str]:
    """What is wrong with a recording, by its manifest; empty when it is as it was written.

    Raises CannotCheck when there is no manifest, or one of the two cannot be read.
    """
    note = file.with_suffix(".json")
    try:
        text = note.read_text(encoding="utf-8")
        manifest = read_manifest(text)
    except (OSError, UnicodeDecodeError):
        raise CannotCheck(
            f"there is no manifest that can be read beside it ({note.name})"
        ) from None
    except ManifestBroken as error:
        return [f"the manifest is broken: {error}"]
    try:
        wrong = [
            why_not_signed(text, key),
            "" if file.stem == manifest.call_id else "the manifest is that of another recording",
            _other_sound(file, manifest),
            *_wrong_spans(file, manifest),
        ]
    except (wave.Error, EOFError):
        return ["the sound is no WAV file as we write it"]
    except OSError as error:
        raise CannotCheck(f"it cannot be read ({error.strerror})") from None
    return [each for each in wrong if each]


def _other_sound(file: Path, manifest: Manifest) -> str:
    with file.open("rb") as recording:
        digest = hashlib.file_digest(recording, "sha256").hexdigest()
    if digest != manifest.sha256:
        return "the sound was changed: it does not have the hash that the manifest names"
    if _samples_in(file) != manifest.samples:
        return "the sound is not as long as the manifest says"
    return ""


def _wrong_spans(file: Path, manifest: Manifest) -> Iterator[str]:
    with file.open("rb") as recording:
        for span in manifest.spans:
            if not _is_flat(recording.fileno(), span):
                yield (
                    f"from {span.start / RATE:.2f} to {span.end / RATE:.2f} s "
                    "there is something else than the flat tone"
                )


def _is_flat(recording: int, span: Span) -> bool:
    for first in range(0, span.end - span.start, BLOCK):
        count = min(BLOCK, span.end - span.start - first)
        at = HEADER_BYTES + (span.start + first) * SAMPLE_BYTES
        if os.pread(recording, count * SAMPLE_BYTES, at) != tone(first, count):
            return False
    return span.end > span.start >= 0


def _samples_in(file: Path) -> int:
    """By the size of the file: the PBX, cut off, may not have written its length into it."""
    with wave.open(str(file), "rb") as sound:
        shape = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
    if shape != (1, SAMPLE_BYTES, RATE):
        raise wave.Error(f"{file.name} is not of 16 bits, 8 kHz and one channel")
    return (file.stat().st_size - HEADER_BYTES) // SAMPLE_BYTES


def _write(file: Path, blocks: Iterable[bytes]) -> str:
    """Write the whole; its SHA-256."""
    digest = hashlib.sha256()
    with _private(file) as out:
        for block in blocks:
            digest.update(block)
            _write_all(out, block)
        os.fsync(out)
    return digest.hexdigest()


def _write_all(out: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(out, rest) :]


def _blocks(
    pieces: Sequence[Piece], parts: Sequence[Part], files: Sequence[Path]
) -> Iterator[bytes]:
    yield _header(pieces[-1].end if pieces else 0)
    for piece in pieces:
        for first in range(0, piece.end - piece.start, BLOCK):
            count = min(BLOCK, piece.end - piece.start - first)
            if piece.reason is not None:
                yield tone(first, count)
            elif piece.part is None:
                yield bytes(count * SAMPLE_BYTES)
            else:
                at = piece.start - parts[piece.part].start + first
                yield _read(files[piece.part], at, count)


def _read(file: Path, first: int, count: int) -> bytes:
    with file.open("rb") as sound:
        sound.seek(HEADER_BYTES + first * SAMPLE_BYTES)
        return sound.read(count * SAMPLE_BYTES)


def _header(samples: int) -> bytes:
    """Of a WAV file of so many samples (RIFF, one chunk of PCM)."""
    size = samples * SAMPLE_BYTES
    form = b"fmt " + _number(16, 4) + _number(1, 2) + _number(1, 2) + _number(RATE, 4)
    form += _number(RATE * SAMPLE_BYTES, 4) + _number(SAMPLE_BYTES, 2) + _number(16, 2)
    return b"RIFF" + _number(36 + size, 4) + b"WAVE" + form + b"data" + _number(size, 4)


def _number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def _hidden(file: Path) -> Path:
    """Where it is written until it is whole."""
    return file.with_name(f".{file.name}")


@contextlib.contextmanager
def _private(file: Path) -> Iterator[int]:
    """A new file that only we may read, open for writing."""
    file.unlink(missing_ok=True)
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield out
    finally:
        os.close(out)
