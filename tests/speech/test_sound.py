"""Speech is trimmed, brought to one level and written whole in each format."""

import wave
from pathlib import Path

import numpy as np
import pytest

from ivr.speech import g711, sound
from ivr.speech.errors import CatalogueError, SynthesisError

RATE = 22050


def tone(seconds: float, level: float, rate: int = RATE) -> sound.Signal:
    return level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)


def with_silence(signal: sound.Signal, before: float, after: float) -> sound.Signal:
    return np.concatenate((sound.silence(before, RATE), signal, sound.silence(after, RATE)))


def dbfs(signal: sound.Signal) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(signal**2))))


@pytest.mark.parametrize("level", [0.01, 0.2, 0.9])
def test_whatever_its_level_speech_comes_out_alike(level: float) -> None:
    shaped = sound.shape(with_silence(tone(1.0, level), 0.3, 0.9), RATE, 0)
    assert dbfs(shaped) == pytest.approx(sound.LEVEL_DBFS, abs=0.3)


@pytest.mark.parametrize("margin_ms", [0, 20, 60])
def test_silence_is_trimmed_to_the_margin(margin_ms: int) -> None:
    shaped = sound.shape(with_silence(tone(1.0, 0.5), 0.4, 1.3), RATE, margin_ms)
    assert len(shaped) / RATE == pytest.approx(1.01 + 2 * margin_ms / 1000, abs=0.045)
    silent_end = round((2 * margin_ms - sound.LEAD_MS) * RATE / 1000)
    assert np.abs(shaped[-silent_end:] if silent_end > 0 else 0).max() < 1e-6


@pytest.mark.parametrize("before", [0.0, 0.003, 0.02, 0.4])
def test_no_caller_waits_for_the_first_sound_and_nothing_of_it_is_lost(before: float) -> None:
    spoken = with_silence(tone(1.0, 0.5), before, 0.3)
    shaped = sound.shape(spoken, RATE, 60)
    first = int(np.argmax(np.abs(shaped) > 1e-3)) / RATE
    assert first <= (sound.LEAD_MS + 5.5) / 1000
    assert first >= (sound.LEAD_MS - 0.5) / 1000


def test_a_soft_consonant_at_the_beginning_is_kept() -> None:
    hiss = np.random.default_rng(1).normal(0, 0.01, round(0.08 * RATE))
    spoken = np.concatenate((sound.silence(0.2, RATE), hiss, tone(0.5, 0.5)))
    shaped = sound.shape(spoken, RATE, 60)
    loud = int(np.argmax(np.abs(shaped) > 0.1)) / RATE
    assert loud == pytest.approx(0.08 + sound.LEAD_MS / 1000, abs=0.006)


def test_peaks_are_bent_and_never_clipped(tmp_path: Path) -> None:
    spiky = tone(1.0, 0.02)
    for start in range(0, len(spiky), 500):
        spiky[start : start + 8] *= 20
    shaped = sound.shape(spiky, RATE, 0)
    assert np.abs(shaped).max() > 1
    sound.publish(shaped, RATE, tmp_path / "spiky")
    wide = np.frombuffer((tmp_path / "spiky.sln16").read_bytes(), "<i2") / 32768
    narrow = g711.from_ulaw((tmp_path / "spiky.ulaw").read_bytes()) / 32768
    assert 0.8 < np.abs(wide).max() < 0.91
    assert 0.7 < np.abs(narrow).max() < 0.93


def test_silence_is_no_speech() -> None:
    for nothing in (sound.silence(1.0, RATE), sound.silence(0, RATE)):
        with pytest.raises(SynthesisError, match="empty or silent"):
            sound.shape(nothing, RATE, 60)


def test_all_formats_hold_the_same_sound_in_whole_frames(tmp_path: Path) -> None:
    shaped = sound.shape(tone(0.511, 0.5), RATE, 60)
    sizes = sound.publish(shaped, RATE, tmp_path / "en" / "hello-1")
    files = {file.suffix: file.read_bytes() for file in (tmp_path / "en").iterdir()}
    assert {suffix: len(data) for suffix, data in files.items()} == sizes
    assert sizes[".ulaw"] == sizes[".alaw"] == sizes[".sln16"] // 4
    assert sizes[".ulaw"] % 160 == 0
    narrow = g711.from_ulaw(files[".ulaw"]) / 32768
    wide = np.frombuffer(files[".sln16"], "<i2")[::2] / 32768
    assert np.corrcoef(narrow, wide)[0, 1] > 0.99
    assert dbfs(narrow) == pytest.approx(dbfs(wide), abs=0.2)


def test_a_write_that_fails_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.ulaw"
    sound.write_whole(file, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        sound.write_whole(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_stereo_recording_is_read_by_its_first_channel(tmp_path: Path) -> None:
    left = (tone(0.5, 0.5, 8000) * 32767).astype("<i2")
    frames = np.column_stack((left, np.zeros_like(left))).tobytes()
    with wave.open(str(tmp_path / "a.wav"), "wb") as recording:
        recording.setnchannels(2)
        recording.setsampwidth(2)
        recording.setframerate(8000)
        recording.writeframes(frames)
    signal, rate = sound.from_recording(tmp_path / "a.wav")
    assert rate == 8000
    assert np.allclose(signal, left / 32768)


def test_a_recording_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"ID3 this is an mp3")
    with pytest.raises(CatalogueError, match="16-bit PCM wav"):
        sound.from_recording(tmp_path / "a.wav")
