"""One synthesiser and one built sounds folder for all tests of this area that only read them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.speech.catalogue import Catalogue
from ivr.speech.tts import Tts

PROMPTS = Path(__file__).parents[2] / "audio-prompts"


@pytest.fixture(scope="session")
def prompts_folder() -> Path:
    return PROMPTS


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.load(PROMPTS)


@pytest.fixture(scope="session")
def built(built_sounds: Path) -> Path:
    """To be read only, but for the names and services that are said in addition."""
    return built_sounds


@pytest.fixture
async def tts() -> AsyncIterator[Tts]:
    tts = Tts(workers=2)
    yield tts
    await tts.aclose()
