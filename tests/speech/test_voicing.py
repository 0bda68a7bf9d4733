"""A voice told from hiss, coughs and tones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ivr.speech.voicing import FRAME_SECONDS, VoiceMeter, Voicing

SECONDS = 0.6


def measured(signal: npt.NDArray[np.float64], rate: int) -> Voicing:
    meter = VoiceMeter(rate)
    batch = rate // 10
    for at in range(0, len(signal), batch):
        sound = signal[at : at + batch].astype("<i2").tobytes()
        meter.hear(sound, [True] * round(len(sound) / 2 / rate / FRAME_SECONDS))
    return meter.voicing


def times(rate: int) -> npt.NDArray[np.float64]:
    return np.arange(round(SECONDS * rate)) / rate


def vowel(rate: int, colour_hz: float) -> npt.NDArray[np.float64]:
    """A pitch of 120 Hz, loudest where that vowel is."""
    harmonics = np.arange(1, 25) * 120.0
    loud = np.exp(-(((harmonics - colour_hz) / 400) ** 2))
    waves = np.sin(2 * np.pi * np.outer(harmonics, times(rate)))
    return np.asarray(4000 * loud @ waves)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_hiss_has_no_voice_in_it(rate: int) -> None:
    hiss = np.random.default_rng(3).normal(0, 3000, round(SECONDS * rate))
    assert measured(hiss, rate).voiced_seconds < 0.04


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_chord_never_changes_its_colour(rate: int) -> None:
    tones = [np.sin(2 * np.pi * hertz * times(rate)) for hertz in (220.0, 277.18, 329.63)]
    assert measured(np.asarray(2000 * sum(tones)), rate).wandering < 0.004


@pytest.mark.parametrize("rate", [8000, 16000])
def test_two_vowels_are_voiced_and_differ(rate: int) -> None:
    voicing = measured(np.concatenate((vowel(rate, 400), vowel(rate, 1800))), rate)
    assert voicing.loud_seconds == pytest.approx(2 * SECONDS)
    assert voicing.voiced_seconds > SECONDS
    assert voicing.wandering > 0.05


def test_what_was_forgotten_does_not_count() -> None:
    meter = VoiceMeter(8000)
    meter.hear(vowel(8000, 400).astype("<i2").tobytes(), [True] * 30)
    meter.forget()
    assert meter.voicing.loud_seconds == 0.0


def test_quiet_frames_do_not_count() -> None:
    meter = VoiceMeter(8000)
    meter.hear(vowel(8000, 400)[:1600].astype("<i2").tobytes(), [True] * 5 + [False] * 5)
    assert meter.voicing.loud_seconds == pytest.approx(0.1)
