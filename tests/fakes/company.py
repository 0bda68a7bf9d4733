"""The rows that the fakes of storage share: what the database would hold, in lists and dicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from ivr.billing.assisted_captures import AssistedCapture
from ivr.billing.bank_accounts import Mandate
from ivr.billing.calls import CallArrived, CallEnded
from ivr.billing.captures import CaptureOutcome, CaptureRequest
from ivr.billing.cards_on_file import Consent, RemovedFor
from ivr.billing.customers import (
    Customer,
    CustomerKind,
    Service,
    ServiceStatus,
    SuspensionReason,
)
from ivr.billing.doubts import Doubt, Stray, Undone
from ivr.billing.errors import LedgerNotReached
from ivr.billing.invoices import Invoice
from ivr.billing.money import Money
from ivr.billing.payments import (
    Allocation,
    Attempt,
    Captured,
    CardOnFile,
    KeepCard,
    MeansOnHand,
    Paid,
    Refusal,
)
from ivr.billing.refunds import Refund, RefundWish
from ivr.billing.settling import Became


@dataclass
class KeptAttempt:
    """An attempt and what happened to it; seconds are of the event loop's clock."""

    attempt: Attempt
    means: MeansOnHand | None = None
    keep: KeepCard | None = None
    paid: Paid | None = None
    refusal: Refusal | None = None
    reason: str | None = None
    capture: Captured | None = None
    charging_at: float = 0.0
    daemon: str = ""
    waits_for_settlement: bool = False
    settled_at: datetime | None = None
    doubt: KeptDoubt | None = None


@dataclass
class KeptDoubt:
    """Where the search for an outcome is."""

    since: float
    look_at: float
    looked: Doubt | None = None
    claimed_until: float = 0.0
    claimed_by: str = ""
    is_resolved: bool = False


@dataclass
class KeptStray:
    """Money that must go back."""

    stray: Stray
    look_at: float
    claimed_until: float = 0.0
    claimed_by: str = ""
    undone: Undone | None = None


@dataclass
class KeptCard:
    """A card on file and what happened to it."""

    customer_id: int
    card: CardOnFile
    removed_for: RemovedFor | None = None
    is_deleted: bool = False
    """at the gateway"""
    attempt_id: UUID | None = None
    """the payment that it was keyed for"""


@dataclass
class KeptRefund:
    """A refund, the wish that it came from, and when it was asked for."""

    refund: Refund
    wish: RefundWish
    asked_at: float = 0.0


@dataclass
class FakeCompany:
    """A company of a few rows. `away = True` makes every port raise LedgerUnavailable."""

    customers: dict[int, Customer] = field(default_factory=dict)
    services: dict[int, Service] = field(default_factory=dict)
    invoices: dict[int, Invoice] = field(default_factory=dict)
    attempts: dict[UUID, KeptAttempt] = field(default_factory=dict)
    strays: dict[str, KeptStray] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    """daemons that were not heard of for a while"""
    events: list[str] = field(default_factory=list)
    """kinds, in order"""
    with_phone: set[int] = field(default_factory=set)
    """customers whom a text message reaches"""
    with_mail: set[int] = field(default_factory=set)
    mandates: dict[UUID, Mandate] = field(default_factory=dict)
    """by attempt"""
    proved: set[UUID] = field(default_factory=set)
    """attempts whose mandate was found in a recording"""
    looked_at: dict[UUID, float] = field(default_factory=dict)
    """attempts whose account need not be looked at before then"""
    forgotten: set[UUID] = field(default_factory=set)
    """attempts whose account the gateway has no more"""
    notifications: dict[str, tuple[UUID | None, Became]] = field(default_factory=dict)
    """of the gateway, by digest"""
    captures: dict[UUID, CaptureRequest] = field(default_factory=dict)
    outcomes: dict[UUID, CaptureOutcome] = field(default_factory=dict)
    assisted: dict[UUID, AssistedCapture] = field(default_factory=dict)
    cards: dict[UUID, KeptCard] = field(default_factory=dict)
    consents: dict[UUID, Consent] = field(default_factory=dict)
    """by attempt"""
    refunds: dict[UUID, KeptRefund] = field(default_factory=dict)
    reopened: list[tuple[UUID, Allocation]] = field(default_factory=list)
    """by attempt: what is owed again"""
    calls: dict[str, CallArrived] = field(default_factory=dict)
    ended: dict[str, CallEnded] = field(default_factory=dict)
    away: bool = False

    def check(self) -> None:
        if self.away:
            raise LedgerNotReached("the database did not answer (fake)")

    def customer(
        self,
        account: str = "1042",
        *,
        postal_code: str = "28013",
        name: str = "James Smith",
        language: str = "en",
    ) -> Customer:
        """One more customer."""
        number = len(self.customers) + 1
        made = Customer(number, account, CustomerKind.PERSON, name, language, postal_code)
        self.customers[number] = made
        return made

    def service(
        self,
        customer: Customer,
        label: str = "James's mobile",
        suspended_for: SuspensionReason | None = None,
    ) -> Service:
        """One more line."""
        status = ServiceStatus.SUSPENDED if suspended_for else ServiceStatus.ACTIVE
        made = Service(
            len(self.services) + 1, customer.id, label, "+34910000000", status, suspended_for
        )
        self.services[made.id] = made
        return made

    def invoice(
        self,
        service: Service,
        amount: str = "42.50",
        *,
        number: str = "",
        paid: str = "0",
        currency: str = "EUR",
        due: date = date(2026, 3, 31),
    ) -> Invoice:
        """One more invoice."""
        position = len(self.invoices) + 1
        made = Invoice(
            id=position,
            number=number or f"F-2026-{position:04d}",
            customer_id=service.customer_id,
            service_id=service.id,
            service_label=service.label,
            amount=Money(Decimal(amount), currency),
            paid=Money(Decimal(paid), currency),
            due_date=due,
        )
        self.invoices[position] = made
        return made
