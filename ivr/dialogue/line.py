"""What a conversation needs of a line and of a voice; telephony/ and speech/ provide them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from ivr.billing.calls import CallArrived


class Playback(Protocol):
    """Sounds that are being played to the caller."""

    async def finished(self) -> None:
        """Return when the last sound has ended or was stopped; at once if already over.

        Raises:
            HungUp: the caller left.
        """
        ...

    async def stop(self) -> None:
        """Hush now. Harmless when it is over."""
        ...


class Handset(Protocol):
    """What a caller hears and presses. Every method raises endings.HungUp once they have left."""

    async def play(self, sounds: Sequence[str]) -> Playback:
        """Start playing these media URIs one after the other; returns once it is under way."""
        ...

    async def next_key(self) -> str:
        """The next key the caller presses, or pressed earlier and nobody took yet.

        Cancelling it loses no key; one that waits already is given without suspending.
        """
        ...


class Line(Handset, Protocol):
    """One caller's line. Every method raises endings.HungUp once the caller has left."""

    @property
    def arrived(self) -> CallArrived:
        """The call as it came in."""
        ...

    @property
    def hints(self) -> Mapping[str, str]:
        """What was passed on with the call: account, invoice, language, handoff, amount.

        `back` is there when an agent waits for the caller: `transfer_to_agent` leads to that agent.
        """
        ...

    async def answer(self) -> None:
        """Pick up; returns when the caller can hear what is said."""
        ...

    def forget_keys(self) -> None:
        """Drop what was typed ahead."""
        ...

    async def enter_secure_part(self, capture_id: UUID) -> None:
        """Lend the caller to `saldo capture`; returns when they are back.

        Raises:
            SecurePartAway: it cannot be entered or did not give the caller back in time.
        """
        ...

    async def leave_word(self, words: Mapping[str, str]) -> None:
        """Let whoever takes the call next know: result, paid, confirmation.

        It stays with the call whatever becomes of us. No card digit and no name belong in it.
        """
        ...

    async def somebody_is_there(self) -> bool:
        """Whether `transfer_to_agent` would reach somebody now, as far as is known."""
        ...

    async def transfer_to_agent(self) -> None:
        """Hand the caller to the agent who waits for them, or to the queue: it is over for us.

        Raises:
            NobodyAvailable: no agent is logged in; the caller is still ours.
        """
        ...

    async def hang_up(self) -> None: ...


class Voice(Protocol):
    """Phrases into sounds."""

    async def sounds(self, phrase_id: str, language: str, **values: object) -> list[str]:
        """Media URIs in playing order. Fixed phrases need no synthesis."""
        ...
