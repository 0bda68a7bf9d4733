"""Kaldi's MFCC, exactly as conf/mfcc.conf of the model tells Vosk to compute them."""

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from grammars.build.telephone import RATE_HZ, Wave

SIZE = 40
LOW_HZ, HIGH_HZ = 20, 3700
FRAME = RATE_HZ // 100
WINDOW = RATE_HZ // 40
_FFT = 256
_LIFTER = 22.0
_PREEMPHASIS = 0.97
_LEAST = float(np.finfo(np.float32).eps)

CONFIGURATION = f"""\
--sample-frequency={RATE_HZ}
--use-energy=false
--num-mel-bins={SIZE}
--num-ceps={SIZE}
--low-freq={LOW_HZ}
--high-freq={HIGH_HZ}
--dither=0.0
--allow-upsample=true
"""


def mfcc(wave: Wave) -> NDArray[np.float32]:
    """One row of SIZE numbers each 10 ms, from a wave between -1 and 1."""
    frames = sliding_window_view(wave.astype(np.float32) * np.float32(32768), WINDOW)[::FRAME]
    frames = frames - frames.mean(1, keepdims=True)
    before = np.concatenate((frames[:, :1], frames[:, :-1]), 1)
    shaped = (frames - np.float32(_PREEMPHASIS) * before) * _WINDOW
    spectrum = scipy.fft.rfft(shaped, _FFT)[:, : _FFT // 2]
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.log(np.maximum(power @ _BANDS.T, _LEAST))
    return np.asarray(bands @ CEPSTRUM.T, np.float32)


def _window() -> NDArray[np.float32]:
    turn = 2 * np.pi * np.arange(WINDOW) / (WINDOW - 1)
    return np.asarray((0.5 - 0.5 * np.cos(turn)) ** 0.85, np.float32)


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))


def _bands() -> NDArray[np.float32]:
    """The share of each frequency in each band: triangles evenly over the mel scale."""
    low, high = _mel(np.array([LOW_HZ, HIGH_HZ], np.float64))
    corners = np.linspace(low, high, SIZE + 2)
    mel = _mel(np.arange(_FFT // 2, dtype=np.float64) * (RATE_HZ / _FFT))
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (mel - left) / (centre - left), (right - mel) / (right - centre)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float32)


def _cepstrum() -> NDArray[np.float32]:
    """From the logarithms of the bands to MFCC."""
    order = np.arange(SIZE)
    cosines = np.cos(np.pi / SIZE * (order + 0.5) * order[:, None]) * np.sqrt(2 / SIZE)
    cosines[0] = np.sqrt(1 / SIZE)
    lift = 1 + 0.5 * _LIFTER * np.sin(np.pi * order / _LIFTER)
    return np.asarray(cosines * lift[:, None], np.float32)


_WINDOW = _window()
_BANDS = _bands()
# MFCC are this matrix times the logarithms of the bands.
CEPSTRUM = _cepstrum()
