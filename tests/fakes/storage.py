"""The other ports of storage in memory, over one FakeCompany."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from ivr.billing.assisted_captures import (
    AssistedCapture,
    CardPayment,
    FieldProgress,
    FieldState,
    PaymentStatus,
)
from ivr.billing.calls import CallArrived, CallEnded
from ivr.billing.captures import CaptureField, CaptureOutcome, CaptureRequest
from ivr.billing.customers import Customer
from ivr.billing.invoices import Invoice, in_order
from ivr.billing.messages import ToCustomer
from ivr.billing.payments import AttemptState, CardOnHand, confirmation_code
from ivr.storage.assisted_captures import CANCELED_FOR, PAYMENTS
from tests.fakes.company import FakeCompany, KeptAttempt
from tests.fakes.ledger import FakeLedger

__all__ = [
    "FakeAssistedCaptures",
    "FakeCalls",
    "FakeCaptures",
    "FakeCompany",
    "FakeDirectory",
    "FakeInvoices",
    "FakeLedger",
]


class FakeDirectory:
    """`billing.ports.Directory`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def by_account_number(self, account_number: str) -> Customer | None:
        self.company.check()
        for customer in self.company.customers.values():
            if customer.account_number == account_number:
                return customer
        return None

    async def by_external_id(self, external_id: str) -> Customer | None:
        """The account number, as in the other world."""
        return await self.by_account_number(external_id)

    async def ways_to(self, customer_id: int) -> frozenset[ToCustomer]:
        self.company.check()
        on_file: dict[ToCustomer, set[int]] = {
            "text": self.company.with_phone,
            "mail": self.company.with_mail,
        }
        return frozenset(way for way, customers in on_file.items() if customer_id in customers)


class FakeInvoices:
    """`billing.ports.Invoices`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def unpaid(self, customer_id: int) -> list[Invoice]:
        self.company.check()
        in_doubt = {
            part.invoice_id
            for kept in self.company.attempts.values()
            if kept.attempt.state is AttemptState.UNKNOWN
            for part in kept.attempt.allocations
        }
        return in_order(
            [
                invoice
                for invoice in self.company.invoices.values()
                if invoice.customer_id == customer_id and invoice.due and invoice.id not in in_doubt
            ]
        )

    async def by_number(self, numbers: Sequence[str]) -> list[Invoice]:
        self.company.check()
        found = (one for one in self.company.invoices.values() if one.number in numbers)
        return sorted(found, key=lambda invoice: invoice.number)

    async def in_doubt(self, customer_id: int) -> bool:
        self.company.check()
        return any(
            kept.attempt.customer_id == customer_id and kept.attempt.state is AttemptState.UNKNOWN
            for kept in self.company.attempts.values()
        )


class FakeCaptures:
    """`billing.ports.Captures`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def open(self, request: CaptureRequest) -> None:
        self.company.check()
        self.company.captures.setdefault(request.id, request)

    async def request(self, capture_id: UUID) -> CaptureRequest | None:
        self.company.check()
        if capture_id in self.company.outcomes:
            return None
        return self.company.captures.get(capture_id)

    async def close(self, capture_id: UUID, outcome: CaptureOutcome) -> None:
        self.company.check()
        if capture_id in self.company.captures:
            self.company.outcomes.setdefault(capture_id, outcome)

    async def outcome(self, capture_id: UUID) -> CaptureOutcome | None:
        self.company.check()
        return self.company.outcomes.get(capture_id)


class FakeAssistedCaptures:
    """`billing.ports.AssistedCaptures`; a capture is as the other fakes' rows say it is."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def open(self, capture: AssistedCapture) -> bool:
        self.company.check()
        if any(one.key == capture.key for one in self.company.assisted.values()):
            return False
        self.company.captures[capture.id] = capture.request
        self.company.assisted[capture.id] = capture
        return True

    async def find(self, capture_id: UUID) -> AssistedCapture | None:
        self.company.check()
        return self._now(capture_id) if capture_id in self.company.assisted else None

    async def of_key(self, key: str) -> AssistedCapture | None:
        self.company.check()
        of_key = [one.id for one in self.company.assisted.values() if one.key == key]
        return self._now(of_key[0]) if of_key else None

    async def keep_fields(
        self, capture_id: UUID, fields: Mapping[CaptureField, FieldProgress]
    ) -> None:
        self.company.check()
        capture = self.company.assisted[capture_id]
        self.company.assisted[capture_id] = replace(capture, fields=fields)

    async def forget_token(self, capture_id: UUID) -> None:
        self.company.check()
        outcome = self.company.outcomes.get(capture_id)
        if outcome and outcome.card:
            card = _without_token(outcome.card)
            self.company.outcomes[capture_id] = replace(outcome, card=card)

    async def unfinished(self, daemon: str, ended_seconds_ago: float) -> list[AssistedCapture]:
        self.company.check()
        mine = [one.id for one in self.company.assisted.values() if one.daemon == daemon]
        return [capture for capture in map(self._now, mine) if _is_unfinished(capture)]

    def _now(self, capture_id: UUID) -> AssistedCapture:
        capture = self.company.assisted[capture_id]
        is_open = any(one.state is not FieldState.WAITING for one in capture.fields.values())
        outcome = self.company.outcomes.get(capture_id)
        attempt = payment = None
        if capture.attempt:
            kept = self.company.attempts[capture.attempt.id]
            attempt, payment = kept.attempt, _payment(kept)
        return replace(capture, is_open=is_open, outcome=outcome, attempt=attempt, payment=payment)


def _is_unfinished(capture: AssistedCapture) -> bool:
    attempt = capture.attempt
    is_unsettled = attempt is not None and attempt.state is AttemptState.CREATED
    return capture.outcome is None or is_unsettled


def _payment(kept: KeptAttempt) -> CardPayment:
    status = PAYMENTS[kept.attempt.state]
    if status is PaymentStatus.NOT_CHARGED:
        status = CANCELED_FOR.get(kept.reason or "", status)
    return CardPayment(
        status,
        kept.attempt.amount,
        kept.attempt.fee,
        confirmation_code(kept.attempt.id) if status is PaymentStatus.PAID else None,
        kept.refusal.bucket if kept.refusal else None,
    )


class FakeCalls:
    """`billing.ports.Calls`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def arrived(self, call: CallArrived) -> None:
        self.company.check()
        self.company.calls.setdefault(call.id, call)

    async def ended(self, call_id: str, ended: CallEnded) -> None:
        self.company.check()
        if call_id in self.company.ended:
            return
        self.company.ended[call_id] = ended
        for capture_id, request in self.company.captures.items():
            outcome = self.company.outcomes.get(capture_id)
            if request.call_id == call_id and outcome and outcome.card:
                card = _without_token(outcome.card)
                self.company.outcomes[capture_id] = replace(outcome, card=card)


def _without_token(card: CardOnHand) -> CardOnHand:
    return replace(card, token="")
