"""Where webhooks go, and the secrets they are signed with."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from ivr.billing.errors import KeyUsedBefore
from ivr.billing.messages import Endpoint
from ivr.storage.pool import Database, Record

BOTH_SIGN_SECONDS = 24 * 3600.0
"""how long the secret before signs too, for the receivers to take the new one into use"""


class PostgresEndpoints:
    """`billing.delivering.Endpoints`. Every method raises LedgerUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, url: str, kinds: Sequence[str], secret: str, key: str | None = None
    ) -> Endpoint:
        """A new one, or the one that was asked for with the same key. Raises KeyUsedBefore."""
        row = await self._database.change(
            "add_webhook_endpoint", uuid4(), url, list(kinds), secret, key
        )
        if row is None:
            row = await self._database.row("webhook_endpoint_of_key", key)
        asked = row and (row["url"], row["kinds"])
        if row is None or asked != (url, list(kinds)) or row["state"] == "deleted":
            raise KeyUsedBefore("this Idempotency-Key was used for another endpoint")
        return _endpoint(row)

    async def all(self) -> list[Endpoint]:
        return [_endpoint(row) for row in await self._database.rows("webhook_endpoints")]

    async def rotate(self, endpoint_id: UUID, secret: str, key: str) -> Endpoint | None:
        """With the new secret, or with that of the last time if the same key asked for it."""
        row = await self._database.change(
            "rotate_webhook_secret", endpoint_id, secret, BOTH_SIGN_SECONDS, key
        )
        if row is None:
            row = await self._database.row("rotated_webhook_endpoint", endpoint_id, key)
        return _endpoint(row) if row else None

    async def enable(self, endpoint_id: UUID, key: str) -> Endpoint | None:
        """Enabled; or as it is now if the same key asked for it the last time."""
        row = await self._database.change("enable_webhook_endpoint", endpoint_id, key)
        if row is None:
            row = await self._database.row("enabled_webhook_endpoint", endpoint_id, key)
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
