"""From raw speech to files that Asterisk plays as they are: trimmed, levelled, encoded."""

import os
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from ivr.speech import g711
from ivr.speech.errors import CatalogueError, SynthesisError

Signal = npt.NDArray[np.float64]

LEVEL_DBFS = -16.0  # root mean square of the speech, silence left out
FRAME_SECONDS = 0.02
LEAD_MS = 10  # of what precedes the first sound: a caller waits for it, and it begins softly

_ONSET_SECONDS = 0.005  # the first sound is sought to this grain
_QUIET_DB = -42.0  # below the loudest frame: silence to trim
_SPEECH_DB = -30.0  # below the loudest frame: not counted for the level
_KNEE = 0.65  # of full scale; louder peaks are bent, never cut off
_CEILING = 0.9
_FULL_SCALE = 32768.0
_PHONE_RATE = 8000


def from_pcm(data: bytes) -> Signal:
    """16-bit little-endian samples as numbers from -1 to 1."""
    return np.frombuffer(data, "<i2").astype(np.float64) / _FULL_SCALE


def from_recording(file: Path) -> tuple[Signal, int]:
    """A 16-bit PCM wav's first channel and its rate; CatalogueError when it is anything else."""
    try:
        with wave.open(str(file)) as recording:
            if recording.getsampwidth() != 2:  # noqa: PLR2004 - bytes in 16 bits
                raise CatalogueError(f"{file}: save the recording as 16-bit PCM wav.")
            signal = from_pcm(recording.readframes(recording.getnframes()))
            return signal[:: recording.getnchannels()], recording.getframerate()
    except (OSError, EOFError, wave.Error) as error:
        raise CatalogueError(f"{file}: save the recording as 16-bit PCM wav ({error}).") from error


def silence(seconds: float, rate: int) -> Signal:
    """Nothing to hear."""
    return np.zeros(round(seconds * rate))


def shape(signal: Signal, rate: int, margin_ms: int) -> Signal:
    """Speech at LEVEL_DBFS that begins at once and ends in silence, in whole 20 ms frames.

    Between two of them there are twice `margin_ms`: LEAD_MS before the later one, all the rest
    after the earlier. Peaks may lie above full scale; `publish` bends them.
    Raises SynthesisError when there is nothing to hear.
    """
    frame = round(FRAME_SECONDS * rate)
    loudness = _loudness(signal, frame)
    if not loudness.size or not loudness.max():
        raise SynthesisError("The sound is empty or silent.")
    least = loudness.max() * 10 ** (_QUIET_DB / 20)
    end = (np.flatnonzero(loudness > least)[-1] + 1) * frame
    grain = round(_ONSET_SECONDS * rate)
    start = int(np.argmax(_loudness(signal, grain) > least)) * grain
    gain = 10 ** (LEVEL_DBFS / 20) / _speech_level(signal, rate)
    lead = round(LEAD_MS * rate / 1000)
    tail = max(0, round(2 * margin_ms * rate / 1000) - lead)
    padded = np.concatenate((np.zeros(lead), signal, np.zeros(tail + frame)))
    cut = padded[start : lead + end + tail]
    speech_in_frames: Signal = np.pad(cut, (0, -len(cut) % frame)) * gain
    return speech_in_frames


def _speech_level(signal: Signal, rate: int) -> float:
    """Root mean square of the speech as a telephone carries it.

    Measured on the wide signal, a word with an "s" would come out louder than one without: a phone
    drops most of that sound, and its vowel would have been raised to make up for it.
    """
    loudness = _loudness(
        soxr.resample(signal, rate, _PHONE_RATE), round(_PHONE_RATE * FRAME_SECONDS)
    )
    speech = loudness[loudness > loudness.max() * 10 ** (_SPEECH_DB / 20)]
    return float(np.sqrt(np.mean(speech**2)))


def _loudness(signal: Signal, frame: int) -> Signal:
    """Root mean square of each frame."""
    whole = np.pad(signal, (0, -len(signal) % frame)).reshape(-1, frame)
    levels: Signal = np.sqrt(np.mean(whole**2, axis=1))
    return levels


def _bend(signal: Signal) -> Signal:
    """Peaks above the knee pressed below the ceiling, everything else as it was."""
    room = _CEILING - _KNEE
    over = np.abs(signal) - _KNEE
    bent = _KNEE + room * np.tanh(np.maximum(over, 0) / room)
    return np.where(over > 0, np.sign(signal) * bent, signal)


def publish(signal: Signal, rate: int, file: Path) -> dict[str, int]:
    """Write `file` (a path without extension) in every format, each file at once.

    Returns the size in bytes of each format. The μ-law file comes last: when it is there, so are
    the others.
    """
    narrow, wide = _at(signal, rate, _PHONE_RATE), _at(signal, rate, 16000)
    encoded = {
        ".alaw": g711.to_alaw(narrow),
        ".sln16": wide.astype("<i2").tobytes(),
        ".ulaw": g711.to_ulaw(narrow),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    for extension, data in encoded.items():
        write_whole(file.with_name(file.name + extension), data)
    return {extension: len(data) for extension, data in encoded.items()}


def _at(signal: Signal, rate: int, wanted: int) -> g711.Samples:
    """Resampled to 16 bits, as many samples as the whole frames of the signal have."""
    # Bent here, not before: a resampler overshoots where a peak was bent.
    resampled = _bend(soxr.resample(signal, rate, wanted))
    length = round(len(signal) * wanted / rate)
    exact = np.pad(resampled, (0, max(0, length - len(resampled))))[:length]
    return np.clip(np.rint(exact * _FULL_SCALE), -32768, 32767).astype(np.int16)


def write_whole(file: Path, data: bytes) -> None:
    """A reader sees the old file or the new one, never a part."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
