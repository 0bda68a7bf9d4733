"""How a conversation stops, or turns back.

Ending                  raised anywhere, caught in one place (dialogue/running.py)
├── HungUp              the caller left
├── WantsAgent          the caller asked for a person, or we gave up: `reason` says which
│   └── TooManyTries    three tries at one question, or at one identification
├── CannotGoOn          our side cannot do what was promised: `reason` says what
└── Over                nothing is left to say but goodbye
WentBack                the caller wants the question before: caught by the flow that asked it
MeansNotTaken           this cannot be charged in this call now: caught by the flow that pays
PaysForAnother          the caller knows an account number only: caught by the flow that takes calls
LineError
├── SecurePartAway      the secure process cannot take the caller, or did not give them back
└── NobodyAvailable     the agent queue has nobody who could answer
"""

from __future__ import annotations

from ivr.billing.calls import CallOutcome
from ivr.billing.methods import Method


class Ending(Exception):
    """The conversation stops here; not an error."""


class HungUp(Ending):
    """The caller left."""


class WantsAgent(Ending):
    """A person takes over."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooManyTries(WantsAgent):
    """Three tries at one question, or at one identification."""

    def __init__(self) -> None:
        super().__init__("too many tries")


class CannotGoOn(Ending):
    """Our side cannot do what was promised; an apology and a person follow."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Over(Ending):
    """Nothing is left to say but goodbye."""

    def __init__(self, outcome: CallOutcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class WentBack(Exception):
    """The caller wants the question before this one; only where the flow said there is one."""


class MeansNotTaken(Exception):
    """It cannot be paid with `methods` in this call from now on; `reason` is for the trail."""

    def __init__(self, reason: str, methods: frozenset[Method] = frozenset()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.methods = methods


class PaysForAnother(Exception):
    """The caller pays for somebody else's account; empty when they have named none."""

    def __init__(self, account_number: str) -> None:
        super().__init__("pays for another")
        self.account_number = account_number


class LineError(Exception):
    """The line could not do what was asked."""


class SecurePartAway(LineError):
    """The secure process cannot take the caller, or did not give them back."""


class NobodyAvailable(LineError):
    """The agent queue has nobody who could answer."""
