"""A gateway that answers what it is told to, and remembers what it was asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ivr.billing.money import Money
from ivr.billing.payments import Captured, Refusal

CAPTURED = Captured("tx1abc", "1000", datetime(2026, 4, 1, 12, tzinfo=UTC))


@dataclass(frozen=True)
class Charge:
    """One question to the gateway."""

    token: str
    amount: Money
    order_id: str
    request_key: str


@dataclass
class AnsweringGateway:
    """`billing.ports.Gateway`: gives `answer`, or raises it if it is an error."""

    answer: Captured | Refusal | Exception = CAPTURED
    charges: list[Charge] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None
    """called while the charge is under way"""

    async def charge(
        self, *, token: str, amount: Money, order_id: str, request_key: str
    ) -> Captured | Refusal:
        self.charges.append(Charge(token, amount, order_id, request_key))
        if self.meanwhile:
            self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer
