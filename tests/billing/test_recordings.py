"""Which sound of a call is masked, the tone it is masked with, and what the manifest says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.recordings import (
    RATE,
    SLACK,
    Manifest,
    ManifestBroken,
    Part,
    Piece,
    Reason,
    Span,
    key_id,
    read_manifest,
    spans,
    timeline,
    tone,
    why_not_signed,
)
from ivr.lab.tones import tones

KEY = "k" * 32
SECURE = Reason.SECURE_SEGMENT
SECOND = RATE


def test_a_call_without_a_card_is_one_piece() -> None:
    (piece,) = timeline([Part(0, 10 * SECOND)], [], 10 * SECOND)
    assert piece == Piece(0, 10 * SECOND, part=0)


def test_the_time_between_two_parts_is_the_tone_and_exactly_as_long() -> None:
    parts = [Part(0, 3 * SECOND), Part(8 * SECOND, 2 * SECOND)]
    pieces = timeline(parts, [(3 * SECOND, 8 * SECOND)], 10 * SECOND)
    assert pieces == (
        Piece(0, 3 * SECOND, part=0),
        Piece(3 * SECOND, 8 * SECOND, reason=SECURE),
        Piece(8 * SECOND, 10 * SECOND, part=1),
    )
    assert spans(pieces) == (Span(3 * SECOND, 8 * SECOND, SECURE),)


def test_the_moments_in_which_parts_end_and_begin_belong_to_the_span() -> None:
    parts = [Part(50, 3 * SECOND - 200), Part(8 * SECOND + 300, 2 * SECOND)]
    pieces = timeline(parts, [(3 * SECOND, 8 * SECOND)], 10 * SECOND)
    assert spans(pieces) == (Span(3 * SECOND - 150, 8 * SECOND + 300, SECURE),)
    assert pieces[0] == Piece(0, 50), "a part begins a moment after the call: silence"


def test_sound_that_reaches_into_the_secure_time_is_masked_all_the_same() -> None:
    pieces = timeline([Part(0, 10 * SECOND)], [(4 * SECOND, 6 * SECOND)], 10 * SECOND)
    assert spans(pieces) == (Span(4 * SECOND, 6 * SECOND, SECURE),)
    assert [piece.part for piece in pieces] == [0, None, 0]


def test_what_the_pbx_did_not_record_is_told_as_such() -> None:
    pieces = timeline([Part(2 * SECOND, 3 * SECOND)], [(6 * SECOND, 7 * SECOND)], 9 * SECOND)
    assert spans(pieces) == (
        Span(0, 2 * SECOND, Reason.NOT_RECORDED),
        Span(5 * SECOND, 6 * SECOND, Reason.NOT_RECORDED),
        Span(6 * SECOND, 7 * SECOND, SECURE),
        Span(7 * SECOND, 9 * SECOND, Reason.NOT_RECORDED),
    )


def test_a_short_gap_is_silence() -> None:
    parts = [Part(0, SECOND), Part(SECOND + SLACK, SECOND)]
    pieces = timeline(parts, [], 2 * SECOND + SLACK)
    assert pieces[1] == Piece(SECOND, SECOND + SLACK)
    assert spans(pieces) == ()


def test_a_call_that_ended_in_the_secure_part_ends_with_the_tone() -> None:
    pieces = timeline([Part(0, SECOND)], [(SECOND, 9 * SECOND)], 4 * SECOND)
    assert pieces[-1] == Piece(SECOND, 4 * SECOND, reason=SECURE)


times = st.integers(0, 20 * SECOND)


@given(
    parts=st.lists(st.tuples(times, times).map(lambda each: Part(*each)), max_size=4),
    secure=st.lists(
        st.tuples(times, times)
        .map(lambda each: (min(each), max(each)))
        .filter(lambda s: s[0] < s[1]),
        max_size=3,
    ),
    length=st.integers(1, 20 * SECOND),
)
def test_whatever_was_recorded_the_length_is_true_and_no_secure_moment_is_heard(
    parts: list[Part], secure: list[tuple[int, int]], length: int
) -> None:
    pieces = timeline(parts, secure, length)
    assert (pieces[0].start, pieces[-1].end) == (0, length)
    for one, following in pairwise(pieces):
        assert one.end == following.start
    for piece in pieces:
        assert piece.end > piece.start
        if piece.part is not None:
            part = parts[piece.part]
            assert part.start <= piece.start
            assert piece.end <= part.start + part.samples
            assert not any(begin < piece.end and piece.start < end for begin, end in secure)


@given(first=st.integers(0, 5000), samples=st.integers(0, 5000))
def test_the_tone_is_the_same_wherever_one_begins_to_look(first: int, samples: int) -> None:
    assert tone(0, first + samples)[2 * first :] == tone(first, samples)


def test_the_tone_is_flat_quiet_and_no_key() -> None:
    sound = np.frombuffer(tone(0, 10 * RATE), np.int16).astype(float)
    blocks = sound.reshape(-1, 200)
    assert np.ptp(np.sqrt((blocks**2).mean(axis=1))) == 0
    assert 300 < np.abs(sound).max() < 2000
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    assert spectrum[4400] / spectrum.sum() > 0.9999, "440 Hz and nothing else"
    assert tones(np.frombuffer(tone(0, 10 * RATE), np.int16)) == []


def a_manifest() -> Manifest:
    return Manifest(
        call_id="c" * 32,
        began=datetime(2026, 11, 23, 2, 0, 5, tzinfo=UTC),
        samples=80123,
        spans=(Span(1, 40001, SECURE), Span(70000, 80123, Reason.NOT_RECORDED)),
        is_whole=True,
        sha256="ab" * 32,
    )


def test_a_manifest_is_read_as_it_was_written() -> None:
    text = a_manifest().signed(KEY)
    assert read_manifest(text) == a_manifest()
    assert why_not_signed(text, KEY) == ""
    body = json.loads(text)
    assert body["spans"][0] == {"start": 0.000125, "end": 5.000125, "reason": "secure segment"}
    assert (body["key"], body["seconds"]) == (key_id(KEY), 10.015375)
    assert KEY not in text


@pytest.mark.parametrize(
    ("of", "to"),
    [
        ('"whole": true', '"whole": false'),
        ('"end": 5.000125', '"end": 4.0'),
        ("not recorded", "secure segment"),
        ("abab", "abac"),
    ],
)
def test_whatever_is_changed_in_a_manifest_the_signature_tells(of: str, to: str) -> None:
    text = a_manifest().signed(KEY)
    assert of in text
    assert "changed after it was signed" in why_not_signed(text.replace(of, to, 1), KEY)


def test_a_manifest_signed_with_another_key_says_which() -> None:
    text = a_manifest().signed("x" * 32)
    assert key_id("x" * 32) in why_not_signed(text, KEY)
    forged = text.replace(key_id("x" * 32), key_id(KEY))
    assert "signature is wrong" in why_not_signed(forged, KEY)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 2}', '{"version": 1, "call": "c"}', "null"],
)
def test_a_text_that_is_no_manifest_is_told_as_such(text: str) -> None:
    with pytest.raises(ManifestBroken):
        read_manifest(text)
