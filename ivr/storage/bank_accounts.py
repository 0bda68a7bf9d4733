"""Mandates to debit bank accounts, their proof, their end, and the gateway's notifications."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ivr.billing.bank_accounts import Mandate, Way, heard_between
from ivr.billing.payments import AttemptState
from ivr.billing.proving import Clip, Notice
from ivr.billing.settling import Became, Notification
from ivr.storage.pool import Database
from ivr.storage.rows import storable


class PostgresMandates:
    """`billing.mandating.Mandates`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def can_notify(self, customer_id: int, ways: Sequence[Way]) -> bool:
        row = await self._database.row("can_notify", customer_id, list(ways))
        return bool(row and row["can_notify"])

    async def in_vain(self, customer_id: int) -> int:
        row = await self._database.row("accounts_in_vain", customer_id)
        return int(row["accounts"]) if row else 0

    async def keep(self, mandate: Mandate) -> None:
        await self._database.change(
            "keep_mandate",
            mandate.attempt_id,
            mandate.call_id,
            mandate.wording,
            mandate.language,
            mandate.accepted_at,
            mandate.how,
            mandate.reference,
        )


class PostgresProofs:
    """`billing.proving.Proofs`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unproved(self) -> list[Clip]:
        return [
            Clip(row["attempt_id"], row["call_id"], *heard_between(row["reference"]), row["age"])
            for row in await self._database.rows("mandates_unproved")
        ]

    async def proved(self, attempt_id: UUID) -> None:
        await self._database.change("mandate_proved", attempt_id)

    async def notify(self, attempt_id: UUID, ways: Sequence[Way]) -> Notice | None:
        row = await self._database.change("notify_of_mandate", attempt_id, list(ways))
        return Notice(row["order_id"], tuple(row["ways"])) if row else None


class PostgresAccounts:
    """`billing.forgetting.Accounts`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def to_forget(self, most: int, keep_days: int) -> list[UUID]:
        async with self._database.session() as session:
            rows = await session.rows("accounts_to_forget", most, keep_days)
        return [row["attempt_id"] for row in rows if row["is_over"]]

    async def forgotten(self, attempt_id: UUID) -> None:
        await self._database.change("account_forgotten", attempt_id)


class PostgresNotifications:
    """`billing.settling.Notifications`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, digest: str) -> bool:
        return await self._database.row("notification_known", digest) is not None

    async def payment_of(
        self, transaction_id: str, order_id: str
    ) -> tuple[UUID, AttemptState] | None:
        row = await self._database.row("payment_of_transaction", transaction_id, order_id)
        return (row["id"], AttemptState(row["state"])) if row else None

    async def keep(self, told: Notification, attempt_id: UUID | None, became: Became) -> None:
        await self._database.change(
            "keep_notification",
            told.digest,
            storable(told.kind),
            storable(told.transaction_id) or None,
            attempt_id,
            told.happened_at,
            became.value,
        )
