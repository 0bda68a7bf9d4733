"""What `saldo doctor` asks the database: the server's settings and clock, and how one is paid."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Standing:
    """What the tables show of how this company is paid."""

    gateway_told_at: datetime | None
    """when the gateway's last webhook came"""
    endpoints: Sequence[str]
    """addresses that our webhooks go to"""
    currencies: Sequence[str]
    """in which something is owed"""


async def standing(database: Database) -> Standing:
    """Read all of it. Raises LedgerUnavailable, QueryRefused."""
    row = await database.row("standing")
    if row is None:
        raise ValueError("a query of one row gave none")
    return Standing(row["gateway_told_at"], row["endpoints"], row["currencies"])


async def last_payment(database: Database) -> datetime | None:
    """When a card was last charged by telephone, None when none was.

    Raises LedgerUnavailable, QueryRefused.
    """
    row = await database.row("last_payment")
    found = row["captured_at"] if row else None
    return found if isinstance(found, datetime) else None
