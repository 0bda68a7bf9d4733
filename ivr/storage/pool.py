"""Connections to Postgres: asked by query name, given up within seconds, never silent."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import asyncpg
from asyncpg.transaction import Transaction

from ivr.billing.errors import LedgerNotReached, LedgerUnavailable
from ivr.storage import sql
from ivr.storage.errors import ConnectionBroke
from ivr.storage.faults import FAULTS, asked

Record = asyncpg.Record
if TYPE_CHECKING:  # its type parameter exists for type checkers only
    from asyncpg.pool import PoolConnectionProxy

Answer = TypeVar("Answer")
Raw: TypeAlias = "asyncpg.Connection[Record] | PoolConnectionProxy[Record]"

CONNECT_SECONDS = 3.0
COMMAND_SECONDS = 5.0
"""Longer than any query of a call takes; a caller is waiting."""
BACKOFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
STATEMENTS_KEPT = 200
"""Prepared statements kept a connection: more than there are queries."""
SERVER_SETTINGS = {
    "jit": "off",
    # A daemon that vanished inside a transaction must not hold invoices locked until TCP notices.
    "idle_in_transaction_session_timeout": "15s",
}


@dataclass(slots=True)
class Session:
    """One connection, for the queries of one piece of work."""

    raw: Raw

    async def rows(self, name: str, *values: object) -> list[Record]:
        """Every row of a named query. Raises LedgerUnavailable, QueryRefused."""
        return await asked(name, lambda: self.raw.fetch(sql.QUERIES[name].text, *values))

    async def row(self, name: str, *values: object) -> Record | None:
        """The first row of a named query, or None. Raises LedgerUnavailable, QueryRefused."""
        return await asked(name, lambda: self.raw.fetchrow(sql.QUERIES[name].text, *values))

    async def run(self, name: str, *values: object) -> None:
        """Run a named query for what it changes. Raises LedgerUnavailable, QueryRefused."""
        await asked(name, lambda: self.raw.execute(sql.QUERIES[name].text, *values))

    async def copy(self, table: str, columns: Sequence[str], records: Sequence[Any]) -> None:
        """Send many rows at once. Raises LedgerUnavailable, QueryRefused."""
        await asked(
            f"copy into {table}",
            lambda: self.raw.copy_records_to_table(table, columns=list(columns), records=records),
        )

    async def script(self, about: str, text: str) -> None:
        """Run a file of SQL of our own. Raises LedgerUnavailable, QueryRefused."""
        await asked(about, lambda: self.raw.execute(text))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Self]:
        """All or nothing; commits when the block ends well.

        Raises LedgerUnavailable also when the connection was lost while committing: whether it
        was committed is then not known, so what is done here must be safe to repeat.
        """
        transaction = await self._begin()
        try:
            yield self
        except BaseException:
            await self._undo(transaction)
            raise
        await asked("commit", transaction.commit)

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[Self]:
        """A transaction that is undone in any case. Raises LedgerUnavailable."""
        transaction = await self._begin()
        try:
            yield self
        finally:
            await self._undo(transaction)

    async def _begin(self) -> Transaction:
        async def begin() -> Transaction:
            transaction = self.raw.transaction()
            await transaction.start()
            return transaction

        return await asked("begin", begin)

    async def _undo(self, transaction: Transaction) -> None:
        try:
            await transaction.rollback()
        except FAULTS:
            _cut(self.raw)  # the server rolls back what nobody holds any more


class Database:
    """A pool of connections that come back by themselves when Postgres does."""

    def __init__(self, pool: asyncpg.Pool[Record], url: str) -> None:
        self._pool = pool
        self._url = url

    @classmethod
    async def open(cls, url: str, *, size: int = 10, application: str = "saldo") -> Self:
        """A pool for the running event loop. Nothing is connected yet: see `wait_until_ready`."""
        pool = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=size,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            statement_cache_size=STATEMENTS_KEPT,
            server_settings=SERVER_SETTINGS | {"application_name": application},
            reset=_nothing_to_reset,
        )
        await pool
        return cls(pool, url)

    async def close(self, limit_seconds: float = 5.0) -> None:
        """Let running queries end, then close; what takes longer is cut."""
        try:
            async with asyncio.timeout(limit_seconds):
                await self._pool.close()
        except FAULTS:
            self._pool.terminate()

    async def wait_until_ready(self, limit_seconds: float) -> None:
        """Return when Postgres answers; try again with jittered pauses until the limit.

        Raises:
            LedgerUnavailable: it did not answer in time; the text says why.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + limit_seconds
        for pause in chain(BACKOFF_SECONDS, repeat(BACKOFF_SECONDS[-1])):
            jittered = pause * random.uniform(0.5, 1.5)  # noqa: S311 - spreads tries, hides nothing
            try:
                await self.row("answers")
            except LedgerUnavailable:
                if loop.time() + jittered > ends:
                    raise
            else:
                return
            await asyncio.sleep(jittered)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A connection from the pool. Raises LedgerUnavailable."""
        raw = await _connected(self._pool.acquire(timeout=CONNECT_SECONDS))
        try:
            yield Session(raw)
        finally:
            await self._give_back(raw)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A connection inside a transaction; see Session.transaction."""
        async with self.session() as session, session.transaction():
            yield session

    @asynccontextmanager
    async def apart(self, command_seconds: float) -> AsyncIterator[Session]:
        """A connection of its own for long work, outside the pool. Raises LedgerUnavailable."""
        connecting = asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            command_timeout=command_seconds,
            statement_cache_size=0,
            server_settings={"application_name": "saldo-batch"},
        )
        raw = await _connected(connecting)
        try:
            yield Session(raw)
        finally:
            await _closed(raw)

    async def rows(self, name: str, *values: object) -> list[Record]:
        """Every row of a named query that only reads. Raises LedgerUnavailable, QueryRefused."""
        return await self._read(lambda session: session.rows(name, *values))

    async def row(self, name: str, *values: object) -> Record | None:
        """The first row of one that only reads, or None. Raises LedgerUnavailable, QueryRefused."""
        return await self._read(lambda session: session.row(name, *values))

    async def change(self, name: str, *values: object) -> Record | None:
        """Run a named query that changes something, once, and give the first row it answers.

        Raises:
            LedgerUnavailable: no answer; it may have been done all the same.
            QueryRefused: the database said no.
        """
        async with self.session() as session:
            return await session.row(name, *values)

    async def _read(self, ask: Callable[[Session], Awaitable[Answer]]) -> Answer:
        """A connection that broke while it lay in the pool is not the caller's trouble."""
        try:
            async with self.session() as session:
                return await ask(session)
        except ConnectionBroke:
            async with self.session() as session:
                return await ask(session)

    async def _give_back(self, raw: PoolConnectionProxy[Record]) -> None:
        try:
            await self._pool.release(raw, timeout=CONNECT_SECONDS)
        except FAULTS:
            _cut(raw)


async def _connected(connecting: Awaitable[Answer]) -> Answer:
    """The connection; asyncpg leaves a port that is none a ValueError. Raises LedgerNotReached."""
    try:
        return await asked("connect", lambda: connecting)
    except LedgerUnavailable as error:
        why = str(error)
    except ValueError:
        why = "the database's address is wrong: check [database] url in saldo.toml"
    raise LedgerNotReached(why)


def _cut(raw: Raw) -> None:
    with contextlib.suppress(asyncpg.InterfaceError):  # the pool has taken it back, dead
        raw.terminate()


async def _nothing_to_reset(raw: Raw) -> None:
    """No query of ours leaves anything in a connection, so it is not asked to forget anything."""


async def _closed(raw: asyncpg.Connection[Record]) -> None:
    try:
        await raw.close(timeout=CONNECT_SECONDS)
    except FAULTS:
        raw.terminate()
