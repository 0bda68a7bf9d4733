"""What can go wrong between us and the PBX.

TelephonyError (a LineError: the conversation may catch that one alone)
├── PbxUnreachable      no connection to the PBX, or it answered with a fault of its own
│   └── AnswerLate      the request went out and no answer came: look it up, never repeat it
├── ChannelGone         the PBX does not know this channel any more
├── NothingThere        the PBX does not know this playback, application or queue
├── Refused             the PBX understood and said no; `status` is its HTTP status
├── BadCredentials      the PBX does not accept our user and password
├── VoiceLost           the caller's voice does not reach us, or not any more
└── ApplicationTaken    another program connected under our application's name
"""

from __future__ import annotations

from ivr.dialogue.endings import LineError


class TelephonyError(LineError):
    """Something between us and the PBX went wrong."""


class PbxUnreachable(TelephonyError):
    """No connection to the PBX, or it answered with a fault of its own."""


class AnswerLate(PbxUnreachable):
    """The request went out and no answer came in time: it may have been carried out."""


class ChannelGone(TelephonyError):
    """The PBX does not know this channel any more."""


class NothingThere(TelephonyError):
    """The PBX does not know this playback, application or queue."""


class PbxFailed(PbxUnreachable):
    """The PBX answered that it could not do it, for a reason of its own."""


class Refused(TelephonyError):
    """The PBX understood and said no."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class BadCredentials(TelephonyError):
    """The PBX does not accept our user and password."""


class ApplicationTaken(TelephonyError):
    """Another program connected under our application's name."""


class VoiceLost(TelephonyError):
    """The caller's voice does not reach us, or not any more; the call itself may go on."""
