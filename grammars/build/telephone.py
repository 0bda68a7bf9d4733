"""What a telephone does to a voice: level, band, noise, μ-law."""

from functools import lru_cache

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft, signal

RATE_HZ = 8000
Wave = NDArray[np.float32]
_MU = 255.0


def resampled(wave: Wave, rate: float) -> Wave:
    """At the telephone's rate. A rate other than the true one also changes voice and pace."""
    return np.asarray(soxr.resample(wave, rate, RATE_HZ, quality="HQ"), dtype=np.float32)


def mu_law_and_back(wave: Wave) -> Wave:
    """What is left of a wave after a G.711 μ-law line."""
    clipped = np.clip(wave, -1, 1)
    squeezed = np.sign(clipped) * np.log1p(_MU * np.abs(clipped)) / np.log1p(_MU)
    steps = np.round(squeezed * 127) / 127
    return np.asarray(np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(_MU)) / _MU, np.float32)


def levelled(wave: Wave, decibels: float) -> Wave:
    """With its loudest sample at `decibels` below full scale (a negative number)."""
    peak = float(np.abs(wave).max()) or 1.0
    return np.asarray(wave * (10 ** (decibels / 20) / peak), np.float32)


def with_noise(wave: Wave, noise: Wave, snr: float) -> Wave:
    """With noise `snr` dB below the average power of what is loud in the wave."""
    loud = wave[np.abs(wave) > 0.05 * (np.abs(wave).max() or 1)]
    power = float(np.mean(loud**2)) if loud.size else 1e-4
    own = float(np.mean(noise**2)) or 1.0
    return np.asarray(wave + noise * np.sqrt(power / own / 10 ** (snr / 10)), np.float32)


def coloured(count: int, slope: float, rng: np.random.Generator) -> Wave:
    """Steady noise; a slope of 0 is white, 1 pink, 2 brown."""
    enough = fft.next_fast_len(count, real=True)
    spectrum = fft.rfft(rng.standard_normal(enough, np.float32))
    frequency = np.maximum(np.arange(spectrum.size, dtype=np.float32), 1.0)
    return np.asarray(fft.irfft(spectrum / frequency ** (slope / 2), enough)[:count], np.float32)


def hum(count: int, rng: np.random.Generator) -> Wave:
    """Mains hum with its harmonics."""
    base = rng.choice((50.0, 60.0))
    time = np.arange(count) / RATE_HZ
    parts = (np.sin(2 * np.pi * base * n * time + rng.uniform(0, 6)) / n for n in range(2, 9))
    return np.asarray(sum(parts), np.float32)


def cough(rng: np.random.Generator) -> Wave:
    """A cough, click, breath, knock or key tone."""
    count = int(RATE_HZ * rng.uniform(0.04, 0.6))
    kind = rng.integers(0, 4)
    if kind == 0:
        pair = rng.choice((697, 770, 852, 941)), rng.choice((1209, 1336, 1477))
        time = np.arange(count) / RATE_HZ
        return np.asarray(sum(np.sin(2 * np.pi * tone * time) for tone in pair), np.float32)
    noise = coloured(count, float(rng.uniform(0, 1.5)), rng)
    low = rng.uniform(150, 900)
    band = _band(low, min(low * rng.uniform(2, 8), 3900))
    rise = max(int(count * rng.uniform(0.01, 0.4)), 8)
    shape = np.concatenate((np.linspace(0, 1, rise), np.geomspace(1, 0.01, max(count - rise, 8))))
    return np.asarray(signal.sosfilt(band, noise) * shape[:count], np.float32)


def telephone_band(wave: Wave, rng: np.random.Generator) -> Wave:
    """Cut as by a narrow line, with a handset's tilt."""
    low, high = rng.uniform(80, 350), rng.uniform(3200, 3900)
    band = _band(low, high)
    tilt = rng.uniform(-0.4, 0.4)
    return np.asarray(signal.lfilter((1.0, tilt), (1.0,), signal.sosfilt(band, wave)), np.float32)


def muffled(wave: Wave, rng: np.random.Generator) -> Wave:
    """As through cloth, or with a mouth beside the telephone: what is high is weak."""
    corner = rng.uniform(700, 2500)
    low = signal.butter(1, corner, "low", fs=RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(low, wave), np.float32)


def _band(low: float, high: float) -> NDArray[np.float64]:
    return _rounded_band(round(low / 10) * 10, round(high / 50) * 50)


@lru_cache
def _rounded_band(low: int, high: int) -> NDArray[np.float64]:
    sections = signal.butter(2, (low, high), "band", fs=RATE_HZ, output="sos")
    return np.asarray(sections)
