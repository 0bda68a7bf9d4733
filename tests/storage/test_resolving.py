"""Doubts in Postgres only: two processes that write about one attempt at the same moment."""

from __future__ import annotations

import asyncio

from ivr.billing.payments import AttemptState
from tests.storage.test_contract_doubts import charged_by, claimed
from tests.storage.test_contract_ledger import REFUSAL
from tests.storage.world import PostgresWorld

WAITING = """SELECT EXISTS (SELECT FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock')"""


async def until_somebody_waits(real: PostgresWorld) -> None:
    while not await real.ask(WAITING):  # noqa: ASYNC110 - Postgres has to be asked again
        await asyncio.sleep(0.01)


async def test_an_answer_that_comes_while_the_charge_is_taken_for_abandoned_leaves_no_doubt(
    real: PostgresWorld,
) -> None:
    slow, other = await real.node(), await real.node()
    attempt = await charged_by(real, slow)
    await slow.die()
    async with real.database.transaction() as session:
        await session.rows("abandon_charges", 400.0)
        declined = asyncio.create_task(slow.ledger.declined(attempt.id, REFUSAL))
        await until_somebody_waits(real)
    await declined
    assert await real.state(attempt) is AttemptState.DECLINED
    assert await claimed(other, attempt) is None
    told = ["payment.in-doubt", "payment.declined", "payment-failed"]
    assert await real.events(attempt) == told
