"""Recordings of calls: which of their sound is masked, by what tone, and the signed manifest.

Times are counted in samples of the recording, RATE a second, from the call's arrival. A masked span
is one flat tone, the same to the bit wherever it is made, so that whoever checks it need not judge.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any

RATE = 8000
SAMPLE_BYTES = 2
"""16 bits, little end first, one channel"""
TONE_HZ = 440
"""an octave and more from every frequency of a key (ITU-T Q.23: 697 Hz and above)"""
TONE_PEAK = 900
"""of 32768: heard, and quieter than speech"""
SLACK = RATE // 10
"""so short a gap beside a span belongs to it; elsewhere it is silence, and told nowhere"""
CLOCKS_APART = RATE // 2
"""what a call names by its own clock may be so much earlier or later in its recording"""
VERSION = 1

_PERIOD = RATE // math.gcd(RATE, TONE_HZ)
_TONE = struct.pack(
    f"<{_PERIOD}h",
    *(round(TONE_PEAK * math.sin(math.tau * TONE_HZ * k / RATE)) for k in range(_PERIOD)),
)


class ManifestBroken(Exception):
    """A text is no manifest of a recording; the message says why."""


class Reason(StrEnum):
    """Why a span is masked."""

    SECURE_SEGMENT = "secure segment"
    """a card was being asked for"""
    NOT_RECORDED = "not recorded"
    """the PBX could not record"""


@dataclass(frozen=True, slots=True)
class Part:
    """Sound that the PBX recorded: when it began, and how long it is."""

    start: int
    samples: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the whole: sound of a part, the tone, or, without either, silence."""

    start: int
    end: int
    part: int | None = None
    """which, by its place in the list of parts"""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A piece that is masked."""

    start: int
    end: int
    reason: Reason


def timeline(
    parts: Sequence[Part], secure: Iterable[tuple[int, int]], length: int
) -> tuple[Piece, ...]:
    """The whole from 0 to `length` without a gap; nothing of a secure time is ever a part's."""
    times = [(max(0, begin), min(end, length)) for begin, end in secure]
    edges = {0, length, *(edge for time in times for edge in time)}
    for part in parts:
        edges |= {max(0, part.start), max(0, part.start + part.samples)}
    inside = sorted(edge for edge in edges if 0 <= edge <= length)
    raw = [_piece(begin, end, parts, times) for begin, end in pairwise(inside)]
    return tuple(_joined(_named(_joined(raw))))


def between(parts: Iterable[Part]) -> list[tuple[int, int]]:
    """The times between parts: where nobody can say more, only a secure part can be the reason."""
    lasting = sorted((part.start, part.start + part.samples) for part in parts)
    return [(end, begin) for (_, end), (begin, _) in pairwise(lasting) if end < begin]


def spans(pieces: Iterable[Piece]) -> tuple[Span, ...]:
    """The masked ones."""
    return tuple(Span(one.start, one.end, one.reason) for one in pieces if one.reason)


def tone(first: int, samples: int) -> bytes:
    """The tone of a masked span, from its sample number `first` on."""
    begin = first % _PERIOD
    periods = (begin + samples) // _PERIOD + 1
    return (_TONE * periods)[begin * SAMPLE_BYTES : (begin + samples) * SAMPLE_BYTES]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is said of a recording beside it."""

    call_id: str
    began: datetime
    """when the call arrived"""
    samples: int
    spans: tuple[Span, ...]
    is_whole: bool
    """False when we were cut off: the call may have gone on longer"""
    sha256: str
    """of the audio file, in hexadecimal"""

    def signed(self, key: str) -> str:
        """As JSON text, with the id of the key and the signature."""
        body = self._body() | {"key": key_id(key)}
        return json.dumps(body | {"signature": _signature(body, key)}, indent=1) + "\n"

    def has_sound(self, begin: int, end: int) -> bool:
        """Whether all between two of its samples was recorded, but for the clocks."""
        first, last = begin + CLOCKS_APART, end - CLOCKS_APART
        masked = any(one.start < last and first < one.end for one in self.spans)
        return not masked and last <= self.samples

    def _body(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "call": self.call_id,
            "began": self.began.isoformat(),
            "seconds": _seconds(self.samples),
            "whole": self.is_whole,
            "spans": [
                {"start": _seconds(one.start), "end": _seconds(one.end), "reason": str(one.reason)}
                for one in self.spans
            ],
            "sha256": self.sha256,
        }


def read_manifest(text: str) -> Manifest:
    """What a manifest says, whoever signed it. Raises ManifestBroken."""
    try:
        body = json.loads(text)
        if body["version"] != VERSION:
            raise ManifestBroken(f"it is of version {body['version']}, which is not known here")
        return Manifest(
            call_id=str(body["call"]),
            began=datetime.fromisoformat(body["began"]),
            samples=_samples(body["seconds"]),
            spans=tuple(
                Span(_samples(one["start"]), _samples(one["end"]), Reason(one["reason"]))
                for one in body["spans"]
            ),
            is_whole=bool(body["whole"]),
            sha256=str(body["sha256"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestBroken(f"it is not as we write it ({type(error).__name__})") from None


def why_not_signed(text: str, key: str) -> str:
    """What speaks against the signature of a manifest that could be read; empty when it is good."""
    body = json.loads(text)
    signature, signer = body.pop("signature", ""), body.get("key")
    if signer != key_id(key):
        return f"it was signed with another key ({signer}; yours is {key_id(key)})"
    if not hmac.compare_digest(str(signature), _signature(body, key)):
        return "the signature is wrong: the manifest was changed after it was signed"
    return ""


def key_id(key: str) -> str:
    """A name for a key that does not give it away."""
    return hmac.digest(key.encode(), b"saldo recordings: name of this key", "sha256").hex()[:16]


def _signature(body: Mapping[str, Any], key: str) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _piece(begin: int, end: int, parts: Sequence[Part], secure: Sequence[tuple[int, int]]) -> Piece:
    """What is to be heard between two neighbouring edges; a gap has the reason NOT_RECORDED."""
    if any(first <= begin and end <= last for first, last in secure):
        return Piece(begin, end, reason=Reason.SECURE_SEGMENT)
    for number, part in enumerate(parts):
        if part.start <= begin and end <= part.start + part.samples:
            return Piece(begin, end, part=number)
    return Piece(begin, end, reason=Reason.NOT_RECORDED)


def _named(pieces: Sequence[Piece]) -> list[Piece]:
    """Short gaps become part of the secure segment beside them, or silence."""
    named = []
    for place, one in enumerate(pieces):
        beside = [*pieces[max(0, place - 1) : place], *pieces[place + 1 : place + 2]]
        is_short = one.reason is Reason.NOT_RECORDED and one.end - one.start <= SLACK
        if is_short and any(other.reason is Reason.SECURE_SEGMENT for other in beside):
            named.append(Piece(one.start, one.end, reason=Reason.SECURE_SEGMENT))
        else:
            named.append(Piece(one.start, one.end) if is_short else one)
    return named


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for one in pieces:
        last = joined[-1] if joined else None
        if last and (last.part, last.reason) == (one.part, one.reason):
            joined[-1] = Piece(last.start, one.end, one.part, one.reason)
        else:
            joined.append(one)
    return joined


def _seconds(samples: int) -> float:
    return round(samples / RATE, 6)


def _samples(seconds: float) -> int:
    return round(seconds * RATE)
