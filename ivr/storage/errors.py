"""What can go wrong with the database itself; no message here ever holds a value that was stored.

BillingError
├── LedgerUnavailable       it did not answer: try again later (ivr.billing.errors)
│   └── ConnectionBroke     while the question was under way: it may have been done
└── StorageError
    ├── QueryRefused        it answered no: our mistake, or its schema is not ours
    │   └── AlreadyThere    a key that must be unique exists
    └── MigrationError      the schema cannot be brought to this program's version
"""

from __future__ import annotations

from ivr.billing.errors import BillingError, LedgerUnavailable


class ConnectionBroke(LedgerUnavailable):
    """The connection broke while the question was under way: it may have been done."""


class StorageError(BillingError):
    """The root of this tree."""


class QueryRefused(StorageError):
    """The database refused a query; `constraint` names the rule where there is one."""

    def __init__(self, sentence: str, constraint: str = "") -> None:
        super().__init__(sentence)
        self.constraint = constraint


class AlreadyThere(QueryRefused):
    """A key that must be unique exists already."""


class MigrationError(StorageError):
    """The schema cannot be brought to this program's version; the text says what to do."""
