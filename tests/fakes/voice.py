"""A voice whose sounds are the names of phrases; it knows the real catalogue's gaps."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

PROMPTS = Path(__file__).parents[2] / "audio-prompts"
GAP = re.compile(r"{(\w+)[:}]")
SCHEME = "fake:"


@cache
def catalogue(language: str) -> dict[str, str]:
    """Every phrase of the real catalogue, with or without a [phrases] table around them."""
    found = tomllib.loads((PROMPTS / language / "catalogue.toml").read_text(encoding="utf-8"))
    return cast("dict[str, str]", found.get("phrases", found))


@cache
def by_id(language: str) -> dict[str, str]:
    """The same; variants also by their ids (a_b for the key a.b)."""
    texts = catalogue(language)
    return texts | {re.sub(r"[.-]", "_", key): text for key, text in texts.items()}


@dataclass(frozen=True)
class Said:
    """One phrase as the caller hears it."""

    phrase: str
    language: str
    values: str
    """"amount=42.50 EUR date=2026-11-30" """


def said(sound: str) -> Said:
    """The phrase behind a sound of FakeVoice."""
    language, phrase, values = sound.removeprefix(SCHEME).split("/", 2)
    return Said(phrase, language, values)


class FakeVoice:
    """One sound a phrase. `broken` phrases raise, as a missing file would."""

    def __init__(self) -> None:
        self.broken: set[str] = set()

    async def sounds(self, phrase_id: str, language: str, **values: object) -> list[str]:
        """One URI, from which `said` reads the phrase. Fails on gaps that the catalogue has not."""
        gaps = set(GAP.findall(by_id(language)[phrase_id])) - {"company"}
        assert gaps == set(values), f"{phrase_id} has the gaps {gaps}, not {set(values)}"
        if phrase_id in self.broken:
            raise OSError(f"the sound of {phrase_id} is gone")
        spoken = " ".join(f"{name}={value}" for name, value in sorted(values.items()))
        return [f"{SCHEME}{language}/{phrase_id}/{spoken}"]
