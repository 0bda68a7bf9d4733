"""Mending differences: what our ledger takes, what it refuses, and when it is away."""

from __future__ import annotations

from uuid import uuid4

import pytest

from ivr.billing.comparing import Comparing
from ivr.billing.differences import Become, Difference, Kind
from ivr.billing.errors import AttemptNotFound, BillingError, LedgerUnavailable
from ivr.billing.payments import AttemptState
from tests.fakes.company import FakeCompany
from tests.fakes.ledger import FakeLedger

SETTLED = Difference(
    Kind.STATE, "saldo-1", "captured", "settled", "", uuid4(), Become(AttemptState.SETTLED)
)


class Refusing(FakeLedger):
    """A ledger that has only one answer."""

    def __init__(self, error: BillingError) -> None:
        super().__init__(FakeCompany())
        self.error = error

    async def became(self, attempt_id: object, state: object, *, reason: str = "") -> None:
        raise self.error


def comparing(error: BillingError) -> Comparing:
    return Comparing(None, None, Refusing(error))  # type: ignore[arg-type]  # mending reads neither


async def test_a_difference_that_the_ledger_refuses_is_left_and_stops_no_other() -> None:
    assert not await comparing(BillingError("refused by paid_within_amount")).mend(SETTLED)
    assert not await comparing(AttemptNotFound("no attempt")).mend(SETTLED)


async def test_a_ledger_that_is_away_is_no_difference() -> None:
    with pytest.raises(LedgerUnavailable):
        await comparing(LedgerUnavailable("away")).mend(SETTLED)
