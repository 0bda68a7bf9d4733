"""`saldo import`: customers, services and invoices from a biller's CSV files."""

from __future__ import annotations

import asyncio
import sys
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
    report = asyncio.run(_import(settings.load(config), files, dry_run=dry_run))
    print("\n".join(report.lines()), file=sys.stdout if report.ok else sys.stderr)
    if not report.ok:
        raise typer.Exit(1)


async def _import(loaded: settings.Settings, files: list[Path], *, dry_run: bool) -> ImportReport:
    database = await Database.open(loaded.database.url, size=1, application="saldo-import")
    try:
        return await take(database, files, dry_run=dry_run, headers=loaded.imports.headers)
    finally:
        await database.close()
