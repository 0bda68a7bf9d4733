"""Logs of every process: one line an event, the call's id on it, card numbers refused."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from ivr.billing.card_numbers import passes_luhn

REFUSED = "[refused]"
DENIED = frozenset(
    {"pan", "number", "card_number", "cvv", "cvv2", "cvc", "cid", "security_code", "track"}
    | {"digits", "digit", "keys", "pin", "expiry"}
    | {"password", "secret", "token", "private_key", "authorization", "api_key"}
)
"""Fields whose value is never logged, whatever it is."""
SHORTEST, LONGEST = 13, 19
_RUN = re.compile(r"(?<![\w-])\d(?:[ \t_./-]{0,3}\d){12,}(?![\w-])|\d{13,}")
"""At least 13 digits, unbroken or with separators between them."""
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
QUIET = ("asyncio", "aiohttp", "asyncpg", "urllib3", "requests", "braintree", "uvicorn.error")
"""Libraries of which only warnings are wanted; their debug lines hold requests."""
SILENT = ("aiohttp.access", "uvicorn.access", "apprise")
"""Libraries whose lines hold addresses with secrets in them, or customers' telephone numbers."""


def configure(
    level: str = "info", *, json: bool | None = None, stream: TextIO | None = None
) -> None:
    """Send all logs, also those of libraries, to standard error (or `stream`).

    `json`: one JSON object a line, or text for a person; by default JSON unless a person looks.
    """
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    as_json = not out.isatty() if json is None else json
    handler.setFormatter(_formatter(as_json=as_json, colours=out.isatty()))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = (
        False  # a line that cannot be formatted would be printed with its args
    )
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SILENT:
        logging.getLogger(name).disabled = True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def about_call(call_id: str) -> AbstractContextManager[None]:
    """Every line logged inside, also by tasks started inside, carries this call's id."""
    return structlog.contextvars.bound_contextvars(call=call_id)


def refuse_card_numbers(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace what could be a card number, and every field that must not be logged."""
    return {key: REFUSED if _denied(key) else _clean(value) for key, value in event.items()}


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(*, as_json: bool, colours: bool) -> logging.Formatter:
    # Python's own traceback: the renderer's default one shows local variables where rich is there.
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback
        )
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            refuse_card_numbers,
            renderer,
        ],
    )


def _denied(key: object) -> bool:
    return str(key).lower().replace("-", "_") in DENIED


def _clean(value: Any) -> Any:
    """The value with card numbers refused; objects become their repr, to be looked at."""
    match value:
        case None | bool():
            return value
        case int() | float():
            return value if _clean_text(str(value)) == str(value) else REFUSED
        case str():
            return _clean_text(value)
        case Mapping() | MutableMapping():
            return {
                _clean(key): REFUSED if _denied(key) else _clean(each)
                for key, each in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_clean(each) for each in value]
        case _:
            return _clean_text(repr(value))


def _clean_text(text: str) -> str:
    if not any(character.isdecimal() for character in text):
        return text
    kept = {match.span() for match in _UUID.finditer(text)}
    return _RUN.sub(lambda run: run[0] if _inside(run.span(), kept) else _judged(run[0]), text)


def _inside(span: tuple[int, int], others: set[tuple[int, int]]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in others)


def _judged(run: str) -> str:
    """The run, refused if any 13 to 19 digits in a row in it could be a card number."""
    digits = "".join(character for character in run if character.isdecimal())
    windows = (
        digits[start : start + length]
        for length in range(SHORTEST, min(LONGEST, len(digits)) + 1)
        for start in range(len(digits) - length + 1)
    )
    return REFUSED if any(passes_luhn(window) for window in windows) else run
