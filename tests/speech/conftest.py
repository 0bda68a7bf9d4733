"""One synthesiser and one built sounds folder for all tests of this area that only read them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.speech import prompts
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
def built(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")

    async def build() -> None:
        tts = Tts()
        try:
            await prompts.build(catalogue, PROMPTS, folder, tts)
        finally:
            await tts.aclose()

    asyncio.run(build())
    return folder


@pytest.fixture
async def tts() -> AsyncIterator[Tts]:
    tts = Tts(workers=2)
    yield tts
    await tts.aclose()
