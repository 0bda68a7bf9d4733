"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="saldo.toml", help="Settings; default: ./saldo.toml, if any."),
]

PLAIN: None = None
"""The help as it is written: [imports] in it is a section of saldo.toml, not a colour."""
