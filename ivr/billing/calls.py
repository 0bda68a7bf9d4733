"""The record of one telephone call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class CallOutcome(StrEnum):
    """How a call ended, in the words of the reports and of `expect: ending:`."""

    PAID = "paid"
    PROMISED = "promised"
    """to be paid by a day that the caller named"""
    NOT_PAID = "not-paid"
    NOTHING_OWED = "nothing-owed"
    CONFIRMING = "confirming"
    """a payment's outcome is not known yet"""
    AGENT = "agent"
    HUNG_UP = "hung-up"
    """the caller left before anything was settled"""
    FAILED = "failed"
    """our fault: an error of ours or a back end away"""


@dataclass(frozen=True, slots=True)
class CallArrived:
    """What is known when the telephone rings."""

    id: str
    """ours, also on every log line"""
    channel_id: str
    sip_call_id: str
    caller: str | None
    """as the trunk gave it, None when hidden; never trusted"""
    dialled: str
    node: str
    at: datetime


@dataclass(slots=True)
class CallEnded:
    """What is known afterwards; written once."""

    outcome: CallOutcome
    language: str
    """empty when nobody lived to write it down"""
    customer_id: int | None
    at: datetime
    trail: list[str] = field(default_factory=list)
    """phrase ids said and steps taken, in order, with seconds: "3.2 say welcome" """
