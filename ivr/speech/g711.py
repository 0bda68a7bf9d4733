"""G.711 companding by table: linear 16-bit samples to μ-law and A-law, and back.

ITU-T G.711; the segments are computed here, each code word once, and checked against known vectors.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
CodeWords = npt.NDArray[np.uint8]

_ULAW_BIAS = 33  # in the 14-bit domain of μ-law
_ULAW_CLIP = 8158


def to_ulaw(samples: Samples) -> bytes:
    """One byte a sample."""
    table = _ulaw_table()
    return table[samples.astype(np.int32) + 32768].tobytes()


def to_alaw(samples: Samples) -> bytes:
    """One byte a sample."""
    table = _alaw_table()
    return table[samples.astype(np.int32) + 32768].tobytes()


def from_ulaw(data: bytes) -> Samples:
    """The 16-bit sample in the middle of each μ-law step."""
    return _ulaw_levels()[np.frombuffer(data, np.uint8)]


def from_alaw(data: bytes) -> Samples:
    """The 16-bit sample in the middle of each A-law step."""
    return _alaw_levels()[np.frombuffer(data, np.uint8)]


def _all_samples() -> npt.NDArray[np.int32]:
    return np.arange(-32768, 32768, dtype=np.int32)


@cache
def _ulaw_table() -> CodeWords:
    linear = _all_samples() >> 2
    magnitude = np.minimum(np.abs(linear), _ULAW_CLIP) + _ULAW_BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    mantissa = (magnitude >> (segment + 1)) & 0x0F
    sign = np.where(linear < 0, 0x80, 0)
    words: CodeWords = (~(sign | (segment << 4) | mantissa)).astype(np.uint8)
    return words


@cache
def _alaw_table() -> CodeWords:
    linear = _all_samples() >> 3
    # Negative steps are counted from -1, so that zero belongs to the positive side alone.
    magnitude = np.where(linear < 0, -linear - 1, linear)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    mantissa = (magnitude >> np.maximum(segment, 1)) & 0x0F
    sign = np.where(linear < 0, 0, 0x80)
    words: CodeWords = ((sign | (segment << 4) | mantissa) ^ 0x55).astype(np.uint8)
    return words


@cache
def _ulaw_levels() -> Samples:
    word = ~np.arange(256, dtype=np.int32)
    segment, mantissa = (word >> 4) & 0x07, word & 0x0F
    magnitude = (((mantissa << 1) + _ULAW_BIAS) << segment) - _ULAW_BIAS
    return np.where(word & 0x80, -magnitude * 4, magnitude * 4).astype(np.int16)


@cache
def _alaw_levels() -> Samples:
    word = np.arange(256, dtype=np.int32) ^ 0x55
    segment, mantissa = (word >> 4) & 0x07, word & 0x0F
    plain = (mantissa << 4) + 8
    magnitude = np.where(segment == 0, plain, (plain + 0x100) << np.maximum(segment - 1, 0))
    return np.where(word & 0x80, magnitude, -magnitude).astype(np.int16)
