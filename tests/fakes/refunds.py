"""`billing.refunding.Refunds` in memory; the same cases hold for it and for Postgres."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from ivr.billing.errors import AttemptNotFound
from ivr.billing.money import Money, total
from ivr.billing.payments import Allocation, AttemptState
from ivr.billing.refunding import NotRefundable, Payment, RefundKeyUsed
from ivr.billing.refunds import Refund, RefundKind, RefundState, RefundWish, spread_back
from tests.fakes.company import FakeCompany, KeptRefund

REFUNDABLE = {AttemptState.CAPTURED, AttemptState.SETTLED}


class FakeRefunds:
    """Keeps refunds in `company.refunds`."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company

    async def payment(self, attempt_id: UUID) -> Payment:
        self.company.check()
        kept = self.company.attempts.get(attempt_id)
        if kept is None:
            raise AttemptNotFound(f"no payment {attempt_id}")
        attempt = kept.attempt
        if attempt.state not in REFUNDABLE or kept.capture is None:
            raise NotRefundable(f"the payment is {attempt.state}: there is nothing to give back")
        given = [
            each.refund.amount
            for each in self.company.refunds.values()
            if each.refund.attempt_id == attempt_id and each.refund.state is not RefundState.REFUSED
        ]
        left = attempt.amount - total(given, attempt.amount.currency)
        return Payment(kept.capture.transaction_id, attempt.amount, left)

    async def open(self, wish: RefundWish, kind: RefundKind) -> tuple[Refund, bool]:
        if earlier := await self.of_key(wish):
            return earlier, False
        payment = await self.payment(wish.attempt_id)
        refund = Refund(
            uuid4(), wish.attempt_id, payment.sale_id, kind, payment.allows(wish.amount, kind),
            wish.reason, wish.who, wish.reopen, RefundState.ASKED, None, None,
            datetime.now(UTC), None,
        )  # fmt: skip
        kept = KeptRefund(refund, wish, asyncio.get_running_loop().time())
        self.company.refunds[refund.id] = kept
        return refund, True

    async def of_key(self, wish: RefundWish) -> Refund | None:
        self.company.check()
        for kept in self.company.refunds.values():
            if kept.wish.key == wish.key:
                if kept.wish.digest != wish.digest:
                    raise RefundKeyUsed("the same key came with another refund")
                return kept.refund
        return None

    async def done(self, refund_id: UUID, transaction_id: str) -> Refund:
        kept = self._find(refund_id)
        if kept.refund.is_open:
            kept.refund = replace(
                kept.refund,
                state=RefundState.DONE,
                transaction_id=transaction_id,
                why=None,
                ended_at=datetime.now(UTC),
            )
            self._give_back(kept.refund)
        return kept.refund

    async def refused(self, refund_id: UUID, why: str) -> Refund:
        return self._end(refund_id, RefundState.REFUSED, why)

    async def unknown(self, refund_id: UUID, why: str) -> Refund:
        return self._end(refund_id, RefundState.UNKNOWN, why)

    async def unfinished(self, older_than_seconds: float) -> list[tuple[Refund, float]]:
        self.company.check()
        now = asyncio.get_running_loop().time()
        return [
            (kept.refund, now - kept.asked_at)
            for kept in self.company.refunds.values()
            if kept.refund.state is RefundState.UNKNOWN
            or (kept.refund.state is RefundState.ASKED and now - kept.asked_at > older_than_seconds)
        ]

    def _find(self, refund_id: UUID) -> KeptRefund:
        self.company.check()
        if refund_id not in self.company.refunds:
            raise AttemptNotFound(f"no refund {refund_id}")
        return self.company.refunds[refund_id]

    def _end(self, refund_id: UUID, state: RefundState, why: str) -> Refund:
        kept = self._find(refund_id)
        if kept.refund.is_open:
            ended = datetime.now(UTC) if state is RefundState.REFUSED else None
            kept.refund = replace(kept.refund, state=state, why=why, ended_at=ended)
        return kept.refund

    def _give_back(self, refund: Refund) -> None:
        void = refund.kind is RefundKind.VOID
        self.company.events.append("payment.voided" if void else "payment.refunded")
        kept = self.company.attempts[refund.attempt_id]
        if refund.reopen:
            self._reopen(refund, kept.attempt.allocations)
        self.company.events += ["refund", "refund"]  # by text and by mail
        done = [
            each.refund.amount
            for each in self.company.refunds.values()
            if each.refund.attempt_id == refund.attempt_id and each.refund.state is RefundState.DONE
        ]
        if total(done, refund.amount.currency) == kept.attempt.amount:
            state = AttemptState.VOIDED if void else AttemptState.REFUNDED
            kept.attempt = replace(kept.attempt, state=state)

    def _reopen(self, refund: Refund, allocations: tuple[Allocation, ...]) -> None:
        invoices = self.company.invoices
        oldest_first = sorted(
            allocations, key=lambda part: (invoices[part.invoice_id].due_date, part.invoice_id)
        )
        before = self._reopened(refund)
        applied = [
            Allocation(part.invoice_id, part.amount - before.get(part.invoice_id, _none(part)))
            for part in oldest_first
        ]
        for part in spread_back(applied, refund.amount):
            invoice = invoices[part.invoice_id]
            paid = invoice.paid - part.amount
            invoices[invoice.id] = replace(invoice, paid=paid)
            self.company.events.append("invoice.part-paid" if paid else "invoice.unpaid")
            self.company.reopened.append((refund.attempt_id, part))

    def _reopened(self, refund: Refund) -> dict[int, Money]:
        before: dict[int, Money] = {}
        for attempt_id, part in self.company.reopened:
            if attempt_id == refund.attempt_id:
                earlier = before.get(part.invoice_id, _none(part))
                before[part.invoice_id] = earlier + part.amount
        return before


def _none(part: Allocation) -> Money:
    return Money.zero(part.amount.currency)
