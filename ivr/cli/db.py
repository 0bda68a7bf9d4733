"""`saldo db migrate`: the tables of this version."""

from __future__ import annotations

import asyncio

import typer

from ivr import settings
from ivr.cli.options import PLAIN, Config
from ivr.storage.migrate import migrate as bring_up_to_date
from ivr.storage.pool import Database

app = typer.Typer(help="The database.", no_args_is_help=True, rich_markup_mode=PLAIN)


@app.command()
def migrate(config: Config = None) -> None:
    """Bring the tables to this version.

    `saldo serve` does the same when it starts.

    Example: saldo db migrate --config /etc/saldo/saldo.toml
    """
    applied = asyncio.run(_migrate(settings.load(config).database.url))
    print("\n".join(f"applied {step}" for step in applied) or "nothing to do")


async def _migrate(url: str) -> list[str]:
    database = await Database.open(url, size=1, application="saldo-migrate")
    try:
        return await bring_up_to_date(database)
    finally:
        await database.close()


@app.callback()
def group() -> None:
    """Keep `migrate` a command of its own although it is the only one."""
