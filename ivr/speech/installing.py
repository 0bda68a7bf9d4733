"""Brings a public speech model: chosen from the list, fetched, checked, unpacked, proved, moved in.

Everything happens in a hidden folder beside the place where the model will be; only a model that
was loaded once is moved there, at once. Whatever goes wrong, that hidden folder is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ivr.speech.errors import InstallError, ModelError
from ivr.speech.mirror import Mirror, Progress
from ivr.speech.models import prove

CODES: Mapping[str, tuple[str, ...]] = {"en": ("en-us", "en"), "es": ("es",)}
"""our languages → what the list calls them"""
MOST_BYTES = 300_000_000
"""of a zip; the small models have 40 million"""
MOST_UNPACKED_BYTES = 1_000_000_000
MOST_FILES = 1000
LIMIT_SECONDS = 1800.0
"""of one download"""
ROOM = 4
"""times the zip's size: for itself and for what is in it"""
WORK = ".saldo-installing-"
_NAME = re.compile(r"vosk-model-small-[a-z-]+-(\d+(?:\.\d+)*)")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A model of the list."""

    name: str
    size: int
    """bytes of its zip"""
    md5: str
    version: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that can be named in the settings."""

    folder: Path
    rate: int
    """samples a second"""
    name: str = ""
    """as the list calls it; empty when it was there already"""


def choose(entries: Sequence[Mapping[str, Any]], language: str, base: str) -> Offer:
    """The newest small model of a language; those without a size or checksum do not count.

    Raises InstallError.
    """
    offers = [offer for entry in entries if (offer := _offer(entry, language)) is not None]
    if not offers:
        raise InstallError(
            f"the list of {base} has no small speech model for {language!r}: name another mirror "
            "with --from"
        )
    return max(offers, key=lambda offer: offer.version)


def _offer(entry: Mapping[str, Any], language: str) -> Offer | None:
    name, size, md5 = entry.get("name"), entry.get("size"), entry.get("md5")
    of_ours = entry.get("lang") in CODES[language] and entry.get("type") == "small"
    if not of_ours or str(entry.get("obsolete")).lower() == "true":
        return None
    if not isinstance(name, str) or not isinstance(md5, str) or not isinstance(size, int):
        return None
    version = _NAME.fullmatch(name)
    if version is None or _MD5.fullmatch(md5) is None or not 0 < size <= MOST_BYTES:
        return None
    return Offer(name, size, md5, tuple(map(int, version[1].split("."))))


async def install(language: str, folder: Path, mirror: Mirror, progress: Progress) -> Installed:
    """The model of a language in `folder`/`language`, brought from the mirror if it is not there.

    Raises InstallError: one sentence; nothing half-installed is left. Beside it nothing else can
    run in this event loop: checking and unpacking hold it up, and cannot be cancelled half-way.
    """
    place = folder / language
    if place.exists() or place.is_symlink():
        return _there(place)
    try:
        with _working(folder) as work:
            offer = choose(await mirror.offers(), language, mirror.base)
            _room(folder, offer)
            archive = work / "model.zip"
            await mirror.fetch(offer.name, archive, offer.size, LIMIT_SECONDS, progress)
            return _put(offer, archive, place, mirror.base)
    except OSError as error:
        raise InstallError(
            f"{folder} cannot be written ({error.strerror or error}): make room or give it to this "
            "user, or name another with --folder"
        ) from None


def _there(place: Path) -> Installed:
    try:
        return Installed(place, prove(place, "--folder"))
    except ModelError as error:
        raise InstallError(
            f"{place} is there and is no usable model: remove it, or name another --folder. {error}"
        ) from None


@contextlib.contextmanager
def _working(folder: Path) -> Iterator[Path]:
    """A folder of our own on the same disk, gone afterwards; one installation at a time."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstallError(f"another installation into {folder} is running") from None
        for left in folder.glob(f"{WORK}*"):  # of one that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=WORK, dir=folder) as work:
            yield Path(work)
    finally:
        os.close(lock)
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty: the model is there
                folder.rmdir()


def _room(folder: Path, offer: Offer) -> None:
    free, needed = shutil.disk_usage(folder).free, ROOM * offer.size
    if free < needed:
        raise InstallError(
            f"{folder} has {free / 1e6:.0f} MB free, and {offer.name} needs {needed / 1e6:.0f}: "
            "make room, or name another with --folder"
        )


def _put(offer: Offer, archive: Path, place: Path, base: str) -> Installed:
    """Check, unpack, prove and move into place."""
    with archive.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if md5 != offer.md5:
        raise InstallError(
            f"{offer.name}.zip from {base} is not what the list says (md5 {md5} instead of "
            f"{offer.md5}): try again, or name another mirror with --from"
        )
    unpacked = archive.parent / "unpacked"
    try:
        unpack(archive, unpacked)
        model = _top(unpacked)
        rate = prove(model, "just unpacked")
    except (InstallError, ModelError) as error:
        raise InstallError(f"{offer.name}.zip from {base} is of no use. {error}") from None
    model.rename(place)
    return Installed(place, rate, offer.name)


def _top(unpacked: Path) -> Path:
    """The model itself: a public zip has everything in one folder."""
    inside = list(unpacked.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else unpacked


def unpack(archive: Path, into: Path) -> None:
    """Files and folders of a zip, none of them outside of `into`, no links, no more than allowed.

    Raises InstallError; OSError when it cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            _refuse(entries)
            for entry in entries:
                _take(packed, entry, into.joinpath(*PurePosixPath(entry.filename).parts))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InstallError(f"It cannot be unpacked ({error}).") from None


def _refuse(entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_UNPACKED_BYTES:
        raise InstallError("Unpacked it is larger than any small model.")
    if len({entry.filename for entry in entries}) < len(entries):
        raise InstallError("It holds a file twice.")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        is_outside = (
            not path.parts or path.is_absolute() or ".." in path.parts or "\\" in entry.filename
        )
        if is_outside or kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise InstallError("It holds a path or a link that leads out of its folder.")


def _take(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path) -> None:
    if entry.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(entry) as source, place.open("xb") as out:
        shutil.copyfileobj(source, out)
        out.flush()
        os.fsync(out.fileno())
