"""What a simulated caller says: voices, noise, and the words in what they hear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ivr.lab.errors import LabError
from ivr.lab.phrasebook import RATE, Samples
from ivr.lab.scenario_words import Transcriber, contains, shipped_models
from ivr.lab.speaking import (
    NOISES,
    PAUSE_SECONDS,
    Utterance,
    synthesise,
    voice_file,
)


def level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber(shipped_models())


# --- voices


@pytest.mark.parametrize(
    ("voice", "file"),
    [
        ("en-us", "en-US"),
        ("en-gb", "en"),
        ("en-GB+f2", "en+f2"),
        ("en-gb-x-rp+m3", "en-GB-x-rp+m3"),
        ("es", "es"),
        ("es-mx+f1", "es-419+f1"),
        ("en-us+f99", None),
        ("klingon", None),
        ("", None),
    ],
)
def test_a_voice_is_known_by_its_language_and_variant(voice: str, file: str | None) -> None:
    assert voice_file(voice) == file


async def test_every_voice_and_rate_sounds_different() -> None:
    wanted = [
        Utterance("james smith"),
        Utterance("james smith", "en+f2"),
        Utterance("james smith", "en+f2", 230),
        Utterance("james smith", "es"),
    ]
    sounds = await synthesise(wanted)
    assert len({one.samples.tobytes() for one in sounds.values()}) == len(wanted)
    assert len(sounds[wanted[2]].samples) < 0.85 * len(sounds[wanted[1]].samples)
    assert all(0.4 < len(one.samples) / RATE < 2 for one in sounds.values())


async def test_noise_lies_as_far_below_the_words_as_asked_and_stays_on_the_line() -> None:
    quiet, noisy = Utterance("james smith"), Utterance("james smith", noise_db=20)
    sounds = await synthesise([quiet, noisy])
    words = sounds[quiet].samples
    before = sounds[noisy].samples[: round(PAUSE_SECONDS * RATE)]
    heard = words[np.abs(words.astype(np.int32)) > 200]
    assert 20 * np.log10(level(heard) / level(before)) == pytest.approx(20, abs=1)
    assert level(sounds[noisy].background) == pytest.approx(level(before), rel=0.1)
    assert not len(sounds[quiet].background)


async def test_the_same_is_said_in_every_run() -> None:
    noisy = Utterance("yes", noise_db=10)
    one, other = [(await synthesise([noisy]))[noisy] for _ in range(2)]
    assert one.samples.tobytes() == other.samples.tobytes()


@pytest.mark.parametrize("noise", NOISES)
async def test_a_noise_is_as_loud_as_words_and_as_long_as_asked(noise: str) -> None:
    short, long = Utterance(noise=noise, seconds=0.5), Utterance(noise=noise, seconds=8)
    sounds = await synthesise([short, long])
    assert len(sounds[short].samples) / RATE == 0.5
    assert len(sounds[long].samples) / RATE == 8
    assert 1500 < level(sounds[short].samples) < 4000


# --- words


@pytest.mark.parametrize(
    ("text", "wanted", "is_in"),
    [
        ("Thank you for your payment.", "thank you", True),
        ("Thank you", "thank you very much", False),
        ("you thank", "thank you", False),
        ("¿Es usted María García?", "maria garcia", True),
        ("It's O'Neill", "its oneill", True),
        ("thank", "than", False),
    ],
)
def test_words_are_in_a_text_whole_and_in_order(text: str, wanted: str, *, is_in: bool) -> None:
    assert contains(text, wanted) is is_in


async def test_spoken_words_are_recognised_though_there_is_a_pause_between(
    transcriber: Transcriber,
) -> None:
    yes, no = Utterance("yes", "en-us+m3"), Utterance("maybe not", "en-us+m3")
    sounds = await synthesise([yes, no])
    pause = np.zeros(RATE, np.int16)
    line = np.concatenate((sounds[yes].samples, pause, sounds[no].samples))
    words = transcriber.recognise(line, "en")
    assert contains(words, "yes")
    assert len(words.split()) >= 2


def test_silence_has_no_words(transcriber: Transcriber) -> None:
    assert transcriber.recognise(np.zeros(RATE, np.int16), "en") == ""


def test_a_language_without_a_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no speech model for 'en'"):
        Transcriber({}).recognise(np.zeros(9, np.int16), "en")
    with pytest.raises(LabError, match="no speech model in"):
        Transcriber({"en": tmp_path / "none"}).recognise(np.zeros(9, np.int16), "en")
