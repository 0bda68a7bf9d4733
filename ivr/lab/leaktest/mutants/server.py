"""Leaks of the database server, whoever sends it a card."""

from __future__ import annotations

from ivr.lab.leaktest.listening import QUERIES
from ivr.lab.leaktest.mutants.mutant import Mutant

_LOG = "postgres.log"
_RELOAD = "SELECT pg_reload_conf()"

SERVER: tuple[Mutant, ...] = (
    Mutant(
        name="postgres-statements",
        what="Postgres logs every statement, and one has a card in it",
        sink=_LOG,
        plan=(),
        planted="statement",
        statements=("ALTER SYSTEM SET log_statement = 'all'", _RELOAD),
        statements_off=("ALTER SYSTEM RESET log_statement", _RELOAD),
    ),
    Mutant(
        name="postgres-parameters",
        what="Postgres logs statements with their parameters, and one of them is a card",
        sink=_LOG,
        plan=(),
        planted="parameter",
        statements=(
            "ALTER SYSTEM SET log_min_duration_statement = 0",
            "ALTER SYSTEM SET log_parameter_max_length = -1",
            "ALTER SYSTEM SET log_error_verbosity = 'default'",
            _RELOAD,
        ),
        statements_off=(
            "ALTER SYSTEM RESET log_min_duration_statement",
            "ALTER SYSTEM RESET log_parameter_max_length",
            "ALTER SYSTEM RESET log_error_verbosity",
            _RELOAD,
        ),
    ),
    Mutant(
        name="postgres-error-detail",
        what="Postgres logs errors with the row that was refused, and it has a card in it",
        sink=_LOG,
        plan=(),
        planted="error_detail",
        statements=(
            "ALTER SYSTEM SET log_error_verbosity = 'default'",
            "ALTER SYSTEM SET log_min_messages = 'error'",
            "ALTER SYSTEM SET log_min_error_statement = 'error'",
            _RELOAD,
        ),
        statements_off=(
            "ALTER SYSTEM RESET log_error_verbosity",
            "ALTER SYSTEM RESET log_min_messages",
            "ALTER SYSTEM RESET log_min_error_statement",
            _RELOAD,
        ),
    ),
    Mutant(
        name="postgres-row",
        what="a card is stored in a table",
        sink="dump of the database",
        plan=(),
        planted="row",
    ),
    Mutant(
        name="postgres-files",
        what="a card is stored in a table: it is in the data files and the write-ahead log too",
        sink="pg_wal",
        plan=(),
        planted="row",
    ),
    Mutant(
        name="postgres-activity",
        what="a statement with a card in it runs for a while",
        sink=QUERIES,
        plan=(),
        planted="activity",
    ),
)
