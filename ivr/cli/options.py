"""Options that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="saldo.toml", help="Settings; default: ./saldo.toml, if any."),
]

PLAIN: None = None
"""The help as it is written: [imports] in it is a section of saldo.toml, not a colour."""


def day(text: str) -> datetime:
    """The beginning of a day, UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no day such as 2026-11-30") from None
