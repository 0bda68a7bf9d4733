"""The ways of sending keys: what is offered, and what sounds."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.lab import dialpad
from ivr.lab.dialpad import KeyWay
from ivr.lab.tones import RATE, keys_heard, tones

NOTHING = np.zeros(0, np.int16)
OFFER = (
    b"v=0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
)
WITHOUT = (
    b"v=0\r\nm=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=sendrecv\r\n"
)


def test_every_key_has_its_tone_in_the_voice() -> None:
    assert keys_heard(dialpad.sound_of(dialpad.KEYS, 0.0, NOTHING)) == dialpad.KEYS


def test_tones_are_further_apart_with_a_gap() -> None:
    first, second = tones(dialpad.sound_of("12", 0.5, NOTHING))
    apart = dialpad.TONE_SECONDS + dialpad.PAUSE_SECONDS + 0.5
    assert second.at - first.at == pytest.approx(apart, abs=0.01)


def test_the_sound_ends_with_the_last_tone() -> None:
    length = len(dialpad.sound_of("12", 0.5, NOTHING)) / RATE
    assert length == 2 * dialpad.TONE_SECONDS + dialpad.PAUSE_SECONDS + 0.5


def test_the_noise_of_the_line_goes_on_under_the_tones() -> None:
    noise = np.random.default_rng(1).normal(0, 200, RATE).astype(np.int16)
    sound = dialpad.sound_of("1590", 0.1, noise)
    assert keys_heard(sound) == "1590"
    pause = sound[round(0.15 * RATE) : round(0.3 * RATE)]
    assert np.abs(pause).mean() > 100


def test_an_offer_loses_its_telephone_events_and_nothing_else() -> None:
    head = b"INVITE sip:pay@127.0.0.1 SIP/2.0\r\nContent-Length: %d\r\nX-Order: 101\r\n\r\n"
    message = head % len(OFFER) + OFFER
    assert dialpad.without_telephone_event(message) == head % len(WITHOUT) + WITHOUT


def test_an_offer_without_telephone_events_stays_as_it_was() -> None:
    message = b"INVITE sip:pay@127.0.0.1 SIP/2.0\r\nl: %d\r\n\r\n" % len(WITHOUT) + WITHOUT
    assert dialpad.without_telephone_event(message) == message


def test_only_a_telephone_set_to_info_is_told_so() -> None:
    assert [dialpad.account_parameter(way) for way in KeyWay] == ["", ";dtmfmode=info", ""]
