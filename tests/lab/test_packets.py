"""Packets of voice and keys as a good telephone makes them."""

from __future__ import annotations

import struct

from ivr.lab.packets import EVENTS, VOICE, Packet, Stream
from ivr.lab.tones import RATE, keyed, keys_heard
from ivr.speech.g711 import from_ulaw


def flat(ticks: list[list[Packet]]) -> list[Packet]:
    return [packet for tick in ticks for packet in tick]


def test_no_sequence_number_is_left_out_or_used_twice() -> None:
    stream = Stream(timestamp=7, sequence=65530)
    ticks = [stream.silence(), *stream.keys("19*", 0.06, 0.04), *stream.voice(keyed("5"))]
    numbers = [packet.sequence for tick in ticks for packet in tick]
    assert numbers == list(range(65530, 65530 + len(numbers)))


def test_a_key_begins_with_a_mark_and_ends_three_times() -> None:
    stream = Stream(timestamp=1600, sequence=1)
    sent = flat([list(tick) for tick in stream.keys("#", held=0.06, pause=0.06)])
    keys, voice = sent[:6], sent[6:]
    assert [packet.marker for packet in keys] == [True] + [False] * 5
    assert [packet.is_end for packet in keys] == [False] * 3 + [True] * 3
    assert {packet.timestamp for packet in keys} == {1600}
    said = [struct.unpack(">BBH", packet.payload) for packet in keys]
    assert [event for event, _, _ in said] == [11] * 6
    assert [duration for _, _, duration in said] == [160, 320, 480, 480, 480, 480]
    assert [packet.payload_type for packet in voice] == [VOICE, VOICE]
    assert voice[0].timestamp == 1600 + 4 * 160


def test_keys_and_voice_take_the_time_they_last() -> None:
    stream = Stream(timestamp=0, sequence=1)
    assert len(stream.keys("1234", held=0.1, pause=0.1)) == 4 * 10
    ((after,),) = [stream.silence()]
    assert after.timestamp == 4 * round(0.2 * RATE)


def test_voice_is_g711_of_the_sound() -> None:
    stream = Stream(timestamp=0, sequence=1)
    sound = b"".join(tick[0].payload for tick in stream.voice(keyed("159", 0.1, 0.1)))
    assert keys_heard(from_ulaw(sound)) == "159"


def test_numbers_begin_anew_where_they_no_longer_fit() -> None:
    packet = Packet(1, 65536 + 3, 2**32 + 5, EVENTS, b"\x01\x0a\x00\xa0", marker=True)
    assert packet.wire() == struct.pack(">BBHII", 0x80, 0x80 | EVENTS, 3, 5, 1) + packet.payload
