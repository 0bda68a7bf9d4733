"""What the database server would write down, and how safely it is reached."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from datetime import datetime

from ivr.capture.doctor.finding import Check, Finding, Problem, slight, unseen
from ivr.storage.server import Server

STATEMENTS = ("log_statement", "log_min_duration_statement", "log_min_duration_sample")
LENGTHS = ("log_parameter_max_length", "log_parameter_max_length_on_error")
PRINTS = ("debug_print_parse", "debug_print_rewritten", "debug_print_plan")
SETTINGS = (*STATEMENTS, "log_transaction_sample_rate", *LENGTHS, *PRINTS, "log_error_verbosity")
LATE_SECONDS, WRONG_SECONDS = 2.0, 60.0

REACHED = Check(
    "database",
    "without it no caller is known and nothing is paid",
    "check that PostgreSQL is up and [database] url in saldo.toml",
)
STATEMENT_LOG = Check(
    "database-statements",
    "statements are then logged with their values: names, invoices, tokens of cards",
    "set log_statement = none and log_min_duration_statement = -1, or "
    "log_parameter_max_length = 0, in postgresql.conf",
)
ERROR_VALUES = Check(
    "database-error-values",
    "a statement that fails is then logged with its values",
    "set log_parameter_max_length_on_error = 0 in postgresql.conf",
)
ERROR_DETAIL = Check(
    "database-error-detail",
    "the detail of an error repeats the row that was refused",
    "set log_error_verbosity = terse in postgresql.conf",
)
DEBUG_PRINT = Check(
    "database-debug",
    "parse trees and plans in the log hold values",
    "set debug_print_parse, debug_print_rewritten and debug_print_plan to off in postgresql.conf",
)
ENCRYPTED = Check(
    "database-tls",
    "beyond this machine customers and tokens would travel in the clear",
    "add ?sslmode=verify-full to [database] url in saldo.toml",
)
CLOCK = Check(
    "clock",
    "due dates, expiry dates and the order of payments come from clocks that agree",
    "run a time service (chrony, systemd-timesyncd) on both machines",
)


def look_at(server: Server, now: datetime, role: str) -> list[Finding]:
    """Every finding about the server, as `role` of saldo.toml sees it."""
    settings = server.settings
    return [
        *REACHED.judge(f"{role} answers", []),
        *STATEMENT_LOG.judge("no statement is logged with values", _statements(settings)),
        *ERROR_VALUES.judge("no values in errors", _not("0", LENGTHS[1:], settings)),
        *ERROR_DETAIL.judge("errors are terse", _verbosity(settings)),
        *DEBUG_PRINT.judge("no plans in the log", _not("off", PRINTS, settings)),
        *ENCRYPTED.judge("nothing leaves this machine unencrypted", _encrypted(server)),
        *CLOCK.judge("the clocks agree", _clock(server, now)),
    ]


def _statements(settings: Mapping[str, str]) -> Iterator[Problem]:
    if missing := [name for name in (*STATEMENTS, LENGTHS[0]) if name not in settings]:
        yield unseen(f"the database does not show {', '.join(missing)}")
        return
    if settings[LENGTHS[0]] == "0":
        return
    if settings["log_statement"] in {"mod", "all"}:
        yield Problem(f"log_statement = {settings['log_statement']}")
    for name in STATEMENTS[1:]:
        if settings[name] != "-1":
            yield Problem(f"{name} = {settings[name]}")
    if settings.get("log_transaction_sample_rate", "0") != "0":
        yield Problem(f"log_transaction_sample_rate = {settings['log_transaction_sample_rate']}")


def _not(wanted: str, names: tuple[str, ...], settings: Mapping[str, str]) -> Iterator[Problem]:
    for name in names:
        if name not in settings:
            yield unseen(f"the database does not show {name}")
        elif settings[name] != wanted:
            yield Problem(f"{name} = {settings[name]}")


def _verbosity(settings: Mapping[str, str]) -> Iterator[Problem]:
    found = settings.get("log_error_verbosity")
    if found is None:
        yield unseen("the database does not show log_error_verbosity")
    elif found != "terse":
        yield slight(f"log_error_verbosity = {found}")


def _encrypted(server: Server) -> Iterator[Problem]:
    is_here = not server.address or ipaddress.ip_address(server.address).is_loopback
    if not is_here and not server.is_encrypted:
        yield Problem(f"the connection to {server.address} has no TLS")


def _clock(server: Server, now: datetime) -> Iterator[Problem]:
    apart = abs((server.clock - now).total_seconds())
    if apart > LATE_SECONDS:
        kind = Problem if apart > WRONG_SECONDS else slight
        yield kind(f"this clock and the database's are {apart:.0f} s apart")
