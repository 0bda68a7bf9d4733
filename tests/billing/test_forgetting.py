"""Bank accounts taken out of the gateway's vault, and again when that did not work."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from ivr.billing.errors import GatewayError, GatewayNotReached, GatewayRefused, OutcomeUnknown
from ivr.billing.forgetting import Forgetting


class Desk:
    """Accounts that are due, and a gateway that may be away."""

    def __init__(self, *due: UUID) -> None:
        self.due = list(due)
        self.gone: list[UUID] = []
        self.error: GatewayError | None = None
        self.troubles: list[tuple[UUID, str]] = []

    async def to_forget(self, most: int, keep_days: int) -> list[UUID]:
        await asyncio.sleep(0)
        assert keep_days == 90
        return self.due[:most]

    async def forgotten(self, attempt_id: UUID) -> None:
        await asyncio.sleep(0)
        self.due.remove(attempt_id)

    async def forget_account(self, attempt_id: UUID) -> None:
        await asyncio.sleep(0)
        if self.error is not None and attempt_id == self.due[0]:
            raise self.error
        self.gone.append(attempt_id)

    async def clean(self) -> int:
        told = lambda attempt_id, why: self.troubles.append((attempt_id, why))  # noqa: E731 - a note
        return await Forgetting(self, self, 90, told).clean()


async def test_what_is_due_is_forgotten_there_and_then_here() -> None:
    first, second = uuid4(), uuid4()
    desk = Desk(first, second)
    assert await desk.clean() == 2
    assert (desk.gone, desk.due, desk.troubles) == ([first, second], [], [])


@pytest.mark.parametrize(
    "error", [GatewayNotReached("away"), GatewayRefused("no"), OutcomeUnknown("late")]
)
async def test_what_the_gateway_may_have_still_is_due_again_and_holds_up_nothing(
    error: GatewayError,
) -> None:
    first, second = uuid4(), uuid4()
    desk = Desk(first, second)
    desk.error = error
    assert await desk.clean() == 1
    assert (desk.gone, desk.due) == ([second], [first])
    assert desk.troubles == [(first, str(error))]
    desk.error = None
    assert await desk.clean() == 1
    assert desk.due == []
