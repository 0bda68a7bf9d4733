"""Cards that customers agreed to have kept at the gateway, and their consent."""

from __future__ import annotations

from uuid import UUID

from ivr.billing.cards_on_file import Consent, RemovedFor
from ivr.billing.payments import CardOnFile, KeepCard
from ivr.storage.errors import QueryRefused
from ivr.storage.pool import Database, Record, Session


class PostgresCardsOnFile:
    """`billing.keeping.CardsOnFile`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_customer(self, customer_id: int) -> list[CardOnFile]:
        return [_card(row) for row in await self._database.rows("cards_of_customer", customer_id)]

    async def agreed(self, consent: Consent) -> KeepCard:
        row = await self._database.change(
            "agree_to_keep_card",
            consent.customer_id,
            consent.attempt_id,
            consent.call_id,
            consent.wording,
            consent.language,
        )
        if row is None:
            raise QueryRefused(f"no customer {consent.customer_id}")
        return KeepCard(str(row["gateway_ref"]))

    async def remove(self, card_id: UUID, why: RemovedFor, call_id: str | None) -> None:
        await self._database.change("remove_card", card_id, why.value, call_id)

    async def to_delete(self) -> list[CardOnFile]:
        return [_card(row) for row in await self._database.rows("cards_to_delete")]

    async def deleted(self, card_id: UUID) -> None:
        await self._database.change("card_deleted", card_id)


async def keep(session: Session, attempt_id: UUID, card: CardOnFile) -> None:
    """Keep the card of a captured attempt, if that was agreed; in the commit of the capture."""
    await session.run(
        "keep_card", attempt_id, card.id, card.brand, card.last4, card.expires, card.token
    )


def _card(row: Record) -> CardOnFile:
    return CardOnFile(row["id"], row["brand"], row["last4"], row["expires"], row["token"])
