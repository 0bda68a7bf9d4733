"""What the database server says of itself: its settings, its clock, the connection to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from ivr.storage.pool import Database


@dataclass(frozen=True, slots=True)
class Server:
    """The server as this connection sees it."""

    settings: Mapping[str, str]
    """name → value; those it does not know, or does not show us, are missing"""
    clock: datetime
    address: str
    """its address; empty where a socket of this machine leads there"""
    is_encrypted: bool


async def server(database: Database, names: Collection[str]) -> Server:
    """The settings of those names, and the rest. Raises LedgerUnavailable, QueryRefused."""
    settings = await database.rows("server_settings", sorted(names))
    connection = await database.row("server_connection")
    if connection is None:
        raise ValueError("a query of one row gave none")
    return Server(
        settings={row["name"]: row["setting"] for row in settings},
        clock=connection["clock"],
        address=connection["address"],
        is_encrypted=connection["encrypted"],
    )


async def last_payment(database: Database) -> datetime | None:
    """When a card was last charged; None when none was. Raises LedgerUnavailable, QueryRefused."""
    row = await database.row("last_payment")
    found = row["ended_at"] if row else None
    return found if isinstance(found, datetime) else None
