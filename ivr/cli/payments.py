"""`saldo payments`: what the billing team does about payments."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.table import Table

from ivr import parts, settings
from ivr.billing.comparing import Comparing
from ivr.billing.differences import Difference
from ivr.billing.errors import BillingError
from ivr.billing.resolving import Resolving
from ivr.cli.database import opened
from ivr.cli.link import link
from ivr.cli.listing import listing
from ivr.cli.options import PLAIN, Config, day
from ivr.cli.refund import refund, void
from ivr.gateways.books import BraintreeBooks
from ivr.settings import Settings
from ivr.storage.comparing import PostgresCompared
from ivr.storage.payments import PostgresLedger
from ivr.storage.resolving import PostgresDoubts

DIFFER, CANNOT_COMPARE = 1, 2
DAYS = 3
YOUNG = timedelta(minutes=15)
"""what is younger is on its way in one of the ledgers"""
TOO_YOUNG = f"what is younger than {YOUNG // timedelta(minutes=1)} minutes is left out"
Window = tuple[datetime, datetime]

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=PLAIN, help="Payments, and what is to be done for them."
)


app.command("list")(listing)
app.command()(refund)
app.command()(void)
app.command()(link)


@app.callback()
def payments() -> None:
    """Payments, and what is to be done for them."""


@app.command()
def reconcile(
    *,
    since: Annotated[
        datetime | None,
        typer.Option(parser=day, metavar="DATE", help="First day, UTC; default: 3 days ago."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=day, metavar="DATE", help="Last day, UTC; default: today."),
    ] = None,
    mend: Annotated[
        bool, typer.Option("--mend", help="Mend what is beyond doubt; it can move money back.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
    config: Config = None,
) -> None:
    """Compare our ledger of payments with the gateway's, both ways, and print the differences.

    Exit status 0 when there is none (or --mend mended them all), 1 when there are, 2 when they
    could not be compared. `saldo serve` does the same every night, with --mend.

    Example: saldo payments reconcile --since 2026-11-01 --until 2026-11-30
    """
    first, last = window(since, until, datetime.now(UTC))
    try:
        compared, found, left = asyncio.run(
            _reconcile(settings.load(config), first, last, mend=mend)
        )
    except BillingError as error:
        print(f"saldo: {error}", file=sys.stderr)
        raise typer.Exit(CANNOT_COMPARE) from None
    if as_json:
        print(json.dumps([_shown(each, is_mended=each not in left) for each in found], indent=2))
    else:
        _print(compared, found, left, (first, last))
    if left:
        raise typer.Exit(DIFFER)


def window(since: datetime | None, until: datetime | None, now: datetime) -> Window:
    """What is compared, from a first to a last day, both whole.

    Ends the program with a sentence when there is nothing in it that could be.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = since or today - timedelta(days=DAYS)
    last = until + timedelta(days=1) if until and until < today else now
    if first > now:
        raise typer.BadParameter("--since lies in the future")
    if first >= now - YOUNG:
        raise typer.BadParameter(
            f"nothing was compared: {TOO_YOUNG}, so begin earlier, "
            f"or ask again after {first + YOUNG:%H:%M} UTC"
        )
    if first >= last:
        raise typer.BadParameter(f"--since, {first:%Y-%m-%d}, lies after --until")
    return first, min(last, now - YOUNG)


async def _reconcile(
    conf: Settings, since: datetime, until: datetime, *, mend: bool
) -> tuple[int, Sequence[Difference], Sequence[Difference]]:
    """How many orders were compared, all differences, and those that are left."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened(conf))
        gateway = parts.gateway(conf)
        stack.push_async_callback(gateway.aclose)
        books, ledger = BraintreeBooks(gateway), PostgresLedger(database)
        comparing = Comparing(PostgresCompared(database), books, ledger)
        comparison = await comparing.differences(since, until)
        found = comparison.differences
        if not mend:
            return comparison.compared, found, found
        left = [each for each in found if not await comparing.mend(each)]
        await Resolving(ledger, PostgresDoubts(database, uuid4()), books).round()  # gives back
        return comparison.compared, found, left


def _shown(difference: Difference, *, is_mended: bool) -> dict[str, Any]:
    attempt = difference.attempt_id
    return {
        "kind": difference.kind,
        "order": difference.order_id,
        "payment": str(attempt) if attempt else None,
        "here": difference.here,
        "at_the_gateway": difference.there,
        "todo": "" if is_mended else difference.todo,
        "mended": is_mended,
    }


def _print(
    compared: int, found: Sequence[Difference], left: Sequence[Difference], between: Window
) -> None:
    since, until = between
    what = f"{compared} orders compared, {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
    if not found:
        print(f"no differences: {what}; {TOO_YOUNG}")
        return
    table = Table("difference", "order", "here", "at the gateway", "to do", show_lines=True)
    for each in found:
        todo = each.todo if each in left else "mended"
        table.add_row(str(each.kind), each.order_id, each.here, each.there, todo)
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    print(f"{len(found)} differences, {len(found) - len(left)} mended: {what}; {TOO_YOUNG}")
