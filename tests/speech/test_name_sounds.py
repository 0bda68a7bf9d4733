"""How names are pronounced, asked of the real espeak-ng in its own process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from ivr.billing.sounds import ALL_ACCENTS, PronunciationUnavailable
from ivr.speech.name_sounds import NameSounds


@pytest.fixture
async def voice() -> AsyncIterator[NameSounds]:
    sounds = NameSounds()
    yield sounds
    await sounds.aclose()


async def test_a_name_sounds_different_in_each_accent(voice: NameSounds) -> None:
    james, munoz = await voice.sounds(["james", "muñoz"])
    assert dict(zip(ALL_ACCENTS, james, strict=True)) == {
        "en-us": "Jeymz",
        "en-gb-x-rp": "Jeymz",
        "es": "hames",
        "es-419": "hames",
    }
    assert munoz[ALL_ACCENTS.index("es")] == "munyoT"
    assert munoz[ALL_ACCENTS.index("es-419")] == "munyos"


async def test_many_words_come_back_in_their_order(voice: NameSounds) -> None:
    words = [f"{first}{last}" for first in "bdfklmnprst" for last in ("ana", "eto", "igu")] * 40
    found = await voice.sounds(words, ["es"])
    assert len(found) == len(words)
    assert found[:33] == found[33:66]
    assert len(set(found)) == 33


@pytest.mark.parametrize("word", ["", "x" * 5000, "a\nb\x00c", "🙂"])
async def test_a_strange_word_is_no_trouble(voice: NameSounds, word: str) -> None:
    await voice.sounds([word])
    assert await voice.sounds(["ana"], ["es"]) == [("ana",)]


async def test_a_killed_process_is_replaced(voice: NameSounds) -> None:
    await voice.sounds(["ana"], ["es"])
    assert voice._process is not None
    os.kill(voice._process.pid, signal.SIGKILL)
    assert await voice.sounds(["eva"], ["es"]) == [("eba",)]


async def test_an_unknown_accent_is_told(voice: NameSounds) -> None:
    with pytest.raises(PronunciationUnavailable, match="no voice 'nobody'"):
        await voice.sounds(["ana"], ["nobody"])


async def test_a_hung_process_costs_its_time_limit_and_no_more() -> None:
    voice = NameSounds(limit_seconds=0.3)
    try:
        await voice.sounds(["ana"], ["es"])
        assert voice._process is not None
        os.kill(voice._process.pid, signal.SIGSTOP)
        with pytest.raises(PronunciationUnavailable, match="took over"):
            await voice.sounds(["eva"], ["es"])
        assert await voice.sounds(["eva"], ["es"]) == [("eba",)]
    finally:
        await voice.aclose()


async def test_callers_at_once_get_each_their_own(voice: NameSounds) -> None:
    words = ["ana", "eva", "pepe", "lola"]
    found = await asyncio.gather(*(voice.sounds([word], ["es"]) for word in words))
    assert [sound for ((sound,),) in found] == ["ana", "eba", "pepe", "lola"]
