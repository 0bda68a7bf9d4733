"""Leaks of bank accounts: a number without a check digit, which no mask of card numbers sees."""

from __future__ import annotations

from ivr.lab.lab import MESSAGES
from ivr.lab.leaktest.listening import MANAGER
from ivr.lab.leaktest.mutants.mutant import Mutant

_LOG = "serve.log"


def _of(name: str, planted: str, sink: str, what: str) -> Mutant:
    return Mutant(
        name=f"account-{name}", what=what, sink=sink, plan=(), planted=planted, of_accounts=True
    )


ACCOUNTS: tuple[Mutant, ...] = (
    _of("log", "log_line", _LOG, "an account number is logged by structlog, in plain"),
    _of("log-lines", "log_lines", _LOG, "each key of an account number is logged, a line each"),
    _of("column", "column", "dump of the database", "a mandate holds the whole account number"),
    _of("variable", "variable", MANAGER, "an account number is a variable of the caller's channel"),
    _of("user-event", "user_event", "packets", "progress tells `saldo serve` the account number"),
    _of("mail", "mail", MESSAGES, "a mail names the whole account number"),
)
