"""How a telephone sends its keys: beside the voice, in the signalling, or as tones in the voice."""

from __future__ import annotations

import re
from enum import StrEnum

import numpy as np

from ivr.lab.tones import RATE, Samples, keyed

KEYS = "0123456789*#"
TONE_SECONDS = 0.12
PAUSE_SECONDS = 0.12
"""as long as somebody who keys quickly needs from one key to the next"""

_HEAD_ENDS = b"\r\n\r\n"
_LENGTH = re.compile(rb"(?im)^((?:content-length|l)\s*:\s*)\d+")
_EVENTS = re.compile(rb"(?im)^a=rtpmap:(\d+)\s+telephone-event/")


class KeyWay(StrEnum):
    """How the keys of a call are sent."""

    RFC4733 = "rfc4733"
    """as packets of their own beside the voice"""
    INFO = "info"
    """as SIP INFO requests, application/dtmf-relay; telephone-event is offered all the same"""
    INBAND = "inband"
    """as tones in the voice; no telephone-event is offered"""


def account_parameter(way: KeyWay) -> str:
    """What makes the softphone send its keys so, where it can: for its account line."""
    return ";dtmfmode=info" if way is KeyWay.INFO else ""


def sound_of(keys: str, gap: float, background: Samples) -> Samples:
    """Tones one after the other, `gap` more seconds apart, over what is on the line anyway."""
    tones = keyed(keys, TONE_SECONDS, PAUSE_SECONDS + gap)
    tones = tones[: len(tones) - round((PAUSE_SECONDS + gap) * RATE)]
    if not len(background):
        return tones
    both = tones.astype(np.int32) + np.resize(background, len(tones))
    return np.clip(both, -32768, 32767).astype(np.int16)


def without_telephone_event(message: bytes) -> bytes:
    """A SIP message that offers no RFC 4733 events, otherwise as it was."""
    head, end, body = message.partition(_HEAD_ENDS)
    for payload in _EVENTS.findall(body):
        body = re.sub(rb"(?m)^a=(?:rtpmap|fmtp):%s\s.*\r\n" % payload, b"", body)
        body = re.sub(rb"(?m)^(m=audio .*?) %s(?=\s)" % payload, rb"\1", body)
    return _LENGTH.sub(rb"\g<1>%d" % len(body), head) + end + body
