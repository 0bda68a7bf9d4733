"""Calls and tokens left behind by a crash: ended, forgotten, told by what became of the money."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ivr.billing.calls import CallArrived, CallEnded, CallOutcome
from ivr.billing.captures import CaptureOutcome, CaptureRequest, CaptureResult
from ivr.billing.payments import Attempt
from ivr.storage.calls import PostgresCalls
from tests.storage.test_contract_ledger import CAPTURED, one_invoice
from tests.storage.world import CARD, PostgresWorld, opened

HOUR = 3600.0


async def left_open(real: PostgresWorld, *, hours: float) -> str:
    """A call that began so long ago and has no end."""
    call_id = uuid4().hex
    at = datetime.now(UTC) - timedelta(hours=hours)
    await real.calls.arrived(CallArrived(call_id, "17.1", call_id, None, "pay", "node1", at))
    return call_id


async def _nothing(real: PostgresWorld, attempt: Attempt) -> None:
    await real.ledger.cancel(attempt.id)


async def _charging(real: PostgresWorld, attempt: Attempt) -> None:
    await real.ledger.begin_charging(attempt.id, CARD)


async def _captured(real: PostgresWorld, attempt: Attempt) -> None:
    await real.ledger.begin_charging(attempt.id, CARD)
    await real.ledger.captured(attempt.id, CAPTURED)


@pytest.mark.parametrize(
    ("happened", "outcome"),
    [
        (_nothing, CallOutcome.FAILED),
        (_charging, CallOutcome.CONFIRMING),
        (_captured, CallOutcome.PAID),
    ],
)
async def test_a_call_whose_daemon_died_ends_as_what_became_of_the_money(
    real: PostgresWorld,
    happened: Callable[[PostgresWorld, Attempt], Awaitable[None]],
    outcome: CallOutcome,
) -> None:
    call_id = await left_open(real, hours=2)
    await happened(real, await opened(real, await one_invoice(real), call_id=call_id))
    calls = PostgresCalls(real.database)
    assert call_id in await calls.abandoned(HOUR)
    (record,) = (await calls.recent(sip_call_id=call_id)).items
    assert record.ended
    assert record.ended.outcome is outcome
    assert call_id not in await calls.abandoned(HOUR)


async def test_a_call_that_may_still_go_on_is_left_alone(real: PostgresWorld) -> None:
    call_id = await left_open(real, hours=0.5)
    calls = PostgresCalls(real.database)
    assert call_id not in await calls.abandoned(HOUR)
    (record,) = (await calls.recent(sip_call_id=call_id)).items
    assert record.ended is None


async def test_a_call_that_ended_keeps_its_end(real: PostgresWorld) -> None:
    call_id = await left_open(real, hours=2)
    calls = PostgresCalls(real.database)
    ended = CallEnded(CallOutcome.HUNG_UP, "es", None, datetime.now(UTC))
    await calls.ended(call_id, ended)
    assert call_id not in await calls.abandoned(HOUR)
    (record,) = (await calls.recent(sip_call_id=call_id)).items
    assert record.ended == ended


async def test_no_token_outlives_a_call_that_nobody_ended(real: PostgresWorld) -> None:
    asked = CaptureRequest(uuid4(), uuid4().hex, "en")
    await real.captures.open(asked)
    await real.captures.close(asked.id, CaptureOutcome(CaptureResult.SUCCESS, CARD))
    token = "SELECT token FROM captures WHERE id = $1"
    calls = PostgresCalls(real.database)
    await calls.abandoned(HOUR)
    assert await real.ask(token, asked.id) == CARD.token
    await real.ask(
        "UPDATE captures SET opened_at = now() - interval '2 hours' WHERE id = $1", asked.id
    )
    await calls.abandoned(HOUR)
    assert await real.ask(token, asked.id) is None
