"""`saldo lab up|down|status|reset`: a telephone company on this machine."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from ivr.cli.options import PLAIN, Config
from ivr.lab import config as lab_config
from ivr.lab import lab
from ivr.lab.progress import TerminalProgress

app = typer.Typer(
    help="A telephone company on this machine.", no_args_is_help=True, rich_markup_mode=PLAIN
)


@app.command()
def up(config: Config = None) -> None:
    """Start a private telephone company; what runs already is left running.

    It is Asterisk, PostgreSQL, a stand-in of the payment gateway, and `saldo serve`. What is your
    own can be named in saldo.toml: [lab] own_pbx, own_database, own_gateway.

    Example: saldo lab up
    """
    with TerminalProgress() as progress:
        started = lab.up(lab.lab_folder(), lab_config.load(config), progress)
    print(
        f"the lab is up: call {started.pay}, REST {started.api}/v1, "
        f"dashboard {started.api}/dashboard, all of it in lab.json"
    )


@app.command()
def down() -> None:
    """Stop the lab; what was paid, recorded and fetched stays.

    Example: saldo lab down
    """
    stopped = lab.down(lab.lab_folder())
    print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def reset() -> None:
    """Stop the lab and forget what was paid.

    The next start has the demo company as it was in the beginning. Fetched packages and sounds
    stay, and so do a PBX, database or gateway of your own.

    Example: saldo lab reset
    """
    with TerminalProgress() as progress:
        lab.reset(lab.lab_folder(), progress)
    print("forgotten: `saldo lab up` starts the demo company as it was in the beginning")


@app.command()
def status() -> None:
    """What runs; exit status 0 when all of it does, 1 otherwise.

    Example: saldo lab status
    """
    folder = lab.lab_folder()
    table = Table("part", "pid")
    for part, pid in lab.status(folder).items():
        table.add_row(part, str(pid) if pid else "[red]not running[/red]")
    Console().print(table)
    if lab.running(folder) is None:
        raise typer.Exit(1)
