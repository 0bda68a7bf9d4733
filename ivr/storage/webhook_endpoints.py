"""Where webhooks go, and the secrets they are signed with."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from ivr.billing.messages import Endpoint
from ivr.storage.pool import Database, Record

BOTH_SIGN_SECONDS = 24 * 3600.0
"""how long the secret before signs too, for the receivers to take the new one into use"""


class PostgresEndpoints:
    """`billing.delivering.Endpoints`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, url: str, kinds: Sequence[str], secret: str) -> Endpoint:
        row = await self._database.change("add_webhook_endpoint", uuid4(), url, list(kinds), secret)
        assert row is not None  # noqa: S101 - INSERT … RETURNING of one row
        return _endpoint(row)

    async def all(self) -> list[Endpoint]:
        return [_endpoint(row) for row in await self._database.rows("webhook_endpoints")]

    async def rotate(self, endpoint_id: UUID, secret: str) -> Endpoint | None:
        row = await self._database.change(
            "rotate_webhook_secret", endpoint_id, secret, BOTH_SIGN_SECONDS
        )
        return _endpoint(row) if row else None

    async def enable(self, endpoint_id: UUID) -> Endpoint | None:
        row = await self._database.change("enable_webhook_endpoint", endpoint_id)
        return _endpoint(row) if row else None

    async def delete(self, endpoint_id: UUID) -> bool:
        return await self._close(endpoint_id, "deleted", "its endpoint was deleted")

    async def disable(self, endpoint_id: UUID, why: str) -> None:
        await self._close(endpoint_id, "disabled", why)

    async def _close(self, endpoint_id: UUID, state: str, why: str) -> bool:
        row = await self._database.change("close_webhook_endpoint", endpoint_id, state, why)
        return row is not None


def _endpoint(row: Record) -> Endpoint:
    return Endpoint(
        id=row["id"],
        url=row["url"],
        secret=row["secret"],
        previous_secret=row["previous_secret"],
        kinds=tuple(row["kinds"]),
        state=row["state"],
        why=row["why"],
        created_at=row["created_at"],
    )
