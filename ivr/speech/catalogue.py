"""The prompt catalogue: phrase id → fixed segments and gaps, in every language alike."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ivr.speech import spoken
from ivr.speech.errors import CatalogueError, UnknownPhraseError
from ivr.speech.words import Counted

Kind = Literal["money", "date", "month", "cardinal", "spelled", "brand", "free"]

# What may stand in a gap, by its name: docs of each kind are in ivr/speech/voice.py.
KINDS: Mapping[str, Kind] = {
    "amount": "money",
    "fee": "money",
    "date": "date",
    "digits": "spelled",
    "account": "spelled",
    "last4": "spelled",
    "code": "spelled",
    "count": "cardinal",
    "number": "cardinal",
    "brand": "brand",
    "name": "free",
    "service": "free",
}
_MARKS = re.compile(
    r"\{(?P<gap>\w+)(?::(?P<spec>\w+))?\}|\[(?P<other>[a-z]{2}):\s*(?P<said>[^\]]+)\]"
)
_ID = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*")
_ATTEMPT = re.compile(r"attempt([1-9])")
_OPENING_STOPS = re.compile(r"^[\s,.;:]+")
_CARD_TYPES = {"american-express": "amex", "americanexpress": "amex"}


@dataclass(frozen=True)
class Fixed:
    """A part of a phrase whose words never change: one sound file."""

    text: str
    # Whose voice says it: "[es: …]" inside an English phrase is Spanish.
    language: str
    # The sound's path below the sounds folder, without extension: "en/welcome-1".
    file: str
    recording: Path | None = None


@dataclass(frozen=True)
class Gap:
    """A part of a phrase that each call fills."""

    name: str
    kind: Kind
    counted: Counted = "alone"


@dataclass(frozen=True)
class Pause:
    """A short silence, where the text has a comma or full stop after a gap."""


Part = Fixed | Gap | Pause


@dataclass(frozen=True)
class Phrase:
    """One thing that can be said, in one language."""

    id: str
    language: str
    text: str
    parts: tuple[Part, ...]

    @property
    def fixed(self) -> tuple[Fixed, ...]:
        return tuple(part for part in self.parts if isinstance(part, Fixed))

    @property
    def gaps(self) -> frozenset[str]:
        return frozenset(part.name for part in self.parts if isinstance(part, Gap))


class Catalogue:
    """Every phrase in every language, checked: all languages hold the same ids and gaps.

    An id is written with underscores ("ask_security_code_amex"); the dotted key of a variant in the
    file ("ask_security_code.amex") and hyphens are understood too.
    """

    def __init__(self, languages: Mapping[str, Mapping[str, Phrase]], keys: Iterable[str]) -> None:
        self._languages = languages
        self._variants: dict[str, list[tuple[str, ...]]] = {}
        for key in keys:
            base, *traits = key.split(".")
            self._variants.setdefault(base, []).append(tuple(traits))
        _check_alike(languages)

    @classmethod
    def load(cls, folder: Path, company: str = "Saldo Telecom") -> "Catalogue":
        """Read `<folder>/<language>/catalogue.toml` of every language.

        `company` fills `{company}`, for all calls alike. Raises CatalogueError with the file, the
        phrase and what to do.
        """
        languages: dict[str, dict[str, Phrase]] = {}
        keys: dict[str, None] = {}
        for language in spoken.LANGUAGES:
            texts = _read(folder / language / "catalogue.toml")
            phrases: dict[str, Phrase] = {}
            for key, text in texts.items():
                phrase = _phrase(key, text.replace("{company}", company), language, folder)
                if phrase.id in phrases:
                    raise CatalogueError(f"{language}: two phrases would be called {phrase.id}.")
                phrases[phrase.id] = phrase
            languages[language] = phrases
            keys |= dict.fromkeys(texts)
        return cls(languages, keys)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._languages)

    @property
    def ids(self) -> frozenset[str]:
        """Every phrase id, with underscores."""
        return frozenset(next(iter(self._languages.values())))

    def phrase(self, phrase_id: str, language: str) -> Phrase:
        """The phrase in a language; UnknownPhraseError when there is none."""
        phrases = self._languages.get(language)
        if phrases is None:
            raise UnknownPhraseError(f"There are no prompts in the language {language!r}.")
        try:
            return phrases[_plain(phrase_id)]
        except KeyError:
            raise UnknownPhraseError(
                f"There is no phrase {phrase_id!r}; add it to every audio-prompts/*/catalogue.toml."
            ) from None

    def phrases(self) -> Iterator[Phrase]:
        """Every phrase of every language."""
        for phrases in self._languages.values():
            yield from phrases.values()

    def select(
        self,
        step: str,
        attempt: int | None = None,
        card_type: str | None = None,
        error_type: str | None = None,
    ) -> str:
        """The id of the most specific phrase for a step.

        A variant fits when each trait in its key is the case; the one with most traits is taken,
        and among equals the error type counts before the card type before the attempt. Of
        attempts, the last one that was reached fits ("attempt2" serves the third attempt when
        there is no "attempt3"). Raises UnknownPhraseError when nothing fits, the bare step
        included.
        """
        card = (card_type or "").lower().replace(" ", "-").replace("_", "-")
        case = (attempt or 0, _CARD_TYPES.get(card, card), (error_type or "").replace("_", "-"))
        base = _plain(step)
        fitting = [
            (rank, traits)
            for traits in self._variants.get(base, [])
            if (rank := _rank(traits, *case)) is not None
        ]
        if not fitting:
            raise UnknownPhraseError(f"There is no phrase for the step {step!r} in this case.")
        return _plain(".".join((base, *max(fitting)[1])))


def _rank(
    traits: tuple[str, ...], attempt: int, card_type: str, error_type: str
) -> tuple[int, bool, bool, int] | None:
    """How specific a variant is, or None when it does not fit the case."""
    error = card = False
    reached = 0
    for trait in traits:
        if trait == error_type:
            error = True
        elif trait == card_type:
            card = True
        elif (nth := _ATTEMPT.fullmatch(trait)) and int(nth[1]) <= attempt:
            reached = int(nth[1])
        else:
            return None
    return len(traits), error, card, reached


def _plain(key: str) -> str:
    return re.sub(r"[.-]", "_", key)


def _read(file: Path) -> dict[str, str]:
    try:
        texts = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CatalogueError(f"{file} is not valid TOML: {error}.") from error
    for key, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise CatalogueError(f'{file}: write {key} as one text; a dotted key needs "quotes".')
        if not _ID.fullmatch(key):
            raise CatalogueError(f"{file}: {key!r} is no phrase id (a-z, 0-9, _; dots, hyphens).")
    return texts


def _phrase(key: str, text: str, language: str, folder: Path) -> Phrase:
    phrase_id = _plain(key)
    whole = folder / language / f"{phrase_id}.wav"
    place = f"{language}/{phrase_id}"
    if whole.exists():
        if "{" in text:
            raise CatalogueError(f"{place} has gaps: record its parts as {phrase_id}-1.wav, -2 …")
        spoken_text = _MARKS.sub(lambda mark: mark["said"], text)
        return Phrase(
            phrase_id, language, text, (Fixed(spoken_text, language, f"{place}-1", whole),)
        )
    parts: list[Part] = []
    for said, voice, gap in _pieces(text, language, place):
        if gap is not None:
            parts.append(gap)
            continue
        stripped = _OPENING_STOPS.sub("", said).strip()
        if stripped != said.strip() and parts:
            parts.append(Pause())
        if stripped:
            file = f"{place}-{sum(isinstance(part, Fixed) for part in parts) + 1}"
            recording = folder / f"{file}.wav"
            found = recording if recording.exists() else None
            parts.append(Fixed(stripped, voice, file, found))
    while parts and isinstance(parts[-1], Pause):
        parts.pop()
    return Phrase(phrase_id, language, text, tuple(parts))


def _pieces(text: str, language: str, place: str) -> Iterator[tuple[str, str, Gap | None]]:
    """The text cut at its marks: (words, whose voice, or a gap)."""
    end = 0
    for mark in _MARKS.finditer(text):
        yield from _words(text[end : mark.start()], language, place)
        end = mark.end()
        if mark["gap"]:
            yield "", language, _gap(mark["gap"], mark["spec"], place)
        elif mark["other"] in spoken.LANGUAGES:
            yield mark["said"], mark["other"], None
        else:
            raise CatalogueError(f"{place}: there is no voice for [{mark['other']}: …].")
    yield from _words(text[end:], language, place)


def _words(text: str, language: str, place: str) -> Iterator[tuple[str, str, None]]:
    if re.search(r"[{}\[\]]", text):
        raise CatalogueError(f"{place}: a bracket is not closed, or has a space or sign inside.")
    if text.strip():
        yield text, language, None


def _gap(name: str, spec: str | None, place: str) -> Gap:
    kind = KINDS.get(name)
    if kind is None:
        raise CatalogueError(f"{place}: {{{name}}} is unknown; use one of {', '.join(KINDS)}.")
    if spec is None:
        return Gap(name, kind)
    if kind == "date" and spec == "month":
        return Gap(name, "month")
    if kind == "cardinal":
        for counted in get_args(Counted):
            if spec == counted:
                return Gap(name, kind, counted)
    raise CatalogueError(f"{place}: {{{name}:{spec}}} is unknown.")


def _check_alike(languages: Mapping[str, Mapping[str, Phrase]]) -> None:
    (first, reference), *others = languages.items()
    for language, phrases in others:
        if missing := set(reference) ^ set(phrases):
            name = min(missing)
            where = language if name in reference else first
            raise CatalogueError(f"The phrase {name} is missing in audio-prompts/{where}.")
        for phrase in reference.values():
            if phrase.gaps != phrases[phrase.id].gaps:
                raise CatalogueError(f"{phrase.id} has other gaps in {first} than in {language}.")
