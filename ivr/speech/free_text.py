"""Names and other texts of no catalogue: synthesised when first needed, kept for a while."""

import asyncio
import contextlib
import json
import os
import re
import time
import unicodedata
from hashlib import sha256
from pathlib import Path

from ivr.speech.errors import SynthesisTimeoutError, UnspeakableError
from ivr.speech.tts import FORMATS, Job, Tts

FOLDER = "dynamic"
NAMES = "names"
NAMES_LAST_SECONDS = 120.0
"""longer than any prompt in which a name is said"""
LOOKS = 4
"""so often in that time the sounds that are too old are looked for"""
LONGEST_TEXT = 200
MEGABYTE = 1_000_000
PATIENCE_SECONDS = 3.0  # no caller waits longer for a name
_LONG_NUMBER = re.compile(r"\d{5,}")
_DIGITS = re.compile(r"\d(?:[\s.\-]?\d)*")
_CARD_DIGITS = range(13, 16)  # lengths that a telephone number could have too


class FreeTexts:
    """A cache of spoken texts, by a hash of text and voice, never beyond `limit_bytes`.

    With `last_seconds` a sound is removed so long after it was asked for last, or a little later;
    what a killed process left, at the next start or after the next sound. Never give it anything
    secret: the sound is on disk. Texts that may be a card number are refused, whatever they are.
    """

    def __init__(
        self,
        sounds: Path,
        tts: Tts,
        limit_bytes: int = 64 * MEGABYTE,
        *,
        folder: str = FOLDER,
        last_seconds: float | None = None,
    ) -> None:
        self._folder = sounds / folder
        self._tts = tts
        self._limit = limit_bytes
        self._last_seconds = last_seconds
        self._making: dict[Path, asyncio.Task[None]] = {}
        self._ageing: asyncio.TimerHandle | None = None
        self._remove_old()

    async def file(self, text: str, language: str) -> Path:
        """Where the text's sound is, without extension; made now when it is not there yet.

        Raises UnspeakableError for an empty, overlong or card-like text, SynthesisError when the
        synthesiser fails.
        """
        said = speakable(text)
        place = self._place(said, language)
        self._age()
        if await asyncio.to_thread(_touch, place):
            return place
        # One synthesis serves all who wait for it, and outlives a caller who hangs up.
        task = self._making.get(place)
        if task is None:
            task = asyncio.create_task(self._make(said, language, place))
            self._making[place] = task
            task.add_done_callback(lambda _: self._made(place))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.shield(task)
        except TimeoutError:
            raise SynthesisTimeoutError("A text is still being synthesised.") from None
        return place

    def _made(self, place: Path) -> None:
        task = self._making.pop(place)
        if not task.cancelled():
            task.exception()  # seen, also when every caller has hung up

    async def _make(self, said: str, language: str, place: Path) -> None:
        await self._tts.speak(said, language, place)
        await asyncio.to_thread(self._trim, place)

    def _place(self, said: str, language: str) -> Path:
        identity = self._tts.identity(Job(self._folder, said, language))
        digest = sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return self._folder / digest[:32]

    def _age(self) -> None:
        """See to it that what is in use now is removed when its time is over."""
        if self._last_seconds is not None and self._ageing is None:
            pause = self._last_seconds / LOOKS
            self._ageing = asyncio.get_running_loop().call_later(pause, self._look)

    def _look(self) -> None:
        self._ageing = None
        if self._remove_old():
            self._age()

    def _remove_old(self) -> bool:
        """Whether anything is left; quick, for there are only the names of the last minutes."""
        if self._last_seconds is None or not self._folder.exists():
            return False
        oldest = time.time() - self._last_seconds
        is_any_left = bool(self._making)
        for entry in os.scandir(self._folder):
            with contextlib.suppress(FileNotFoundError):  # another removed it meanwhile
                if entry.stat().st_mtime < oldest:
                    Path(entry).unlink()
                else:
                    is_any_left = True
        return is_any_left

    def _trim(self, keep: Path) -> None:
        """Remove the sounds that were asked for longest ago until the rest fits."""
        sounds: dict[str, list[os.stat_result]] = {}
        for entry in os.scandir(self._folder):
            if not entry.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):  # too old, and removed meanwhile
                    sounds.setdefault(Path(entry.name).stem, []).append(entry.stat())
        total = sum(file.st_size for files in sounds.values() for file in files)
        oldest_first = sorted(sounds, key=lambda name: max(file.st_mtime for file in sounds[name]))
        for name in oldest_first:
            if total <= self._limit:
                return
            if name != keep.name:
                for extension in FORMATS:
                    (self._folder / f"{name}{extension}").unlink(missing_ok=True)
                total -= sum(file.st_size for file in sounds[name])


def speakable(text: str) -> str:
    """The text as it is given to the synthesiser: one line, long numbers digit by digit."""
    printable = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    said = " ".join(printable.split())
    if not any(sign.isalnum() for sign in said):
        raise UnspeakableError("There is nothing to say in an empty text.")
    if len(said) > LONGEST_TEXT:
        raise UnspeakableError(f"A text of over {LONGEST_TEXT} signs is too long to be said.")
    if any(_is_card_like(run) for run in _DIGITS.findall(said)):
        raise UnspeakableError("A text that may hold a card number is neither spoken nor kept.")
    return _LONG_NUMBER.sub(lambda number: " ".join(number[0]), said)


def _is_card_like(run: str) -> bool:
    digits = [int(sign) for sign in run if sign.isdigit()]
    if len(digits) < _CARD_DIGITS.start:
        return False
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return len(digits) not in _CARD_DIGITS or (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _touch(place: Path) -> bool:
    """Whether all formats are there; they count as used now."""
    try:
        for extension in FORMATS:
            os.utime(place.with_name(place.name + extension))
    except FileNotFoundError:
        return False
    return True
