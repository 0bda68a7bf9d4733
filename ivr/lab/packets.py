"""RTP packets of voice and keys, and what a network may do to them on their way."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.lab.dialpad import KEYS
from ivr.lab.tones import RATE, Samples
from ivr.speech.g711 import from_ulaw, to_ulaw

RTP_SECONDS = 0.02
VOICE = 0
"""payload type of PCMU"""
EVENTS = 101
"""payload type of telephone-event, as it is offered"""
_FRAME = round(RTP_SECONDS * RATE)
_SILENCE = b"\xff" * _FRAME
_VOLUME = 10  # dB below 0 dBm0
_END = 0x80
_ENDS = 3  # RFC 4733, 2.5.1.4: the end is said three times
_VERSION = 0x80
_HEADER = 12
_MARKER = 0x80


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet."""

    source: int
    sequence: int
    timestamp: int
    payload_type: int
    payload: bytes
    marker: bool = False

    @property
    def is_end(self) -> bool:
        """Whether it says that a key is up."""
        return self.payload_type == EVENTS and bool(self.payload[1] & _END)

    @property
    def is_key(self) -> bool:
        """Whether it says that a key is down or up."""
        return self.payload_type == EVENTS

    def wire(self) -> bytes:
        """As it is sent."""
        second = self.payload_type | (_MARKER if self.marker else 0)
        numbers = (self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.source)
        return struct.pack(">BBHII", _VERSION, second, *numbers) + self.payload


def voice_of(wire: bytes) -> Samples:
    """The sound of an RTP packet as it came; empty when it holds no voice."""
    is_voice = len(wire) > _HEADER and wire[1] & 0x7F == VOICE
    return from_ulaw(wire[_HEADER:] if is_voice else b"")


Tick = Sequence[Packet]
"""what is sent in one 20 ms"""


class Stream:
    """Makes the packets of one sender, in order, as a good telephone sends them."""

    def __init__(self, timestamp: int, sequence: int) -> None:
        self._source = secrets.randbits(32)
        self._timestamp = timestamp
        self._sequence = sequence

    def silence(self) -> Tick:
        """20 ms in which nothing is said."""
        return self._voice(_SILENCE)

    def voice(self, samples: Samples) -> list[Tick]:
        """The sound of 16 bits at 8 kHz, its last packet filled up with silence."""
        sound = to_ulaw(samples)
        frames = (sound[first : first + _FRAME] for first in range(0, len(sound), _FRAME))
        return [self._voice(frame.ljust(_FRAME, b"\xff")) for frame in frames]

    def keys(self, keys: str, held: float = 0.1, pause: float = 0.1) -> list[Tick]:
        """Keys held and let go, in seconds, as RFC 4733 events; silence goes between them."""
        down, up = round(held / RTP_SECONDS), round(pause / RTP_SECONDS)
        ticks: list[Tick] = []
        for key in keys:
            event, began = _event(key), self._timestamp
            for part in range(1, down + 1):
                packet = self._packet(EVENTS, _said(event, part * _FRAME), began, marker=part == 1)
                ticks.append([packet])
            self._timestamp += down * _FRAME
            end = _said(event, down * _FRAME, _END)
            ticks.append([self._packet(EVENTS, end, began) for _ in range(_ENDS)])
            self._timestamp += _FRAME
            ticks += [self.silence() for _ in range(up - 1)]
        return ticks

    def _voice(self, sound: bytes) -> Tick:
        packet = self._packet(VOICE, sound, self._timestamp)
        self._timestamp += _FRAME
        return [packet]

    def _packet(
        self, payload_type: int, payload: bytes, timestamp: int, *, marker: bool = False
    ) -> Packet:
        packet = Packet(
            self._source, self._sequence, timestamp, payload_type, payload, marker=marker
        )
        self._sequence += 1
        return packet


def _event(key: str) -> int:
    return KEYS.index(key)


def _said(event: int, duration: int, end: int = 0) -> bytes:
    return struct.pack(">BBH", event, end | _VOLUME, duration)
