"""Refunds in Postgres only: two at once, and a trail that nobody can change."""

from __future__ import annotations

import asyncio
from datetime import date
from uuid import UUID, uuid4

import pytest

from ivr.billing.errors import AttemptNotFound
from ivr.billing.refunding import NotRefundable
from ivr.billing.refunds import Refund, RefundKind, RefundState
from ivr.storage.errors import QueryRefused
from ivr.storage.refunds import PostgresRefunds
from tests.storage.test_contract_refunds import paid, wish
from tests.storage.test_resolving import until_somebody_waits
from tests.storage.world import PostgresWorld

LOCK = "SELECT FROM invoices WHERE id = $1 FOR NO KEY UPDATE"
TRAIL = "SELECT string_agg(state, ' ' ORDER BY id) FROM refund_steps WHERE refund_id = $1"


async def a_refund(real: PostgresWorld) -> UUID:
    attempt = await paid(real)
    refund, _ = await real.refunds.open(wish(attempt, "10.00"), RefundKind.REFUND)
    return refund.id


async def test_two_members_of_staff_at_once_do_not_give_back_more_than_was_taken(
    real: PostgresWorld,
) -> None:
    attempt = await paid(real)
    results = await asyncio.gather(
        *(real.refunds.open(wish(attempt, "30.00"), RefundKind.REFUND) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, NotRefundable) for each in results) == 3
    assert sum(isinstance(each, tuple) for each in results) == 1


async def test_one_key_at_once_is_one_refund(real: PostgresWorld) -> None:
    attempt = await paid(real)
    same = wish(attempt, "10.00")
    results = await asyncio.gather(*(real.refunds.open(same, RefundKind.REFUND) for _ in range(4)))
    assert sorted(is_new for _, is_new in results) == [False, False, False, True]
    assert len({refund.id for refund, _ in results}) == 1


async def test_nothing_given_back_yet_is_told_from_no_such_payment(real: PostgresWorld) -> None:
    refunds = PostgresRefunds(real.database)
    assert await refunds.of_payment((await paid(real)).id) == []
    with pytest.raises(AttemptNotFound):
        await refunds.of_payment(uuid4())


async def test_an_end_that_is_written_by_two_at_once_counts_once(real: PostgresWorld) -> None:
    refund_id = await a_refund(real)
    ends: list[Refund] = await asyncio.gather(
        *(real.refunds.done(refund_id, f"credit{n}") for n in range(4))
    )
    assert len({end.transaction_id for end in ends}) == 1


async def test_a_refund_and_a_charge_of_the_same_bills_wait_for_each_other_in_one_order(
    real: PostgresWorld,
) -> None:
    line = await real.service(await real.customer())
    newer = await real.invoice(line, "10.00", due=date(2026, 4, 30))
    older = await real.invoice(line, "10.00", due=date(2026, 3, 31))
    assert newer.id < older.id
    attempt = await paid(real, newer, older)
    refund, _ = await real.refunds.open(wish(attempt, reopen=True), RefundKind.REFUND)
    async with real.database.transaction() as session:
        await session.raw.execute(LOCK, newer.id)
        done = asyncio.create_task(real.refunds.done(refund.id, "credit1"))
        await until_somebody_waits(real)
        await session.raw.execute(LOCK, older.id)
    assert (await done).state is RefundState.DONE


async def test_every_step_is_on_the_trail(real: PostgresWorld) -> None:
    refund_id = await a_refund(real)
    await real.refunds.unknown(refund_id, "no answer")
    await real.refunds.unknown(refund_id, "no answer")
    await real.refunds.done(refund_id, "credit1")
    assert await real.ask(TRAIL, refund_id) == "asked unknown done"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE refund_steps SET state = 'refused' WHERE refund_id = $1",
        "DELETE FROM refund_steps WHERE refund_id = $1",
        "DELETE FROM refunds WHERE id = $1",
        "UPDATE refunds SET amount = 1 WHERE id = $1",
        "UPDATE refunds SET who = 'nobody' WHERE id = $1",
        "UPDATE refunds SET reason = 'none' WHERE id = $1",
    ],
)
async def test_nobody_changes_the_trail_or_what_was_asked_for(
    real: PostgresWorld, change: str
) -> None:
    refund_id = await a_refund(real)
    with pytest.raises(Exception, match=r"only ever added to|stays as it is"):
        await real.ask(change, refund_id)
    assert await real.ask(TRAIL, refund_id) == "asked"


async def test_a_card_number_in_a_reason_is_not_kept(real: PostgresWorld) -> None:
    attempt = await paid(real)
    told = wish(attempt, "1.00")
    numbered = type(told)(
        told.attempt_id, told.amount, "card 4111111111111111 twice", "billing", told.key
    )
    refund, _ = await real.refunds.open(numbered, RefundKind.REFUND)
    assert "4111" not in refund.reason
    with pytest.raises(QueryRefused):
        await real.refunds.open(
            type(told)(told.attempt_id, told.amount, "r", "w", "4111111111111111"),
            RefundKind.REFUND,
        )
