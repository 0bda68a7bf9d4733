"""Links to the pay page, what each of them shows now, and the attempts made by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from ivr.billing.allocating import Chosen
from ivr.billing.card_numbers import without_card_numbers
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.links import (
    Bill,
    Link,
    LinkAttempt,
    LinkKey,
    LinkMade,
    LinkPurpose,
    LinkWish,
)
from ivr.billing.messages import Message
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState, DeclineBucket, Reactivated
from ivr.storage import rows
from ivr.storage.events import tell
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database, Record
from ivr.storage.rows import storable

RECEIPT_SECONDS = 900.0
"""how long a link that is used up shows the receipt again: for a page that is loaded once more"""
DRAWS = 5
NOBODY = (None, None, None)
"""asked for it: a call did"""


class PostgresLinks:
    """`billing.ports.Links`, `online_paying.LinkBook`, `linking.LinksOfStaff`.

    Every method raises LedgerUnavailable.
    """

    def __init__(self, database: Database, key: LinkKey) -> None:
        self._database = database
        self._ledger = PostgresLedger(database)
        self._key = key

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
        chosen = dict(amounts or {})
        asked = (customer_id, purpose.value, call_id, 60.0 * minutes, list(invoice_ids))
        parts = [chosen[each].amount if each in chosen else None for each in invoice_ids]
        for _ in range(DRAWS):
            link_id = self._key.new_id()
            row = await self._database.change("keep_link", link_id, *asked, parts, *NOBODY)
            if row is not None:
                return Link(
                    id=link_id,
                    url=self._key.url(link_id),
                    customer_id=customer_id,
                    invoice_ids=tuple(invoice_ids),
                    purpose=purpose,
                    expires_at=row["expires_at"],
                    call_id=call_id,
                    amounts=chosen,
                )
        raise LedgerUnavailable("no free number for a link was found")

    async def keep(self, wish: LinkWish, customer_id: int, chosen: Chosen) -> LinkMade | None:
        link_id = self._key.new_id()
        numbers = list(chosen.amounts)
        parts = [chosen.amounts[each].amount if chosen.is_part else None for each in numbers]
        asked = (customer_id, LinkPurpose.PAY.value, None, 60.0 * wish.minutes, numbers, parts)
        by = (without_card_numbers(storable(wish.who)), wish.key, wish.digest)
        async with self._database.transaction() as session:
            row = await session.row("keep_link", link_id, *asked, *by)
            if row is None:
                return None
            ids = {
                "customer": customer_id,
                "url": self._key.url(link_id),
                "minutes": wish.minutes,
            }
            until = row["expires_at"]
            await tell(session, *(Message(way, "pay-link", ids, until=until) for way in wish.tell))
        return await self.find(link_id)

    async def of_key(self, key: str) -> LinkMade | None:
        return await self._made(None, key)

    async def find(self, link_id: int) -> LinkMade | None:
        return await self._made(link_id, None)

    async def _made(self, link_id: int | None, key: str | None) -> LinkMade | None:
        row = await self._database.row("any_link", link_id, key)
        if row is None:
            return None
        found = await self._database.rows("link_invoices", row["id"])
        link = self._link(row, found)
        return LinkMade(link, row["digest"] or "", row["is_over"], row["is_revoked"])

    async def revoke(self, link_id: int, who: str = "") -> bool:
        row = await self._database.change("revoke_link", link_id, storable(who))
        return row is not None

    async def news(self, link_id: int) -> LinkAttempt | None:
        row = await self._database.row("link_news", link_id)
        return await self.attempt(link_id, row["key"]) if row else None

    async def bill(self, link_id: int, late_seconds: float = 0) -> Bill | None:
        row = await self._database.row("link_by_id", link_id, late_seconds)
        if row is None:
            return None
        found = await self._database.rows("link_invoices", link_id)
        paid = await self.last_paid(link_id)
        link = self._link(row, found)
        due = tuple(invoice for invoice in map(rows.invoice, found) if invoice.due)
        if (link.amounts and paid) or not due:
            if paid is None or paid.seconds_ago > RECEIPT_SECONDS:
                return None
            due = ()
        return Bill(
            link=link,
            language=row["language"],
            invoices=due,
            declines=row["declines"],
            paid=paid,
            confirming=any(each["in_doubt"] for each in found),
        )

    async def claim(self, link_id: int, key: UUID, attempt_id: UUID, *, taken: bool) -> bool:
        row = await self._database.change("claim_link_attempt", link_id, key, attempt_id, taken)
        return row is not None

    async def begun_at_paypal(self, link_id: int, key: UUID, payment_id: str) -> None:
        await self._database.change("keep_link_payment", link_id, key, storable(payment_id))

    async def take(self, link_id: int, key: UUID, payment_id: str) -> Attempt | None:
        row = await self._database.change("take_link_payment", link_id, key, storable(payment_id))
        return await self._ledger.attempt(row["attempt_id"]) if row else None

    async def attempt(self, link_id: int, key: UUID) -> LinkAttempt | None:
        row = await self._database.row("link_attempt", link_id, key)
        return _attempt(row) if row else None

    async def last_paid(self, link_id: int) -> LinkAttempt | None:
        row = await self._database.row("link_attempt", link_id, None)
        return _attempt(row) if row else None

    def _link(self, row: Record, found: Sequence[Record]) -> Link:
        return Link(
            id=row["id"],
            url=self._key.url(row["id"]),
            customer_id=row["customer_id"],
            invoice_ids=tuple(each["id"] for each in found),
            purpose=LinkPurpose(row["purpose"]),
            expires_at=row["expires_at"],
            call_id=row["call_id"],
            amounts={
                each["id"]: Money(each["chosen"], each["currency"])
                for each in found
                if each["chosen"] is not None
            },
        )


def _attempt(row: Record) -> LinkAttempt:
    return LinkAttempt(
        id=row["id"],
        state=AttemptState(row["state"]),
        amount=Money(row["amount"], row["currency"]),
        seconds_ago=row["seconds_ago"],
        taken=row["taken"],
        reason=row["reason"] or "",
        bucket=DeclineBucket(row["bucket"]) if row["bucket"] else None,
        confirmation=row["confirmation"] or "",
        reactivated=tuple(map(Reactivated, row["ids"] or (), row["labels"] or ())),
    )
