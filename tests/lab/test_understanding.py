"""What the shipped models make of sounds that are no answer, and of recordings."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ivr import hearing
from ivr.dialogue.hearing import NAME
from ivr.lab.phrasebook import RATE, Samples
from ivr.lab.speaking import Utterance, synthesise
from ivr.lab.understanding import Trial, recorded, spoken, understand
from ivr.settings import Settings
from ivr.speech.ears import Ears
from ivr.speech.errors import HearingError

SECONDS = 8.0
"""longer than any answer"""


@pytest.fixture(scope="module")
def ears() -> Iterator[Ears]:
    settings = Settings.model_validate({"speech": {"models": {"en": "shipped"}}})
    ears = hearing.ears(settings)
    assert ears is not None
    yield ears
    ears.close()


async def noise(kind: str) -> Samples:
    if kind == "silence":
        return np.zeros(round(SECONDS * RATE), np.int16)
    sound = Utterance(noise=kind, seconds=None if kind == "cough" else SECONDS)
    return (await synthesise([sound]))[sound].samples


@pytest.mark.parametrize(
    ("kind", "question"),
    [("silence", "yes_no"), ("cough", "digits"), ("music", NAME), ("babble", "yes_no")],
)
async def test_what_nobody_said_is_no_answer(ears: Ears, kind: str, question: str) -> None:
    result = await understand(ears, Trial("en", question, kind, await noise(kind)))
    assert (result.meaning, result.passed) == ("", False)
    assert result.why


async def test_a_recording_of_another_rate_is_understood(ears: Ears, tmp_path: Path) -> None:
    said = await spoken("en", "digits", Utterance("one zero four two", voice=""))
    file = tmp_path / "said.wav"
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, 3 * RATE, 0, "NONE", ""))
        out.writeframes(np.repeat(said.sound, 3).astype("<i2").tobytes())
    result = await understand(ears, recorded("en", "digits", file))
    assert result.meaning == "1042"
    assert result.passed


async def test_a_language_or_question_that_is_not_there_is_told(ears: Ears) -> None:
    silence = await noise("silence")
    with pytest.raises(HearingError, match="no speech model for 'es'"):
        await understand(ears, Trial("es", "yes_no", "", silence))
    with pytest.raises(HearingError, match=r"no question 'colour': use one of .*yes_no"):
        await understand(ears, Trial("en", "colour", "", silence))
