"""Money that staff gave back: each step is one commit, and safe to repeat."""

from __future__ import annotations

from uuid import UUID, uuid4

from ivr.billing.card_numbers import without_card_numbers
from ivr.billing.errors import AttemptNotFound
from ivr.billing.money import Money
from ivr.billing.payments import Allocation, AttemptState
from ivr.billing.refunding import NotRefundable, Payment, RefundKeyUsed
from ivr.billing.refunds import Refund, RefundKind, RefundState, RefundWish, spread_back
from ivr.storage.pool import Database, Record, Session
from ivr.storage.rows import storable

REFUNDABLE = {AttemptState.CAPTURED, AttemptState.SETTLED}


class PostgresRefunds:
    """`billing.refunding.Refunds`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def payment(self, attempt_id: UUID) -> Payment:
        return _payment(attempt_id, await self._database.row("refundable_payment", attempt_id))

    async def open(self, wish: RefundWish, kind: RefundKind) -> tuple[Refund, bool]:
        async with self._database.transaction() as session:
            await session.row("lock_payment", wish.attempt_id)
            if earlier := await session.row("refund_by_key", wish.key):
                return _same(earlier, wish), False
            payment = _payment(
                wish.attempt_id, await session.row("refundable_payment", wish.attempt_id)
            )
            amount = payment.allows(wish.amount, kind)
            refund_id = uuid4()
            new = await session.row(
                "open_refund",
                refund_id,
                wish.attempt_id,
                kind.value,
                amount.amount,
                without_card_numbers(storable(wish.reason)),
                without_card_numbers(storable(wish.who)),
                wish.key,
                wish.digest,
                wish.reopen,
            )
            # Without an answer the key was taken, a moment ago, for another payment.
            row = await session.row("refund_by_key", wish.key)
        if row is None:
            raise RefundKeyUsed("the same key is being used now: ask again")
        return _same(row, wish), new is not None

    async def of_key(self, wish: RefundWish) -> Refund | None:
        row = await self._database.row("refund_by_key", wish.key)
        return _same(row, wish) if row else None

    async def of_payment(self, attempt_id: UUID) -> list[Refund]:
        """All of one payment, the first first. Raises AttemptNotFound."""
        async with self._database.session() as session:
            rows = await session.rows("refunds_of_payment", attempt_id)
            if not rows and await session.row("refundable_payment", attempt_id) is None:
                raise AttemptNotFound(f"no payment {attempt_id}")
        return [refund(row) for row in rows]

    async def done(self, refund_id: UUID, transaction_id: str) -> Refund:
        async with self._database.transaction() as session:
            before = await _one(session, refund_id)
            await session.row("lock_payment", before.attempt_id)
            if await session.row("refund_done", refund_id, storable(transaction_id)):
                opened = await _reopen(session, before) if before.reopen else []
                await session.run(
                    "tell_of_refund",
                    before.attempt_id,
                    refund_id,
                    before.kind.value,
                    opened,
                    str(before.amount.amount),
                )
            return await _one(session, refund_id)

    async def refused(self, refund_id: UUID, why: str) -> Refund:
        return await self._end(refund_id, RefundState.REFUSED, why)

    async def unknown(self, refund_id: UUID, why: str) -> Refund:
        return await self._end(refund_id, RefundState.UNKNOWN, why)

    async def unfinished(self, older_than_seconds: float) -> list[tuple[Refund, float]]:
        rows = await self._database.rows("unfinished_refunds", older_than_seconds)
        return [(refund(row), row["age"]) for row in rows]

    async def _end(self, refund_id: UUID, state: RefundState, why: str) -> Refund:
        async with self._database.transaction() as session:
            shown = without_card_numbers(storable(why))
            await session.run("end_refund", refund_id, state.value, shown)
            return await _one(session, refund_id)


async def _one(session: Session, refund_id: UUID) -> Refund:
    row = await session.row("refund_by_id", refund_id)
    if row is None:
        raise AttemptNotFound(f"no refund {refund_id}")
    return refund(row)


async def _reopen(session: Session, refund: Refund) -> list[int]:
    """The invoices that are owed again."""
    currency = refund.amount.currency
    rows = await session.rows("lock_paid_invoices", refund.attempt_id)
    applied = [Allocation(row["id"], Money(row["applied"], currency)) for row in rows]
    back = spread_back(applied, refund.amount)
    invoices = [part.invoice_id for part in back]
    amounts = [part.amount.amount for part in back]
    await session.run("reopen_invoices", refund.attempt_id, invoices, amounts)
    return invoices


def _payment(attempt_id: UUID, row: Record | None) -> Payment:
    if row is None:
        raise AttemptNotFound(f"no payment {attempt_id}")
    state = AttemptState(row["state"])
    if state not in REFUNDABLE:
        raise NotRefundable(f"the payment is {state}: there is nothing to give back")
    currency = row["currency"]
    return Payment(
        row["transaction_id"], Money(row["amount"], currency), Money(row["remaining"], currency)
    )


def _same(row: Record, wish: RefundWish) -> Refund:
    if row["digest"] != wish.digest:
        raise RefundKeyUsed("the same key came with another refund")
    return refund(row)


def refund(row: Record) -> Refund:
    """A row of a query that selects a refund with its payment."""
    return Refund(
        id=row["id"],
        attempt_id=row["attempt_id"],
        sale_id=row["sale_id"],
        kind=RefundKind(row["kind"]),
        amount=Money(row["amount"], row["currency"]),
        reason=row["reason"],
        who=row["who"],
        reopen=row["reopen"],
        state=RefundState(row["state"]),
        transaction_id=row["transaction_id"],
        why=row["why"],
        asked_at=row["asked_at"],
        ended_at=row["ended_at"],
    )
