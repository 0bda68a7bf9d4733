"""Companding gives the code words of ITU-T G.711."""

from hashlib import sha256

import numpy as np
import pytest

from ivr.speech import g711

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int16)


@pytest.mark.parametrize(
    ("sample", "ulaw", "alaw"),
    [
        (0, 0xFF, 0xD5),
        (-1, 0x7E, 0x55),
        (1000, 0xCE, 0xFA),
        (-1000, 0x4E, 0x7A),
        (32767, 0x80, 0xAA),
        (-32768, 0x00, 0x2A),
    ],
)
def test_known_samples_have_their_code_words(sample: int, ulaw: int, alaw: int) -> None:
    samples = np.array([sample], np.int16)
    assert g711.to_ulaw(samples) == bytes([ulaw])
    assert g711.to_alaw(samples) == bytes([alaw])


def test_all_samples_and_code_words_agree_with_another_implementation() -> None:
    # Digests of what CPython 3.11's audioop (after Sun's g711.c) gives for the same input.
    def digest(data: bytes) -> str:
        return sha256(data).hexdigest()[:16]

    words = bytes(range(256))
    assert digest(g711.to_ulaw(EVERY_SAMPLE)) == "81d633c9e6972a18"
    assert digest(g711.to_alaw(EVERY_SAMPLE)) == "38488f6fd710f468"
    assert digest(g711.from_ulaw(words).astype("<i2").tobytes()) == "3dab54339e520bb2"
    assert digest(g711.from_alaw(words).astype("<i2").tobytes()) == "e04788d110e58ff8"


def test_there_and_back_stays_within_one_step() -> None:
    samples = EVERY_SAMPLE.astype(np.int32)
    for back in (
        g711.from_ulaw(g711.to_ulaw(EVERY_SAMPLE)),
        g711.from_alaw(g711.to_alaw(EVERY_SAMPLE)),
    ):
        inside = np.abs(samples) < 32000
        error = np.abs(back.astype(np.int32) - samples)[inside]
        assert (error <= np.abs(samples[inside]) / 32 + 16).all()
