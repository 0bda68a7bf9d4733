"""`saldo`: one command, one file a subcommand."""

from __future__ import annotations

import sys

import typer

from ivr.billing.errors import BillingError
from ivr.cli import (
    call,
    capture,
    db,
    demo,
    doctor,
    imports,
    lab,
    leaktest,
    payments,
    pbx,
    prompts,
    recordings,
    serve,
    speech,
)
from ivr.cli.options import PLAIN
from ivr.lab.errors import LabError
from ivr.lab.packages_apt import PackagesError
from ivr.lab.processes import ProcessError
from ivr.lab.scenario_file import ScenarioError
from ivr.settings import SettingsError
from ivr.speech.errors import HearingError, SpeechError
from ivr.telephony.configuration import ConfigurationError
from ivr.web.errors import CannotListen, PayPageError

app = typer.Typer(
    name="saldo",
    help="Answers a company's telephone and gets its invoices paid.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=PLAIN,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(capture.capture)
app.command()(doctor.doctor)
app.command()(demo.demo)
app.command()(call.call)
app.command()(leaktest.leaktest)
app.command("import")(imports.import_files)
app.add_typer(lab.app, name="lab")
app.add_typer(db.app, name="db")
app.add_typer(payments.app, name="payments")
app.add_typer(pbx.app, name="pbx")
app.add_typer(prompts.app, name="prompts")
app.add_typer(speech.app, name="speech")
app.add_typer(recordings.app, name="recordings")

USER_ERRORS = (
    *(BillingError, LabError, PackagesError, ProcessError, SettingsError),
    *(SpeechError, HearingError, CannotListen, PayPageError, ConfigurationError),
)
"""Mistakes and states a user can do something about: one line, no traceback."""
WRONG_USES = (SettingsError, ScenarioError, ConfigurationError)
DONE, FAILED, USED_WRONGLY, INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Run the command line; exit status 0 done, 1 it did not work, 2 used wrongly."""
    sys.exit(_status())


def _status() -> int:
    try:
        # What typer returns is the status of typer.Exit; our commands themselves return nothing.
        return app(prog_name="saldo", standalone_mode=False) or DONE
    except typer.TyperException as error:  # an unknown command, option or value; no command
        print(_usage(error), file=sys.stderr)
        return USED_WRONGLY
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except USER_ERRORS as error:
        print(f"saldo: {error}", file=sys.stderr)
        return USED_WRONGLY if isinstance(error, WRONG_USES) else FAILED


def _usage(error: typer.TyperException) -> str:
    """The complaint in one line, or the help where a command is missing."""
    message = error.format_message()
    if "\n" in message:
        return message
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "saldo"
    complaint = message.rstrip(".").replace("Value error, ", "")
    return f"saldo: {complaint[:1].lower()}{complaint[1:]}: see `{command} --help`"


if __name__ == "__main__":
    main()
