"""Every run of `saldo serve`, and when it was last heard of."""

from __future__ import annotations

from uuid import UUID

from ivr.storage.pool import Database


class PostgresDaemons:
    """One daemon's own entry. Every method raises LedgerUnavailable, QueryRefused."""

    def __init__(self, database: Database, daemon: UUID, *, node: str, app: str) -> None:
        """`app` is its application at the PBX, which no other program can have at the same time."""
        self._database = database
        self._daemon = daemon
        self._node = node
        self._app = app

    async def begin(self) -> None:
        """We run, and whatever ran here before us does not any more."""
        await self._database.change("begin_daemon", self._daemon, self._node, self._app)

    async def beat(self) -> None:
        """We still run."""
        await self._database.change("daemon_beats", self._daemon, self._node, self._app)

    async def end(self) -> None:
        """We charge nothing any more."""
        await self._database.change("daemon_ends", self._daemon)
