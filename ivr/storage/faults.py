"""Turns what asyncpg raises into our errors, without the values that its messages may hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from ivr.billing.errors import BillingError, LedgerUnavailable
from ivr.storage.errors import AlreadyThere, ConnectionBroke, QueryRefused

Answer = TypeVar("Answer")

FAULTS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""All that a question to the database can raise."""

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalClientError,
    asyncpg.OutdatedSchemaCacheError,
    asyncpg.InvalidCachedStatementError,
)
"""Away, restarting, full, or another won a race for locks: the same question may do later."""

LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.InternalClientError,  # asyncpg reads a farewell it did not ask for
)
"""The connection broke: another one may do at once."""

WRONG_DOOR = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
)
NO_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)


def explained(doing: str, error: BaseException) -> BillingError:
    """The error to raise instead; its text names the question and the kind of fault only."""
    kind = type(error).__name__
    if isinstance(error, WRONG_DOOR):
        return LedgerUnavailable(
            f"the database does not let us in ({kind}): check [database] url in saldo.toml"
        )
    if isinstance(error, AWAY) or _connection_gone(error):
        broke = isinstance(error, LOST) and not isinstance(error, TimeoutError)
        gone = broke or _connection_gone(error)
        return (ConnectionBroke if gone else LedgerUnavailable)(
            f"the database did not answer ({doing}: {kind}): "
            "check that PostgreSQL is up and that [database] url is right"
        )
    if isinstance(error, NO_SCHEMA):
        return QueryRefused(
            f"the database lacks a table or column ({doing}): run `saldo db migrate`"
        )
    return _refused(doing, kind, error)


def _connection_gone(error: BaseException) -> bool:
    """asyncpg says a closed connection or pool in a plain InterfaceError."""
    return type(error) is asyncpg.InterfaceError


def _refused(doing: str, kind: str, error: BaseException) -> QueryRefused:
    constraint = str(getattr(error, "constraint_name", None) or "")
    rule = f" by {constraint}" if constraint else ""
    refused = AlreadyThere if isinstance(error, asyncpg.UniqueViolationError) else QueryRefused
    return refused(f"the database refused {doing}{rule} ({kind})", constraint)


async def asked(doing: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer, or one of our errors.

    A function and not its coroutine: a connection that the pool has found dead raises before it
    gives one.

    It is raised outside the except clause: the original, whose text may hold a stored value, is
    then not even the context of ours, which some tracebacks print.
    """
    try:
        return await ask()
    except FAULTS as error:
        problem = explained(doing, error)
    raise problem
