"""`saldo payments list`: payments found by staff who have a terminal."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ivr import settings
from ivr.billing.payment_records import PaymentRecord
from ivr.billing.payments import AttemptState
from ivr.cli.database import opened
from ivr.cli.options import Config, day
from ivr.settings import Settings
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.rows import Page
from ivr.web.rows import to_json

MOST = 500
"""as over REST"""


def listing(
    *,
    account: Annotated[
        str, typer.Option(metavar="NUMBER", help="Of this account number, or biller's own key.")
    ] = "",
    since: Annotated[
        datetime | None,
        typer.Option(parser=day, metavar="DATE", help="Begun on this day or later, UTC."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=day, metavar="DATE", help="Begun on this day or earlier, UTC."),
    ] = None,
    state: Annotated[
        list[AttemptState] | None, typer.Option(help="In this state; again for more.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="So many at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="For a program, as over REST.")] = False,
    config: Config = None,
) -> None:
    """List payments and tries at them, newest first.

    Those that were declined or never ended are among them; --state captured --state settled shows
    what was taken. The id is what `refund` and `void` ask for.

    Example: saldo payments list --account 1042 --since 2026-11-01
    """
    if since and until and since > until:
        raise typer.BadParameter(f"--since, {since:%Y-%m-%d}, lies after --until")
    found = asyncio.run(
        _found(settings.load(config), account.strip(), (since, until), state or [], limit)
    )
    if as_json:
        print(json.dumps(to_json(found.items), indent=2))
    else:
        _print(found)


async def _found(
    conf: Settings,
    account: str,
    days: tuple[datetime | None, datetime | None],
    states: list[AttemptState],
    limit: int,
) -> Page[PaymentRecord]:
    """Raises LedgerUnavailable."""
    since, last_day = days
    until = _day_after(last_day) if last_day else None
    async with opened(conf) as database:
        return await PostgresPayments(database).listed(
            limit, account=account, since=since, until=until, states=states
        )


def _day_after(last: datetime) -> datetime | None:
    """None: no day is after the last one there is."""
    try:
        return last + timedelta(days=1)
    except OverflowError:
        return None


def _print(found: Page[PaymentRecord]) -> None:
    if not found.items:
        print("no such payments")
        return
    table = Table(
        *("id", "begun, UTC", "account", "amount", "method", "last four", "state", "confirmation")
    )
    for each in found.items:
        table.add_row(
            str(each.id),
            f"{each.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            each.account_number,
            str(each.amount),
            each.method,
            each.last4 or "",
            each.state,
            each.confirmation or "",
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    if found.before is not None:
        print(f"only the newest {len(found.items)}: name days, or a higher --limit, for more")
