"""What billing asks of the world: a ledger that keeps and a gateway that charges.

The fakes beside the tests and the real ones in storage/ and gateways/ run the same contract cases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from ivr.billing.assisted_captures import AssistedCapture, FieldProgress, Talk
from ivr.billing.calls import CallArrived, CallEnded
from ivr.billing.captures import CaptureField, CaptureOutcome, CaptureRequest
from ivr.billing.customers import Customer
from ivr.billing.doubts import Doubt, Stray, Undone
from ivr.billing.invoices import Invoice
from ivr.billing.links import Link, LinkAttempt, LinkPurpose
from ivr.billing.matches import Decision, Hypothesis, Named
from ivr.billing.messages import Message, ToCustomer
from ivr.billing.money import Money
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    Captured,
    KeepCard,
    MeansOnHand,
    Paid,
    Refusal,
)
from ivr.billing.transactions import Transaction


class Directory(Protocol):
    """Customers by what they key. Every method raises LedgerUnavailable."""

    async def by_account_number(self, account_number: str) -> Customer | None: ...

    async def by_external_id(self, external_id: str) -> Customer | None:
        """By the biller's own key."""
        ...

    async def ways_to(self, customer_id: int) -> frozenset[ToCustomer]:
        """By what they would be reached: a telephone number is on file, or an e-mail address."""
        ...


class Names(Protocol):
    """Customers by how they are called. Every method raises LedgerUnavailable."""

    async def at_hand(self) -> tuple[str, ...]:
        """The names worth listening for, in lower case as they are said: all if they are few.

        The same object again as long as it may be kept.
        """
        ...

    async def by_spoken_name(
        self, heard: Sequence[Hypothesis], language: str, calling_number: str = ""
    ) -> Decision:
        """Who was meant, of what may have been heard, best first.

        `calling_number` is E.164 or empty. Raises also PronunciationUnavailable.
        """
        ...

    async def by_keys(self, keys: str, calling_number: str = "") -> Decision:
        """Whose name is spelled by these keys, from its beginning, one slip forgiven."""
        ...

    async def of_postal_code(self, named: Named, postal_code: str) -> Customer | None:
        """The one bearer of a name with this postal code; None if none, or two, are."""
        ...


class Invoices(Protocol):
    """What is owed. Raises LedgerUnavailable."""

    async def unpaid(self, customer_id: int) -> list[Invoice]:
        """Open invoices with something due and not held by an unknown outcome, oldest first."""
        ...

    async def by_number(self, numbers: Sequence[str]) -> list[Invoice]:
        """These invoices, paid or not; numbers that nobody has are left out."""
        ...

    async def in_doubt(self, customer_id: int) -> bool:
        """Whether a charge for this customer's invoices may have been taken or not."""
        ...


class Ledger(Protocol):
    """The attempts. Every method is one transaction and raises LedgerUnavailable.

    Unavailable may also mean that only the answer to the commit was lost, unless it is
    LedgerNotReached. Doing the same step again is safe and changes nothing, but for
    `begin_charging`, which refuses a second time.
    An attempt that does not exist raises AttemptNotFound, a step that its state does not allow
    TransitionRefused; `cancel` raises neither.
    """

    async def open_attempt(self, attempt: Attempt) -> None:
        """Keep a new attempt in state created, with its allocations."""
        ...

    async def begin_charging(
        self, attempt_id: UUID, means: MeansOnHand, keep: KeepCard | None = None
    ) -> None:
        """Lock and re-read the invoices, then created -> charging with the token, committed.

        `keep` is part of what is sent to the gateway, so that it can be sent again as it was.

        Raises:
            InvoiceAlreadyPaid: an invoice is due less than its allocation; the attempt is canceled.
            InvoiceBeingPaid: another attempt is charging, unknown or just captured on one of them;
                the attempt is canceled.
            TransitionRefused: the attempt is not in state created.
        """
        ...

    async def captured(self, attempt_id: UUID, capture: Captured) -> Paid:
        """Result, invoices, reactivated lines and outbox events in one commit.

        Repeating it for a captured attempt gives the same Paid again and changes nothing. Money
        that is not the attempt's becomes a stray, to be given back: another transaction of an
        attempt that is paid, and any of one that ended without a charge (TransitionRefused).
        """
        ...

    async def declined(self, attempt_id: UUID, refusal: Refusal) -> None:
        """charging or unknown -> declined; the customer is told if it was unknown."""
        ...

    async def failed(
        self, attempt_id: UUID, reason: str, *, tell: bool = False, unsent: bool = False
    ) -> None:
        """charging or unknown -> failed: it is certain that nothing was charged.

        The customer is told if it was unknown, or with `tell`: who heard "we are confirming".
        With `unsent` only the request of this very process never left it: what is unknown stays
        so (TransitionRefused), since who looks for its outcome may be sending it again.
        """
        ...

    async def unknown(self, attempt_id: UUID, reason: str) -> None:
        """charging -> unknown.

        One that was declined or failed meanwhile stays so (TransitionRefused), but is looked up
        again: its request may have arrived late.
        """
        ...

    async def became(self, attempt_id: UUID, state: AttemptState, *, reason: str = "") -> None:
        """captured or settled -> settled, voided, refunded (in full) or returned, and the webhook.

        Neither voided nor refunded while staff gives it back (TransitionRefused): that ends by
        itself, with the invoices as they wish.
        When the money went back, the invoices that it paid are owed again; when the bank returned
        it, for `reason`, the lines that it brought back are suspended again. Again changes
        nothing.
        """
        ...

    async def cancel(self, attempt_id: UUID, *, tell: bool = False) -> None:
        """created -> canceled, with `tell` as in `failed`; any other state is left alone."""
        ...

    async def sent(self, attempt_id: UUID) -> tuple[MeansOnHand, KeepCard | None] | None:
        """What a charge that may have to be sent again was sent with; None once it is settled."""
        ...


class Gateway(Protocol):
    """The payment gateway."""

    async def charge(
        self,
        *,
        means: MeansOnHand,
        amount: Money,
        order_id: str,
        request_key: str,
        keep: KeepCard | None = None,
    ) -> Captured | Refusal:
        """Take the money now, a card's as a telephone order; with `keep`, keep the card as well.

        A card that could not be kept is charged all the same.

        Raises:
            GatewayNotReached: nothing was sent.
            GatewayRefused: our request is wrong; nothing was charged.
            OutcomeUnknown: it may have been charged.
        """
        ...


class Links(Protocol):
    """Links to the pay page. Every method raises LedgerUnavailable."""

    async def make(
        self,
        customer_id: int,
        invoice_ids: Sequence[int],
        minutes: float,
        *,
        purpose: LinkPurpose = LinkPurpose.PAY,
        amounts: Mapping[int, Money] | None = None,
        call_id: str | None = None,
    ) -> Link:
        """A link to pay these invoices: all that is due, or `amounts` of it by invoice id."""
        ...

    async def news(self, link_id: int) -> LinkAttempt | None:
        """The newest attempt by this link in which anything was to be charged; None for none."""
        ...


class Captures(Protocol):
    """The table both processes share. Every method raises LedgerUnavailable."""

    async def open(self, request: CaptureRequest) -> None:
        """serve: keep the request."""
        ...

    async def request(self, capture_id: UUID) -> CaptureRequest | None:
        """capture: what to collect; None for an unknown or an already closed one."""
        ...

    async def close(self, capture_id: UUID, outcome: CaptureOutcome) -> None:
        """Either process: keep the outcome; the first one stays."""
        ...

    async def outcome(self, capture_id: UUID) -> CaptureOutcome | None:
        """serve: how it ended; None while it is open."""
        ...


class AssistedCaptures(Protocol):
    """Captures with an agent, beside Captures. Every method raises LedgerUnavailable."""

    async def open(self, capture: AssistedCapture) -> bool:
        """Keep it and its request; False, and nothing is changed, if its key is taken."""
        ...

    async def find(self, capture_id: UUID) -> AssistedCapture | None: ...

    async def of_key(self, key: str) -> AssistedCapture | None: ...

    async def keep_fields(
        self, capture_id: UUID, fields: Mapping[CaptureField, FieldProgress]
    ) -> None: ...

    async def forget_token(self, capture_id: UUID) -> None:
        """No charge will take the token any more."""
        ...

    async def unfinished(self, daemon: str, ended_seconds_ago: float) -> list[AssistedCapture]:
        """Those of this daemon that are open, or whose attempt was neither charged nor given up.

        A card of one that ended longer ago has no token.
        """
        ...


class Talks(Protocol):
    """The talks of agents with callers at the PBX. Methods that wait raise TalkUnreachable."""

    @property
    def hears(self) -> bool:
        """Whether messages of the secure process reach us now."""
        ...

    async def going_on(self) -> list[Talk]:
        """Every talk of two that a card could be asked for in, longest first."""
        ...

    async def find(self, channel: str, agent_channel: str) -> Talk:
        """The talk of this caller, by ids or names of channels. Raises TalkNotFound.

        `agent_channel` may be empty: whoever else is there.
        """
        ...

    async def lend(self, talk: Talk, capture_id: UUID) -> None:
        """Let both into the secure part, where the talk goes on and no recording of it.

        Raises TalkNotFound, and TalkRecorded when the PBX records it and cannot be silenced.
        Returns also when it is not known whether they went: then no sign of life will come.
        """
        ...

    async def tell(self, capture_id: UUID, action: str, field: CaptureField | None = None) -> None:
        """Command the secure process: ask (for a field), complete or cancel."""
        ...

    async def is_held(self, talk: Talk) -> bool:
        """Whether one of both channels is still in an application, and not in the dial plan."""
        ...

    async def is_secure_part_away(self) -> bool:
        """Whether the secure process is known to be dead."""
        ...

    async def give_back(self, talk: Talk) -> None:
        """Let both talk on without any of our processes; one who is left alone goes on alone."""
        ...


class Calls(Protocol):
    """Every method raises LedgerUnavailable."""

    async def arrived(self, call: CallArrived) -> None: ...

    async def ended(self, call_id: str, ended: CallEnded) -> None: ...


class Outbox(Protocol):
    """What is to be told, kept until it got there (billing/delivering.py)."""

    async def tell(self, *messages: Message) -> None:
        """Keep them all in one transaction, and wake who delivers. Raises LedgerUnavailable."""
        ...


class Doubts(Protocol):
    """Attempts in state unknown, and money that must go back; each is one node's at a time.

    Every method raises LedgerUnavailable.
    """

    async def abandoned(self) -> list[UUID]:
        """Charges whose process is gone become unknown: their ids."""
        ...

    async def claim(
        self, most: int, seconds: float, in_hand: Collection[UUID | str]
    ) -> list[Doubt]:
        """Those that are due, for so long or until we die; also ours that are not in hand."""
        ...

    async def put_off(self, looked: Doubt, pause_seconds: float, word: str) -> None:
        """Keep the counts of `looked`, and look again after a while; `word` is for staff."""
        ...

    async def over(self, attempt_id: UUID) -> None:
        """Nothing is to be found out any more, though the attempt's state did not change."""
        ...

    async def claim_strays(
        self, most: int, seconds: float, in_hand: Collection[UUID | str]
    ) -> list[Stray]:
        """The same of strays."""
        ...

    async def undone(self, transaction_id: str, how: Undone) -> None:
        """The money went back."""
        ...

    async def put_off_stray(self, stray: Stray, pause_seconds: float, word: str) -> None: ...


class Books(Protocol):
    """What the payment gateway has written down. Every method raises GatewayError."""

    @property
    def request_keys(self) -> bool:
        """Whether the account takes request keys, as far as we know."""
        ...

    async def send_again(
        self,
        *,
        means: MeansOnHand,
        amount: Money,
        order_id: str,
        request_key: str,
        keep: KeepCard | None = None,
    ) -> Captured | Refusal:
        """The very same charge with the same key: what it came to, or what it comes to now.

        Raises:
            GatewayNotReached: nothing was sent.
            OutcomeUnknown: also for every answer that does not tell, such as keys not allowed.
        """
        ...

    async def of_order(self, order_id: str) -> list[Transaction]:
        """All its transactions, oldest first; the index lags behind."""
        ...

    async def reverse(self, transaction_id: str) -> Undone:
        """Give the money of a sale back, whether it is settled or not; again changes nothing."""
        ...
