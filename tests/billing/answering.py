"""A gateway that answers what it is told to, and remembers what it was asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ivr.billing.money import Money
from ivr.billing.payments import Captured, KeepCard, MeansOnHand, Refusal

CAPTURED = Captured("tx1abc", "1000", datetime(2026, 4, 1, 12, tzinfo=UTC))


@dataclass(frozen=True)
class Charge:
    """One question to the gateway."""

    means: MeansOnHand
    amount: Money
    order_id: str
    request_key: str
    keep: KeepCard | None = None


@dataclass
class AnsweringGateway:
    """`billing.ports.Gateway`: gives `answer`, or raises it if it is an error."""

    answer: Captured | Refusal | Exception = CAPTURED
    charges: list[Charge] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None
    """called while the charge is under way"""

    async def charge(
        self,
        *,
        means: MeansOnHand,
        amount: Money,
        order_id: str,
        request_key: str,
        keep: KeepCard | None = None,
    ) -> Captured | Refusal:
        self.charges.append(Charge(means, amount, order_id, request_key, keep))
        if self.meanwhile:
            self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer
