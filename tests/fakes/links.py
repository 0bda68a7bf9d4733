"""Links to the pay page in memory, and somebody who pays by one after a while."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ivr.billing.errors import LedgerUnavailable
from ivr.billing.links import Link, LinkAttempt, LinkKey, LinkPurpose
from ivr.billing.messages import Message
from ivr.billing.money import Money
from ivr.billing.payments import AttemptState, Reactivated

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class FakeLinks:
    """`billing.ports.Links`; seconds are of the event loop's clock."""

    def __init__(self) -> None:
        self.key = LinkKey("k" * 32, "https://pay.example.com")
        self.made: list[Link] = []
        self.comes: list[tuple[float, LinkAttempt]] = []
        """so many seconds after the start of the loop → what is new from then on"""
        self.away_until = 0.0

    async def make(
        self,
        customer_id: int,
        invoice_ids: Sequence[int],
        minutes: float,
        *,
        purpose: LinkPurpose = LinkPurpose.PAY,
        amounts: Mapping[int, Money] | None = None,
        call_id: str | None = None,
    ) -> Link:
        link_id = self.key.new_id()
        link = Link(
            link_id,
            self.key.url(link_id),
            customer_id,
            tuple(invoice_ids),
            purpose,
            NOW + timedelta(minutes=minutes),
            call_id,
            dict(amounts or {}),
        )
        self.made.append(link)
        return link

    async def news(self, link_id: int) -> LinkAttempt | None:
        now = asyncio.get_running_loop().time()
        if now < self.away_until:
            raise LedgerUnavailable("away")
        come = [attempt for since, attempt in self.comes if since <= now]
        return come[-1] if come else None


def news(state: AttemptState, amount: str = "42.50", of: int = 1) -> LinkAttempt:
    """An attempt by a link in this state; `of` tells presses of the button apart."""
    paid = state is AttemptState.CAPTURED
    return LinkAttempt(
        id=UUID(int=of),
        state=state,
        amount=Money.of(amount, "EUR"),
        seconds_ago=0.0,
        taken=True,
        confirmation="12345678" if paid else "",
        reactivated=(Reactivated(7, "James's mobile"),) if paid else (),
    )


class FakeOutbox:
    """`billing.ports.Outbox`: keeps what is to be told."""

    def __init__(self) -> None:
        self.told: list[Message] = []

    async def tell(self, *messages: Message) -> None:
        self.told.extend(messages)
