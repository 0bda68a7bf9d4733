"""Phrases as sounds that Asterisk plays: a phrase id and its values become one play."""

import datetime as dt
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol, runtime_checkable

from ivr.speech import spoken
from ivr.speech.catalogue import Catalogue, Fixed, Gap, Part
from ivr.speech.errors import MissingValueError, SpeechError, SynthesisError, UnspeakableError
from ivr.speech.free_text import NAMES, NAMES_LAST_SECONDS, FreeTexts
from ivr.speech.prompts import fragment_file
from ivr.speech.tts import Tts
from ivr.speech.words import Words

SCHEME = "sound:"
_ULAW_BYTES_A_SECOND = 8000
_log = logging.getLogger(__name__)


@runtime_checkable
class Money(Protocol):
    """What an {amount} must be like; ivr.billing.money.Money is."""

    @property
    def amount(self) -> Decimal: ...
    @property
    def currency(self) -> str: ...


@dataclass(frozen=True)
class Segment:
    """A fixed part of a phrase and its sound, by which the simulated phone knows the phrase."""

    phrase_id: str
    text: str
    ulaw: Path


class Voice:
    """The company's voice: what to play for a phrase, in the caller's language.

    `folder` is where `saldo prompts build` put the sounds; Asterisk must be able to read it.
    """

    def __init__(self, catalogue: Catalogue, folder: Path, tts: Tts) -> None:
        self.catalogue = catalogue
        self._folder = folder.absolute()
        self._services = FreeTexts(self._folder, tts)
        # Names are what callers said, whether or not anybody bears them. All of them go soon and
        # are made anew for the next caller: how long that takes tells nobody who is a customer.
        self._names = FreeTexts(self._folder, tts, folder=NAMES, last_seconds=NAMES_LAST_SECONDS)

    async def sounds(self, phrase_id: str, language: str, **values: object) -> list[str]:
        """Media URIs in playing order, for one ARI play.

        Values by gap: amount a Money, date a datetime.date, count and number an int, digits,
        account, last4 and code a str of letters and digits, brand, name and service a str. Only a
        service that was never said before, or a name not lately, takes time (tens of
        milliseconds); when it cannot be said it is left out, and the rest of the phrase is said.

        Raises UnknownPhraseError, MissingValueError, UnspeakableError.
        """
        phrase = self.catalogue.phrase(phrase_id, language)
        uris: list[str] = []
        for part in phrase.parts:
            uris += [
                self._uri(file) for file in await self._files(part, phrase.id, language, values)
            ]
        return uris

    async def _files(
        self, part: Part, phrase_id: str, language: str, values: dict[str, object]
    ) -> list[str]:
        if isinstance(part, Fixed):
            return [part.file]
        if not isinstance(part, Gap):
            return [fragment_file(spoken.PAUSE, language)]
        if part.name not in values:
            raise MissingValueError(f"The phrase {phrase_id} needs a value for {{{part.name}}}.")
        value = values[part.name]
        try:
            if part.kind == "free":
                texts = self._names if part.name == "name" else self._services
                return await self._free(texts, value, language)
            words = _words(part, value, language)
        except TypeError:
            raise MissingValueError(
                f"The phrase {phrase_id} needs another type for {{{part.name}}} ({part.kind}), "
                f"not {type(value).__name__}."
            ) from None
        return [fragment_file(word, language) for word in words]

    async def _free(self, texts: FreeTexts, value: object, language: str) -> list[str]:
        if not isinstance(value, str):
            raise TypeError
        try:
            file = await texts.file(value, language)
        except (SynthesisError, UnspeakableError) as error:
            _log.warning("A name or service was left out of a prompt: %s", error)
            return []
        return [str(file.relative_to(self._folder))]

    def _uri(self, file: str) -> str:
        return f"{SCHEME}{self._folder}/{file}"

    def segments(self, phrase_id: str, language: str) -> tuple[Segment, ...]:
        """The fixed parts of a phrase in order; their files need not have been built."""
        phrase = self.catalogue.phrase(phrase_id, language)
        return tuple(
            Segment(phrase.id, part.text, self._folder / f"{part.file}.ulaw")
            for part in phrase.fixed
        )

    def all_segments(self) -> Iterator[tuple[str, Segment]]:
        """Every fixed part of every phrase, with its language."""
        for phrase in self.catalogue.phrases():
            for segment in self.segments(phrase.id, phrase.language):
                yield phrase.language, segment


def seconds(sounds: Iterable[str]) -> float:
    """How long a list of media URIs plays, from the sizes of the built files.

    Raises SpeechError when one is not built.
    """
    total = 0
    for uri in sounds:
        file = Path(f"{uri.removeprefix(SCHEME)}.ulaw")
        try:
            total += file.stat().st_size
        except OSError:
            raise SpeechError(f"{file} is missing; run `saldo prompts build`.") from None
    return total / _ULAW_BYTES_A_SECOND


def _words(gap: Gap, value: object, language: str) -> Words:
    """The fragments for a value; TypeError when it is of another kind."""
    match gap.kind, value:
        case "money", Money():
            return spoken.money_words(value.amount, value.currency, language)
        case "date", dt.date():
            return spoken.date_words(value, language)
        case "month", dt.date():
            return spoken.month_words(value, language)
        case "cardinal", int():
            return spoken.number_words(value, language, gap.counted)
        case "spelled", str():
            return spoken.spelled_words(value, language)
        case "brand", str():
            return spoken.brand_words(value, language)
    raise TypeError
