"""Leaks of our own programs: what a hasty line of code would do (planted.py holds the lines)."""

from __future__ import annotations

from ivr.lab.leaktest.listening import PROCESSES
from ivr.lab.leaktest.mutants.mutant import Mutant

_LOG = "serve.log"
_TO_SALDO = ("Goto(saldo-inbound,start,1)",)


def _of(planted: str, sink: str, what: str) -> Mutant:
    return Mutant(
        name=f"code-{planted.replace('_', '-')}", what=what, sink=sink, plan=(), planted=planted
    )


OURS: tuple[Mutant, ...] = (
    _of("repr", _LOG, "a repr that shows the digits is printed"),
    _of("log_lines", _LOG, "each key is logged by structlog, a line each"),
    _of("log_base64", _LOG, "a request is logged in base64, past the log's own guard"),
    _of("log_words", _LOG, "what was understood is logged in words, past the log's own guard"),
    _of("reversed", _LOG, "the digits are printed backwards"),
    _of("hex", _LOG, "the bytes of a request are printed in hex"),
    _of("escapes", _LOG, "the digits are printed as JSON escapes"),
    _of("code", _LOG, "the security code is printed beside its name"),
    _of("traceback", _LOG, "a traceback shows local variables"),
    _of("request", _LOG, "an exception is printed with the request that failed"),
    _of("asyncpg", _LOG, "an error of asyncpg is printed with the value that it quotes"),
    _of("file_name", "tts-", "digits are the name of a file that is spoken"),
    _of("tones", "utterance.wav", "what a caller keyed as tones is kept as a sound"),
    _of("compressed", "debug.gz", "a request is kept in a compressed file"),
    _of("utf16", "debug.bin", "digits are kept as UTF-16"),
    _of("ledger", "gateway-requests", "the gateway's stand-in keeps the request"),
    _of("argv", PROCESSES, "a program is started with the digits as an argument"),
    _of("environ", PROCESSES, "a program is started with the digits in its environment"),
    _of("user_event", "packets", "progress tells `saldo serve` the digits"),
    Mutant(
        name="page-log",
        what="the web server logs the addresses that browsers ask for, and a card was typed",
        sink=_LOG,
        plan=(),
        planted="page_log",
        on_page=True,
    ),
    Mutant(
        name="code-core",
        what="a process that holds what a caller keyed dumps core",
        sink="/core",
        plan=_TO_SALDO,
        planted="core",
    ),
    Mutant(
        name="code-metric",
        what="what a caller keyed is the label of a metric",
        sink="/metrics",
        plan=_TO_SALDO,
        planted="metric",
    ),
    Mutant(
        name="code-url",
        what="what a caller keyed is in the query of a URL",
        sink="packets",
        plan=_TO_SALDO,
        planted="url",
    ),
)
