"""`billing.ports.Ledger` in memory; the same cases hold for it and for Postgres."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from ivr.billing.customers import ServiceStatus, SuspensionReason
from ivr.billing.doubts import Stray, StrayWhy
from ivr.billing.errors import (
    AttemptNotFound,
    InvoiceAlreadyPaid,
    InvoiceBeingPaid,
    TransitionRefused,
)
from ivr.billing.methods import Method
from ivr.billing.money import total
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
from ivr.billing.refunds import RefundState
from tests.fakes.company import FakeCompany, KeptAttempt, KeptCard, KeptDoubt, KeptStray

NOT_CHARGED = {AttemptState.DECLINED, AttemptState.FAILED, AttemptState.CANCELED}
STILL_PAID = {AttemptState.CAPTURED, AttemptState.SETTLED}
BY_STAFF = {AttemptState.VOIDED, AttemptState.REFUNDED}
WAS_PAID = STILL_PAID | {AttemptState.REFUNDED}
HOLDING = {AttemptState.CHARGING, AttemptState.UNKNOWN}
TOLD = {
    AttemptState.DECLINED: "payment.declined",
    AttemptState.FAILED: "payment.failed",
    AttemptState.UNKNOWN: "payment.in-doubt",
}


class FakeLedger:
    """Keeps attempts in `company.attempts`."""

    def __init__(
        self, company: FakeCompany, daemon: str = "", settle_first: Collection[Method] = ()
    ) -> None:
        self.company = company
        self.daemon = daemon
        self.settle_first = settle_first

    async def open_attempt(self, attempt: Attempt) -> None:
        self.company.check()
        self.company.attempts.setdefault(attempt.id, KeptAttempt(attempt))

    async def begin_charging(
        self, attempt_id: UUID, means: MeansOnHand, keep: KeepCard | None = None
    ) -> None:
        kept = self._find(attempt_id)
        if kept.attempt.state is not AttemptState.CREATED:
            state = kept.attempt.state
            raise TransitionRefused(f"attempt {attempt_id} is {state}", state)
        parts = kept.attempt.allocations
        if not all(self._still_due(part) for part in parts):
            self._move(kept, AttemptState.CANCELED, "already-paid")
            raise InvoiceAlreadyPaid("an invoice was paid or changed since it was read")
        if self._held() & {part.invoice_id for part in parts}:
            self._move(kept, AttemptState.CANCELED, "being-paid")
            raise InvoiceBeingPaid("another attempt is charging one of these invoices now")
        kept.means, kept.keep = means, keep
        kept.charging_at, kept.daemon = now(), self.daemon
        kept.attempt = replace(kept.attempt, method=means.method)
        kept.waits_for_settlement = means.method in self.settle_first
        self._move(kept, AttemptState.CHARGING, None)

    async def captured(self, attempt_id: UUID, capture: Captured) -> Paid:
        kept = self._find(attempt_id)
        state = kept.attempt.state
        if kept.paid is None and state not in NOT_CHARGED:
            self._change(kept, AttemptState.CAPTURED, None)
            kept.capture = capture
            told = "payment-confirmed" if state is AttemptState.UNKNOWN else "receipt"
            kept.paid = self._pay(kept, told)
            self._notify(kept.attempt)
            self._keep_card(kept, capture)
        elif kept.capture is None or kept.capture.transaction_id != capture.transaction_id:
            self._stray(kept.attempt, capture, state)
        if kept.paid is None:
            raise TransitionRefused(f"attempt {attempt_id} is {state}", state)
        return kept.paid

    async def declined(self, attempt_id: UUID, refusal: Refusal) -> None:
        kept = self._find(attempt_id)
        self._change(kept, AttemptState.DECLINED, None)
        kept.refusal = refusal

    async def failed(
        self, attempt_id: UUID, reason: str, *, tell: bool = False, unsent: bool = False
    ) -> None:
        kept = self._find(attempt_id)
        if unsent and kept.attempt.state is AttemptState.UNKNOWN:
            raise TransitionRefused(f"attempt {attempt_id} is in doubt", AttemptState.UNKNOWN)
        self._change(kept, AttemptState.FAILED, reason, tell=tell)

    async def unknown(self, attempt_id: UUID, reason: str) -> None:
        kept = self._find(attempt_id)
        if kept.attempt.state in (AttemptState.DECLINED, AttemptState.FAILED):
            kept.doubt = KeptDoubt(now(), now())
        self._change(self._find(attempt_id), AttemptState.UNKNOWN, reason)

    async def became(self, attempt_id: UUID, state: AttemptState, *, reason: str = "") -> None:
        kept = self._find(attempt_id)
        before = kept.attempt.state
        if before is state:
            return
        if before not in WAS_PAID or state not in TRANSITIONS[before]:
            raise TransitionRefused(f"attempt {attempt_id} is {before}", before)
        if state in BY_STAFF and self._is_being_given_back(attempt_id):
            raise TransitionRefused(f"attempt {attempt_id} is being refunded", before)
        self._move(kept, state, reason or None)
        self.company.events.append(f"payment.{state}")
        if state is AttemptState.SETTLED:
            kept.settled_at = datetime.now(UTC)
            if kept.paid and kept.waits_for_settlement:
                kept.paid = replace(kept.paid, reactivated=self._back(kept.attempt))
            return
        for part in kept.attempt.allocations:
            self._owe_again(attempt_id, part)
        if state is AttemptState.RETURNED and kept.paid:
            for line in kept.paid.reactivated:
                self._suspend(line.service_id)
        if state is AttemptState.RETURNED:
            self._tell_of_return(attempt_id)

    def _is_being_given_back(self, attempt_id: UUID) -> bool:
        refunds = [each.refund for each in self.company.refunds.values()]
        return any(one.attempt_id == attempt_id and one.is_open for one in refunds)

    def _owe_again(self, attempt_id: UUID, part: Allocation) -> None:
        """As much as was not reopened before, by a refund."""
        before = (
            one.amount
            for each, one in self.company.reopened
            if each == attempt_id and one.invoice_id == part.invoice_id
        )
        still = part.amount - total(before, part.amount.currency)
        if not still:
            return
        invoice = self.company.invoices[part.invoice_id]
        owed = replace(invoice, paid=invoice.paid - still)
        self.company.invoices[owed.id] = owed
        self.company.reopened.append((attempt_id, replace(part, amount=still)))
        self.company.events.append("invoice.part-paid" if owed.paid else "invoice.unpaid")

    def _tell_of_return(self, attempt_id: UUID) -> None:
        refunds = [each.refund for each in self.company.refunds.values()]
        done = [
            one for one in refunds if one.attempt_id == attempt_id and one.state is RefundState.DONE
        ]
        self.company.events += ["payment.given-back-twice"] if done else []
        self.company.events += ["bank-return", "bank-return"]  # by mail and by text

    def _suspend(self, service_id: int) -> None:
        service = self.company.services[service_id]
        self.company.services[service_id] = replace(
            service,
            status=ServiceStatus.SUSPENDED,
            suspended_for=SuspensionReason.NON_PAYMENT,
        )
        self.company.events.append("service.reactivation-reversed")

    async def cancel(self, attempt_id: UUID, *, tell: bool = False) -> None:
        self.company.check()
        kept = self.company.attempts.get(attempt_id)
        if kept and kept.attempt.state is AttemptState.CREATED:
            self._change(kept, AttemptState.CANCELED, "given up", tell=tell)

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

    def _change(
        self, kept: KeptAttempt, state: AttemptState, reason: str | None, *, tell: bool = False
    ) -> None:
        before = kept.attempt.state
        if before is AttemptState.UNKNOWN or tell:
            tell = before is not state and state in NOT_CHARGED
        if before is not state and state not in TRANSITIONS.get(before, frozenset()):
            raise TransitionRefused(f"attempt {kept.attempt.id} is {before}", before)
        self._move(kept, state, reason)
        if before is not state and state in TOLD:
            self.company.events.append(TOLD[state])
        if tell:
            self.company.events.append("payment-failed")

    @staticmethod
    def _move(kept: KeptAttempt, state: AttemptState, reason: str | None) -> None:
        kept.attempt = replace(kept.attempt, state=state)
        kept.reason = reason
        if state not in HOLDING and kept.means:
            kept.means = replace(kept.means, token="")
        if state is AttemptState.UNKNOWN:
            kept.doubt = kept.doubt or KeptDoubt(now(), now())
        elif kept.doubt:
            kept.doubt.is_resolved = True

    def _stray(self, attempt: Attempt, capture: Captured, state: AttemptState) -> None:
        why: StrayWhy = "told-not-charged" if state in NOT_CHARGED else "second-capture"
        stray = Stray(capture.transaction_id, attempt.id, attempt.order_id, why)
        self.company.strays.setdefault(stray.transaction_id, KeptStray(stray, now()))

    def _notify(self, attempt: Attempt) -> None:
        mandate = self.company.mandates.get(attempt.id)
        if mandate and mandate.how == "notice":
            self.company.events += ["mandate", "mandate"]  # by mail and by text

    def _pay(self, kept: KeptAttempt, told: str) -> Paid:
        attempt, events = kept.attempt, self.company.events
        events.append("payment.captured")
        for part in attempt.allocations:
            invoice = self.company.invoices[part.invoice_id]
            fits = min(part.amount, invoice.due)
            paid = replace(invoice, paid=invoice.paid + fits)
            self.company.invoices[paid.id] = paid
            events.append("invoice.part-paid" if paid.due else "invoice.paid")
        back = () if kept.waits_for_settlement else self._back(attempt)
        events.append("receipt")  # by mail
        events.append(told)
        return Paid(attempt.amount, confirmation_code(attempt.id), back)

    def _back(self, attempt: Attempt) -> tuple[Reactivated, ...]:
        lines = {self.company.invoices[part.invoice_id].service_id for part in attempt.allocations}
        back = tuple(self._reactivated(line) for line in sorted(lines) if self._comes_back(line))
        self.company.events.extend("service.reactivated" for _ in back)
        return back

    def _keep_card(self, kept: KeptAttempt, capture: Captured) -> None:
        if capture.kept is not None and kept.keep is not None:
            owner, attempt_id = kept.attempt.customer_id, kept.attempt.id
            card = KeptCard(owner, capture.kept, attempt_id=attempt_id)
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


def now() -> float:
    """The clock of the fakes: what tests in virtual time move."""
    return asyncio.get_running_loop().time()
