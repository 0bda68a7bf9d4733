"""`saldo import`: customers, services and invoices from a biller's CSV files."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from ivr import settings
from ivr.cli.options import Config
from ivr.storage.imports import ImportReport
from ivr.storage.imports import import_files as take
from ivr.storage.pool import Database


def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV files.")],
    config: Config = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, keep nothing.")] = (
        False
    ),
) -> None:
    """Take CSV files in, each whole or not at all; every refusal names row, column and reason.

    Which kind a file is told from its columns; column names are mapped by [imports] headers.

    Example: saldo import customers.csv services.csv invoices.csv --dry-run
    """
    loaded = settings.load(config)
    if unreadable := list(_unreadable(files)):
        print("\n".join(unreadable), file=sys.stderr)
        raise typer.Exit(1)
    report = asyncio.run(_import(loaded, files, dry_run=dry_run))
    print("\n".join(report.lines()), file=sys.stdout if report.ok else sys.stderr)
    if not report.ok:
        raise typer.Exit(1)


def _unreadable(files: Iterable[Path]) -> Iterator[str]:
    """A sentence for each: told before a database is asked for that may not be there."""
    for file in files:
        try:
            if not file.is_fifo():  # what comes through a pipe can be read once only
                file.open("rb").close()
        except OSError as error:
            yield f"saldo: {file} cannot be read: {error.strerror}: nothing was taken"


async def _import(loaded: settings.Settings, files: list[Path], *, dry_run: bool) -> ImportReport:
    database = await Database.open(loaded.database.url, size=1, application="saldo-import")
    try:
        return await take(database, files, dry_run=dry_run, headers=loaded.imports.headers)
    finally:
        await database.close()
