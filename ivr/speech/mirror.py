"""A place on the network that keeps speech models: their list and their zip files, fetched."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit

import aiohttp
import vosk

from ivr.speech.errors import InstallError

PUBLIC = str(vosk.MODEL_PRE_URL)
"""where Vosk's own models are, as the package knows it"""
LIST = str(vosk.MODEL_LIST_URL).rpartition("/")[2]
CONNECT_SECONDS = 10.0
SILENT_SECONDS = 30.0
"""a server that sends nothing for so long has left us"""
LIST_SECONDS = 60.0
LIST_BYTES = 10_000_000
PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""before a broken download goes on"""
CHUNK_BYTES = 1 << 16
SERVER_ERROR = 500
PARTIAL = 206

Progress = Callable[[int, int], None]
"""bytes that are there, and bytes in all"""


@dataclass(slots=True)
class _Part:
    """What is there of a file that is being fetched."""

    out: IO[bytes]
    wanted: int
    validator: str = ""
    """what tells that the file has not changed meanwhile; without it one begins anew"""

    @property
    def here(self) -> int:
        return self.out.tell()

    def headers(self) -> dict[str, str]:
        """What asks for the rest."""
        if not self.here or not self.validator:
            return {}
        return {"Range": f"bytes={self.here}-", "If-Range": self.validator}

    def take(self, status: int, headers: Mapping[str, str]) -> None:
        """Be told how the answer goes on: a whole file, or from where we are."""
        is_rest = status == PARTIAL and headers.get("Content-Range", "").startswith(
            f"bytes {self.here}-"
        )
        if not is_rest:
            self.out.seek(0)
            self.out.truncate()
        tag = headers.get("ETag", "")
        self.validator = headers.get("Last-Modified", "") if not tag or tag[:2] == "W/" else tag


class Mirror:
    """`base` is an http(s) address below which a list and `<name>.zip` files lie.

    A proxy that the environment names (HTTPS_PROXY, NO_PROXY) is used. Every method raises
    InstallError. Use it as an asynchronous context.
    """

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InstallError(f"{base} is no address to fetch from: it must begin with https://")
        self.base = base.rstrip("/") + "/"
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
        )
        session = aiohttp.ClientSession(
            timeout=timeout,
            trust_env=True,
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        )
        self._session = await self._stack.enter_async_context(session)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def offers(self) -> list[Mapping[str, Any]]:
        """What the list says, an entry a model, unchecked."""
        url = self.base + LIST
        try:
            async with asyncio.timeout(LIST_SECONDS), self._session.get(url) as answer:
                answer.raise_for_status()
                text = bytearray()
                async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                    text += chunk
                    if len(text) > LIST_BYTES:
                        raise InstallError(f"{url} is no list of speech models: it is too long.")
            listed = json.loads(text)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise InstallError(
                f"the list of speech models cannot be had from {url} ({_why(error)}): check the "
                "network and HTTPS_PROXY, or name a mirror with --from"
            ) from None
        except ValueError:
            raise InstallError(f"{url} is no list of speech models: it is not JSON") from None
        if not isinstance(listed, list):
            raise InstallError(f"{url} is no list of speech models")
        return [entry for entry in listed if isinstance(entry, dict)]

    async def fetch(
        self, name: str, into: Path, size: int, limit_seconds: float, progress: Progress
    ) -> None:
        """Bring `<name>.zip`, of `size` bytes; what breaks off goes on where it was.

        Raises OSError when it cannot be written.
        """
        url = f"{self.base}{name}.zip"
        try:
            with _opened(into) as out:
                async with asyncio.timeout(limit_seconds):
                    await self._whole(url, _Part(out, size), progress)
        except TimeoutError:
            raise InstallError(
                f"{url} did not come within {limit_seconds / 60:.0f} minutes: try again later, or "
                "name a nearer mirror with --from"
            ) from None

    async def _whole(self, url: str, part: _Part, progress: Progress) -> None:
        why = ""
        for pause in (0.0, *PAUSES_SECONDS):
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads tries
            why = f"it ended before its {part.wanted} bytes"
            try:
                await self._go_on(url, part, progress)
            except aiohttp.ClientResponseError as error:
                why = _why(error)
                if error.status < SERVER_ERROR:
                    break
            except (aiohttp.ClientError, TimeoutError) as error:
                why = _why(error)
            if part.here == part.wanted:
                return
        raise InstallError(
            f"{url} cannot be fetched ({why}): try again, or name a mirror with --from"
        )

    async def _go_on(self, url: str, part: _Part, progress: Progress) -> None:
        async with self._session.get(url, headers=part.headers()) as answer:
            answer.raise_for_status()
            part.take(answer.status, answer.headers)
            async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                if part.here + len(chunk) > part.wanted:
                    raise InstallError(
                        f"{url} is larger than the {part.wanted} bytes that the list says"
                    )
                part.out.write(chunk)
                progress(part.here, part.wanted)


def _opened(file: Path) -> IO[bytes]:
    return file.open("wb")


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{error.status} {error.message}".strip()
    if isinstance(error, aiohttp.ClientConnectorError):
        number, text = error.errno or 0, error.strerror or str(error)
        return os.strerror(number) if number > 0 else text  # asyncio's own text repeats the address
    return str(error) or "no answer in time"
