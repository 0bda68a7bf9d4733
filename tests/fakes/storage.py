"""The other ports of storage in memory, over one FakeCompany."""

from dataclasses import replace
from uuid import UUID

from ivr.billing.calls import CallArrived, CallEnded
from ivr.billing.captures import CaptureOutcome, CaptureRequest
from ivr.billing.customers import Customer
from ivr.billing.invoices import Invoice, in_order
from ivr.billing.payments import AttemptState, CardOnHand
from tests.fakes.company import FakeCompany
from tests.fakes.ledger import FakeLedger

__all__ = [
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
