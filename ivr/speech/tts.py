"""Text to sound files by worker processes, so that no synthesiser can stall or crash a call."""

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ivr.speech.errors import SynthesisError, SynthesisTimeoutError, UnknownPhraseError

# The extensions that each sound is written with; with the μ-law file there, all are.
FORMATS = (".alaw", ".sln16", ".ulaw")
JOB_SECONDS = 10.0
MARGIN_MS = 60  # half of the silence between two sentences; see sound.shape
_START_SECONDS = 10.0  # a worker's first job waits for the worker's imports too
# A worker ends itself this much later than we would have killed it.
_OWN_LIMIT_FACTOR = 1.5
# Goes into every hash: raise it when the work on the sound changes.
_SHAPING = 3


@dataclass(frozen=True)
class Tone:
    """How a language sounds: an espeak-ng voice, words a minute, pitch from 0 to 99."""

    voice: str
    rate: int = 155
    pitch: int = 50


TONES: Mapping[str, Tone] = {"en": Tone("en-us"), "es": Tone("es")}


@dataclass(frozen=True)
class Job:
    """One sound to make: a text in a language, or a recording, or silence, into one place."""

    file: Path  # absolute, without extension
    text: str = ""
    language: str = "en"
    margin_ms: int = MARGIN_MS
    recording: Path | None = None
    silence_seconds: float = 0.0
    # Of the language's rate: 1.1 is a tenth faster.
    pace: float = 1.0


class Tts:
    """A pool of synthesiser processes, each started when first needed.

    `workers` is how many may run at once; a job beyond `job_seconds` is given up, its worker killed
    and replaced for the next one. Use one Tts in one event loop, and `aclose` it.
    """

    def __init__(
        self,
        workers: int = 2,
        job_seconds: float = JOB_SECONDS,
        tones: Mapping[str, Tone] = TONES,
    ) -> None:
        self._limit = job_seconds
        self._tones = tones
        self.workers = workers
        self._workers = [_Worker() for _ in range(workers)]
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._idle.put_nowait(worker)
        self._closed = False

    async def speak(self, text: str, language: str, file: Path) -> Mapping[str, int]:
        """Say a text into `file` + each of FORMATS; the bytes of each.

        Raises SynthesisError when there is no sound, SynthesisTimeoutError when it took too long.
        """
        return await self.make(Job(file, text, language))

    async def make(self, job: Job) -> Mapping[str, int]:
        """Make any sound; as `speak`. Waits for a free worker."""
        request = self._request(job)
        worker = await self._idle.get()
        try:
            if self._closed:
                raise SynthesisError("The synthesiser is closed.")
            written = await self._with_one_more_try(worker, request)
        finally:
            self._idle.put_nowait(worker)
        if not written.get(".ulaw"):
            raise SynthesisError("The synthesiser wrote no sound.")
        return written

    async def _with_one_more_try(
        self, worker: "_Worker", request: dict[str, Any]
    ) -> dict[str, int]:
        """A worker that died between jobs costs its replacement's start, not the sentence."""
        try:
            return await worker.do(request, self._limit)
        except EOFError:
            if self._closed:
                raise SynthesisError("The synthesiser was closed meanwhile.") from None
            with contextlib.suppress(EOFError):
                return await worker.do(request, self._limit)
            raise SynthesisError("The synthesiser died twice over one sentence.") from None

    def identity(self, job: Job) -> dict[str, object]:
        """Everything that a job's sound depends on, ready for JSON; not where it is written."""
        if job.silence_seconds:
            return {"silence": job.silence_seconds}
        if job.recording is not None:
            digest = sha256(job.recording.read_bytes()).hexdigest()
            return {"recording": digest, "margin": job.margin_ms, "by": _SHAPING}
        tone = self._tone(job.language)
        return {
            "text": job.text,
            "tone": [tone.voice, round(tone.rate * job.pace), tone.pitch],
            "margin": job.margin_ms,
            "engine": _engine(),
            "by": _SHAPING,
        }

    def pids(self) -> tuple[int, ...]:
        """The processes that run now."""
        return tuple(pid for worker in self._workers if (pid := worker.pid) is not None)

    async def aclose(self) -> None:
        """End the processes; a job that runs fails with SynthesisError."""
        self._closed = True
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    def _request(self, job: Job) -> dict[str, Any]:
        tone = self._tone(job.language)
        return {
            "text": job.text,
            "voice": tone.voice,
            "rate": round(tone.rate * job.pace),
            "pitch": tone.pitch,
            "margin_ms": job.margin_ms,
            "file": str(job.file.absolute()),
            "recording": str(job.recording.absolute()) if job.recording else None,
            "silence_seconds": job.silence_seconds,
            "limit_seconds": self._limit * _OWN_LIMIT_FACTOR,
        }

    def _tone(self, language: str) -> Tone:
        try:
            return self._tones[language]
        except KeyError:
            raise UnknownPhraseError(f"There is no voice for the language {language!r}.") from None


class _Worker:
    """One process at a time, started when there is a job and none is alive."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._numbers = itertools.count(1)

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    async def do(self, request: dict[str, Any], limit: float) -> dict[str, int]:
        """EOFError when the process died. Whatever else goes wrong, the next job starts clean."""
        number = next(self._numbers)
        started = self.pid is None
        try:
            async with asyncio.timeout(limit + (_START_SECONDS if started else 0)):
                process = await self._running()
                answer = await self._exchange(process, {"id": number, **request})
        except TimeoutError:
            await self.stop()
            raise SynthesisTimeoutError(
                f"A sentence took over {limit:g} s to synthesise."
            ) from None
        except (ConnectionError, json.JSONDecodeError):
            await self.stop()
            raise EOFError from None
        except BaseException:
            # Cancelled or worse: an answer may still be under way, and must not meet the next job.
            await self.stop()
            raise
        if answer.get("id") != number:
            await self.stop()
            raise EOFError
        if "error" in answer:
            raise SynthesisError(str(answer["error"]))
        return dict(answer["written"])

    async def _exchange(
        self, process: asyncio.subprocess.Process, request: dict[str, Any]
    ) -> dict[str, Any]:
        if process.stdin is None or process.stdout is None:
            raise EOFError
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
        answer: dict[str, Any] = json.loads(await process.stdout.readuntil(b"\n"))
        return answer

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await _start()
        return self._process

    async def stop(self) -> None:
        """Kill the process, if any, and see it gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        # The pipes close at the next turn of the loop, before anyone could close the loop.
        await asyncio.sleep(0)


@cache
def _engine() -> str:
    return f"pyttsx3 {version('pyttsx3')}, espeakng-loader {version('espeakng-loader')}"


async def _start() -> asyncio.subprocess.Process:
    """A fresh interpreter that finds the library which espeakng-loader brings.

    Never a fork, which espeak-ng does not survive; and nothing of our own environment goes along.
    """
    found = find_spec("espeakng_loader")
    if found is None or found.origin is None:
        raise SynthesisError("The package espeakng-loader is missing; install the requirements.")
    library = Path(found.origin).parent
    environment = {
        "LD_LIBRARY_PATH": str(library),
        # Below the working directory, because espeak-ng cuts paths beyond 160 characters.
        "ESPEAK_DATA_PATH": "espeak-ng-data",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONUTF8": "1",
        "PATH": os.defpath,
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "ivr.speech.tts_worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=library,
        env=environment,
    )
