"""`billing.ports.Ledger` in memory; the same cases hold for it and for Postgres."""

from dataclasses import replace
from uuid import UUID

from ivr.billing.customers import ServiceStatus, SuspensionReason
from ivr.billing.errors import (
    AttemptNotFound,
    InvoiceAlreadyPaid,
    InvoiceBeingPaid,
    TransitionRefused,
)
from ivr.billing.payments import (
    TRANSITIONS,
    Allocation,
    Attempt,
    AttemptState,
    Captured,
    KeepCard,
    MeansOnHand,
    Paid,
    Reactivated,
    Refusal,
    confirmation_code,
)
from tests.fakes.company import FakeCompany, KeptAttempt, KeptCard

HOLDING = {AttemptState.CHARGING, AttemptState.UNKNOWN}


class FakeLedger:
    """Keeps attempts in `company.attempts`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def open_attempt(self, attempt: Attempt) -> None:
        self.company.check()
        self.company.attempts.setdefault(attempt.id, KeptAttempt(attempt))

    async def begin_charging(
        self, attempt_id: UUID, means: MeansOnHand, keep: KeepCard | None = None
    ) -> None:
        kept = self._find(attempt_id)
        if kept.attempt.state is not AttemptState.CREATED:
            raise TransitionRefused(f"attempt {attempt_id} is {kept.attempt.state}")
        parts = kept.attempt.allocations
        if not all(self._still_due(part) for part in parts):
            self._move(kept, AttemptState.CANCELED, "already-paid")
            raise InvoiceAlreadyPaid("an invoice was paid or changed since it was read")
        if self._held() & {part.invoice_id for part in parts}:
            self._move(kept, AttemptState.CANCELED, "being-paid")
            raise InvoiceBeingPaid("another attempt is charging one of these invoices now")
        kept.means, kept.keep = means, keep
        kept.attempt = replace(kept.attempt, method=means.method)
        self._move(kept, AttemptState.CHARGING, None)

    async def captured(self, attempt_id: UUID, capture: Captured) -> Paid:
        kept = self._find(attempt_id)
        if kept.paid is None:
            self._change(kept, AttemptState.CAPTURED, None)
            kept.paid = self._pay(kept.attempt)
            self._keep_card(kept, capture)
        return kept.paid

    async def declined(self, attempt_id: UUID, refusal: Refusal) -> None:
        kept = self._find(attempt_id)
        self._change(kept, AttemptState.DECLINED, None)
        kept.refusal = refusal

    async def failed(self, attempt_id: UUID, reason: str) -> None:
        self._change(self._find(attempt_id), AttemptState.FAILED, reason)

    async def unknown(self, attempt_id: UUID, reason: str) -> None:
        self._change(self._find(attempt_id), AttemptState.UNKNOWN, reason)

    async def cancel(self, attempt_id: UUID) -> None:
        self.company.check()
        kept = self.company.attempts.get(attempt_id)
        if kept and kept.attempt.state is AttemptState.CREATED:
            self._move(kept, AttemptState.CANCELED, "given up")

    async def sent(self, attempt_id: UUID) -> tuple[MeansOnHand, KeepCard | None] | None:
        self.company.check()
        kept = self.company.attempts.get(attempt_id)
        return (kept.means, kept.keep) if kept and kept.means and kept.means.token else None

    def _find(self, attempt_id: UUID) -> KeptAttempt:
        self.company.check()
        if attempt_id not in self.company.attempts:
            raise AttemptNotFound(f"no attempt {attempt_id}")
        return self.company.attempts[attempt_id]

    def _held(self) -> set[int]:
        return {
            part.invoice_id
            for kept in self.company.attempts.values()
            if kept.attempt.state in HOLDING
            for part in kept.attempt.allocations
        }

    def _still_due(self, part: Allocation) -> bool:
        invoice = self.company.invoices[part.invoice_id]
        return invoice.amount.currency == part.amount.currency and not invoice.due < part.amount

    def _change(self, kept: KeptAttempt, state: AttemptState, reason: str | None) -> None:
        before = kept.attempt.state
        if before is not state and state not in TRANSITIONS.get(before, frozenset()):
            raise TransitionRefused(f"attempt {kept.attempt.id} is {before}")
        self._move(kept, state, reason)

    @staticmethod
    def _move(kept: KeptAttempt, state: AttemptState, reason: str | None) -> None:
        kept.attempt = replace(kept.attempt, state=state)
        kept.reason = reason
        if state not in HOLDING and kept.means:
            kept.means = replace(kept.means, token="")

    def _pay(self, attempt: Attempt) -> Paid:
        events = self.company.events
        events.append("payment.captured")
        for part in attempt.allocations:
            invoice = self.company.invoices[part.invoice_id]
            fits = min(part.amount, invoice.due)
            paid = replace(invoice, paid=invoice.paid + fits)
            self.company.invoices[paid.id] = paid
            events.append("invoice.part-paid" if paid.due else "invoice.paid")
        lines = {self.company.invoices[part.invoice_id].service_id for part in attempt.allocations}
        back = tuple(self._reactivated(line) for line in sorted(lines) if self._comes_back(line))
        events.extend("service.reactivated" for _ in back)
        events.append("receipt")
        return Paid(attempt.amount, confirmation_code(attempt.id), back)

    def _keep_card(self, kept: KeptAttempt, capture: Captured) -> None:
        if capture.kept is not None and kept.keep is not None:
            card = KeptCard(kept.attempt.customer_id, capture.kept)
            if self.company.cards.setdefault(capture.kept.id, card) is card:
                self.company.events += ["card-kept", "card-kept"]  # by text and by mail

    def _comes_back(self, service_id: int) -> bool:
        owed = any(
            invoice.due
            for invoice in self.company.invoices.values()
            if invoice.service_id == service_id
        )
        reason = self.company.services[service_id].suspended_for
        return not owed and reason is SuspensionReason.NON_PAYMENT

    def _reactivated(self, service_id: int) -> Reactivated:
        service = self.company.services[service_id]
        self.company.services[service_id] = replace(
            service, status=ServiceStatus.ACTIVE, suspended_for=None
        )
        return Reactivated(service.id, service.label)
