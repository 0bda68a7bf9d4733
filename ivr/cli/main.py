"""`saldo`: one command, one file a subcommand."""

from __future__ import annotations

import sys

import click
import typer

from ivr.billing.errors import BillingError
from ivr.cli import call, capture, db, demo, imports, lab, prompts, serve
from ivr.lab.errors import LabError
from ivr.settings import SettingsError

app = typer.Typer(
    name="saldo",
    help="Answers a company's telephone and gets its invoices paid.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(capture.capture)
app.command()(demo.demo)
app.command()(call.call)
app.command("import")(imports.import_files)
app.add_typer(lab.app, name="lab")
app.add_typer(db.app, name="db")
app.add_typer(prompts.app, name="prompts")

USER_ERRORS = (BillingError, LabError, SettingsError)
"""Mistakes and states a user can do something about: one line, no traceback."""


def main() -> None:
    """Run the command line; exit status 0 done, 1 it did not work, 2 used wrongly."""
    try:
        app(standalone_mode=False)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except USER_ERRORS as error:
        print(f"saldo: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, SettingsError) else 1)


if __name__ == "__main__":
    main()
