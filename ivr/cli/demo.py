"""`saldo demo`: a telephone company, and one call by voice that pays an invoice."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ivr.cli.call import LiveCall
from ivr.cli.options import Config
from ivr.lab import config as lab_config
from ivr.lab import demo as demonstration
from ivr.lab import lab
from ivr.lab.demo import Shown
from ivr.lab.lab import Lab
from ivr.lab.progress import TerminalProgress
from ivr.lab.transcript import Line


def demo(
    config: Config = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the call.")] = False,
) -> None:
    """Start the lab, pay an invoice by a simulated call, and stay up for yours.

    A synthetic voice says name, postal code and yes; the card is keyed.

    Exit status 0 only if the payment is captured in both ledgers.

    Example: saldo demo --once
    """
    console = Console(highlight=False)
    folder = lab.lab_folder()
    was_up = lab.running(folder) is not None
    try:
        with TerminalProgress() as progress:
            running = lab.up(folder, lab_config.load(config), progress)
        with LiveCall("a caller says her name and pays", console) as call:
            shown = asyncio.run(demonstration.show(running, call.watch))
        call.sum_up(shown.report)
        _in_words(console, shown.report.transcript)
        _ledgers(console, shown)
        if not once:
            _invite(console, running)
            _until_stopped()
    finally:
        if not was_up:
            lab.down(folder)
    if not shown.passed:
        raise typer.Exit(1)


def _in_words(console: Console, transcript: list[Line]) -> None:
    """What was said, as it came out of the caller's telephone."""
    console.print(
        "\n[bold]what was said[/bold], as it came down the line: ‹such words› are what the speech"
        " model understood, … is where the caller spoke or keyed before the end",
        soft_wrap=True,
    )
    for line in transcript:
        who, colour = ("caller", "cyan") if line.who == "caller" else ("Saldo", "default")
        console.print(
            f"  {line.at:7.2f} s  [{colour}]{who:6}  {escape(line.words)}[/{colour}]",
            soft_wrap=True,
        )
    console.print()


def _ledgers(console: Console, shown: Shown) -> None:
    payment = shown.payment
    if payment is None:
        console.print("  [red]no captured payment in Saldo's ledger[/red]")
        return
    console.print(
        f"  Saldo's ledger:   invoice {shown.invoice}: {payment.amount} {payment.state}"
        f" ({payment.brand} {payment.last4}), confirmation {payment.confirmation}"
    )
    colour = "green" if shown.passed else "red"
    found = shown.at_gateway.transaction_id if shown.at_gateway else "not found"
    console.print(f"  gateway's ledger: order {payment.order_id}: [{colour}]{found}[/{colour}]")
    for receipt in shown.receipts:
        console.print(f"  {escape(receipt)}", soft_wrap=True)


def _invite(console: Console, running: Lab) -> None:
    console.print(
        f"\nDial in with any softphone on this machine: [bold]{running.pay}[/bold]"
        " (no registration; G.711 or G.722; DTMF as RFC 4733).\n"
        "  Use the keys: the shipped speech models understand synthetic voices, not people\n"
        "  (`saldo speech install en es` brings models that do).\n"
        "  account 1042 #, postal code 28013; card 4111 1111 1111 1111 #, expiry 1230, code 123\n"
        "  Spanish: key 9 at the welcome, or account 1043 with postal code 28004\n"
        f"Dashboard: {running.api}/dashboard (sign in with the api_key of lab.json)\n"
        f"REST: {running.api}/openapi.json  health: {running.api}/readyz\n"
        f"API key, passwords, log folders: {lab.lab_folder()}/lab.json\n"
        "Ctrl-C stops everything.",
        soft_wrap=True,
    )


def _until_stopped() -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
