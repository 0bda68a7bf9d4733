"""`saldo prompts build`: every fixed sound made before any call, and remade when it changed."""

import asyncio
import contextlib
import fcntl
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ivr.speech import spoken
from ivr.speech.catalogue import Catalogue, Fixed, Gap, Phrase
from ivr.speech.errors import SpeechError
from ivr.speech.tts import FORMATS, MARGIN_MS, Job, Tts

MANIFEST = ".built.json"
# A word inside an amount follows the one before it closely, and is shorter than when said alone:
# with these two, amounts take as long as a sentence with the same words.
FRAGMENT_MARGIN_MS = 10
FRAGMENT_PACE = 1.1
_LOCK_SECONDS = 120.0
_LOCK_LOOK_SECONDS = 0.05

Progress = Callable[[int, int], None]
# A sound's name → its hash and the bytes of each format.
_Manifest = dict[str, dict[str, object]]


@dataclass(frozen=True)
class Built:
    """What a build did."""

    made: int
    kept: int
    removed: int
    seconds: float


def fragment_file(word: str, language: str) -> str:
    """A fragment's place below the sounds folder, without extension."""
    return f"{language}/fragments/{spoken.file_name(word)}"


def jobs(catalogue: Catalogue, folder: Path, sounds: Path) -> Iterator[tuple[str, Job]]:
    """Every fixed sound: its name, and how to make it.

    `folder` is that of the catalogues, where recordings of fragments may lie
    (`<language>/fragments/<word>.wav`).
    """
    for phrase in catalogue.phrases():
        for part in phrase.fixed:
            text = _with_tune(part, phrase)
            yield (
                part.file,
                Job(sounds / part.file, text, part.language, MARGIN_MS, part.recording),
            )
    for language in catalogue.languages:
        for word in spoken.vocabulary(language):
            yield fragment_file(word, language), _fragment(word, language, folder, sounds)


def _with_tune(part: Fixed, phrase: Phrase) -> str:
    """A part that runs on into a gap ends as open as a comma, not as final as a full stop."""
    following = phrase.parts[phrase.parts.index(part) + 1 :]
    runs_on = bool(following) and isinstance(following[0], Gap) and part.text[-1].isalnum()
    return part.text + "," if runs_on else part.text


def _fragment(word: str, language: str, folder: Path, sounds: Path) -> Job:
    file = fragment_file(word, language)
    if word == spoken.PAUSE:
        return Job(sounds / file, silence_seconds=spoken.PAUSE_MS / 1000)
    recording = folder / f"{file}.wav"
    found = recording if recording.exists() else None
    return Job(sounds / file, word + ",", language, FRAGMENT_MARGIN_MS, found, pace=FRAGMENT_PACE)


async def build(
    catalogue: Catalogue, folder: Path, sounds: Path, tts: Tts, progress: Progress | None = None
) -> Built:
    """Make what is missing or changed, remove what no phrase needs any more.

    Interrupted at any point, what was made is whole and counts the next time. Two builds of one
    folder wait for each other. `progress(done, total)` is called after each sound. Raises
    SpeechError with the sound that cannot be made.
    """
    began = time.monotonic()
    await asyncio.to_thread(sounds.mkdir, parents=True, exist_ok=True)
    async with _alone(sounds):
        wanted = dict(jobs(catalogue, folder, sounds))
        hashes = {name: _hash(tts, job) for name, job in wanted.items()}
        manifest = _read_manifest(sounds)
        missing = [
            name for name in wanted if not _is_built(sounds, name, hashes[name], manifest.get(name))
        ]
        stale = [name for name in manifest if name not in wanted]
        try:
            if stale:
                _remove(sounds, stale, manifest)
            if missing:
                _sweep(sounds, catalogue.languages)
                await _make(missing, wanted, hashes, manifest, tts, progress)
        finally:
            if missing or stale:
                _write_manifest(sounds, manifest)
    kept = len(wanted) - len(missing)
    return Built(len(missing), kept, len(stale), time.monotonic() - began)


async def _make(
    names: list[str],
    wanted: Mapping[str, Job],
    hashes: Mapping[str, str],
    manifest: _Manifest,
    tts: Tts,
    progress: Progress | None,
) -> None:
    waiting = iter(names)
    done = 0

    async def work() -> None:
        nonlocal done
        for name in waiting:
            try:
                sizes = await tts.make(wanted[name])
            except SpeechError as error:
                raise type(error)(f"The sound {name} could not be made: {error}") from error
            manifest[name] = {"hash": hashes[name], "bytes": dict(sizes)}
            done += 1
            if progress is not None:
                progress(done, len(names))

    workers = [asyncio.create_task(work()) for _ in range(tts.workers)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _hash(tts: Tts, job: Job) -> str:
    identity = json.dumps([tts.identity(job), FORMATS], sort_keys=True)
    return sha256(identity.encode()).hexdigest()


def _is_built(sounds: Path, name: str, wanted: str, entry: dict[str, object] | None) -> bool:
    if entry is None or entry.get("hash") != wanted:
        return False
    sizes = entry.get("bytes")
    return isinstance(sizes, dict) and all(
        _size(f"{sounds}/{name}{extension}") == sizes.get(extension) for extension in FORMATS
    )


def _size(file: str) -> int | None:
    try:
        return os.stat(file).st_size  # noqa: PTH116 - thrice as fast as Path, and there are 1,600
    except OSError:
        return None


def _remove(sounds: Path, names: list[str], manifest: _Manifest) -> None:
    for name in names:
        for extension in FORMATS:
            (sounds / f"{name}{extension}").unlink(missing_ok=True)
        del manifest[name]


def _sweep(sounds: Path, languages: tuple[str, ...]) -> None:
    """Remove what a killed build left half written; the lock says that none is at work."""
    for language in languages:
        for part in (sounds / language).rglob(".*.part"):
            part.unlink(missing_ok=True)


def _read_manifest(sounds: Path) -> _Manifest:
    """Nothing built, when the file is absent or damaged: it only saves work."""
    try:
        manifest = json.loads((sounds / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _write_manifest(sounds: Path, manifest: _Manifest) -> None:
    part = sounds / f"{MANIFEST}.part"
    part.write_text(json.dumps(manifest), encoding="utf-8")
    part.replace(sounds / MANIFEST)


@contextlib.asynccontextmanager
async def _alone(sounds: Path) -> AsyncIterator[None]:
    """Hold the folder's lock; the system frees it when a builder dies."""
    lock = os.open(sounds / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        for _ in range(round(_LOCK_SECONDS / _LOCK_LOOK_SECONDS)):
            if _locked(lock):
                break
            await asyncio.sleep(_LOCK_LOOK_SECONDS)
        else:
            raise SpeechError(f"Another build works in {sounds}; stop it, or try again later.")
        yield
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
