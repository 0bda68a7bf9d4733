"""How names are pronounced in several accents, asked of espeak-ng in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ivr.billing.sounds import ALL_ACCENTS, PronunciationUnavailable, from_ipa

ASK_SECONDS = 2.0
"""how long one batch may take; a caller is waiting"""
START_SECONDS = 5.0
BATCH_WORDS = 1000
REMEMBERED = 20_000
_LONGEST_WORD = 40
_OWN_LIMIT_FACTOR = 1.5  # the process ends itself this much later than we would have killed it
_LONGEST_ANSWER = 1 << 22


class NameSounds:
    """`storage.name_index.Pronouncer`. One process, started when first asked; `aclose` it.

    Use it in one event loop. What was asked lately is remembered.
    """

    def __init__(self, limit_seconds: float = ASK_SECONDS) -> None:
        self._limit = limit_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._known: dict[tuple[str, str], str] = {}

    async def sounds(
        self, words: Sequence[str], accents: Sequence[str] = ALL_ACCENTS
    ) -> list[tuple[str, ...]]:
        """For each word its sound in each accent; "" where there is none.

        Raises PronunciationUnavailable after two tries.
        """
        asked = dict.fromkeys(word[:_LONGEST_WORD] for word in words)
        found: dict[tuple[str, str], str] = {}
        missing = []
        for word in asked:
            known = [(voice, self._known.get((voice, word))) for voice in accents]
            found |= {(voice, word): sound for voice, sound in known if sound is not None}
            if any(sound is None for _, sound in known):
                missing.append(word)
        for first in range(0, len(missing), BATCH_WORDS):
            found |= await self._with_one_more_try(missing[first : first + BATCH_WORDS], accents)
        self._remember(found)
        return [tuple(found[voice, word[:_LONGEST_WORD]] for voice in accents) for word in words]

    async def aclose(self) -> None:
        """End the process."""
        async with self._turn:
            await self._stop()

    def _remember(self, found: dict[tuple[str, str], str]) -> None:
        if len(self._known) + len(found) > REMEMBERED:
            self._known.clear()
        if len(found) <= REMEMBERED:
            self._known |= found

    async def _with_one_more_try(
        self, words: list[str], accents: Sequence[str]
    ) -> dict[tuple[str, str], str]:
        """A process that died between two calls costs its replacement's start, not the name."""
        async with self._turn:
            with contextlib.suppress(EOFError):
                return await self._ask(words, accents)
            try:
                return await self._ask(words, accents)
            except EOFError:
                raise PronunciationUnavailable("espeak-ng died twice over some words.") from None

    async def _ask(self, words: list[str], accents: Sequence[str]) -> dict[tuple[str, str], str]:
        """EOFError when the process died. Whatever else goes wrong, the next one starts clean."""
        request = {
            "id": next(self._numbers),
            "words": words,
            "voices": list(accents),
            "limit_seconds": self._limit * _OWN_LIMIT_FACTOR,
        }
        starting = START_SECONDS if self._process is None else 0.0
        try:
            async with asyncio.timeout(self._limit + starting):
                answer = await self._exchange(request)
        except TimeoutError:
            await self._stop()
            raise PronunciationUnavailable(
                f"espeak-ng took over {self._limit:g} s for some words."
            ) from None
        except (ConnectionError, json.JSONDecodeError, asyncio.LimitOverrunError):
            await self._stop()
            raise EOFError from None
        except BaseException:
            # Cancelled or worse: an answer may be under way, and must not meet the next request.
            await self._stop()
            raise
        if "error" in answer:
            raise PronunciationUnavailable(str(answer["error"]))
        return {
            (voice, word): from_ipa(ipa)
            for voice, answers in answer["ipa"].items()
            for word, ipa in zip(words, answers, strict=True)
        }

    async def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            self._process = await _start()
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise EOFError
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
        answer: dict[str, Any] = json.loads(await process.stdout.readuntil(b"\n"))
        if answer.get("id") != request["id"]:
            raise EOFError
        return answer

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        # The pipes close at the next turn of the loop, before anyone could close the loop.
        await asyncio.sleep(0)


async def _start() -> asyncio.subprocess.Process:
    """A fresh interpreter beside the library that espeakng-loader brings; never a fork."""
    found = find_spec("espeakng_loader")
    if found is None or found.origin is None:
        raise PronunciationUnavailable(
            "The package espeakng-loader is missing; install the requirements."
        )
    environment = {
        # Below the working directory, because espeak-ng cuts paths beyond 160 characters.
        "ESPEAK_DATA_PATH": "espeak-ng-data",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONUTF8": "1",
        "PATH": os.defpath,
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "ivr.speech.name_sounds_worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(found.origin).parent,
        env=environment,
        limit=_LONGEST_ANSWER,
    )
