"""`saldo payments link`: a link to the pay page by staff who have a terminal."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated
from uuid import uuid4

import typer

from ivr import online_paying, settings
from ivr.billing.errors import BillingError
from ivr.billing.links import Link, LinkWish
from ivr.billing.messages import ToCustomer, masked
from ivr.billing.money import Money
from ivr.cli.database import opened
from ivr.cli.options import Config
from ivr.settings import Settings
from ivr.storage.customers import PostgresDirectory

NOT_MADE = 1


class Tell(StrEnum):
    """How the customer gets it."""

    TEXT = "text"
    MAIL = "mail"


def link(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The biller's own key.")],
    *,
    invoice: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER", help="For this one; again for more. Default: all due."),
    ] = None,
    amount: Annotated[
        str, typer.Option(metavar="10.00", help="A part of it; default: all that is due.")
    ] = "",
    currency: Annotated[str, typer.Option(help="Of the amount; default: the company's.")] = "",
    minutes: Annotated[
        float | None, typer.Option(min=1, max=86400, help="How long it may be used.")
    ] = None,
    tell: Annotated[
        list[Tell] | None, typer.Option(help="Send it so; again for both. Default: not at all.")
    ] = None,
    config: Config = None,
) -> None:
    """Make a link with which a customer pays, print it, and send it if you like.

    It is sent to what is on file only. Exit status 1 when no link can be made.

    Example: saldo payments link C1042 --tell text
    """
    loaded = settings.load(config)
    try:
        wish = LinkWish(
            account=account,
            invoices=tuple(dict.fromkeys(invoice or ())),
            amount=Money.of(amount, currency or loaded.company.currency) if amount else None,
            minutes=minutes or loaded.pay_page.minutes,
            tell=tuple(dict.fromkeys(each.value for each in tell or ())),
            who=f"cli:{getpass.getuser()}",
            key=f"cli-{uuid4()}",
        )
        made, addresses = asyncio.run(_make(loaded, wish))
    except BillingError as error:
        print(f"saldo: {error}", file=sys.stderr)
        raise typer.Exit(NOT_MADE) from None
    print(f"{made.url}\nuntil {made.expires_at:%Y-%m-%d %H:%M} UTC, link {made.id}")
    if wish.tell:
        sent = (f"by {way} to {masked(way, addresses.get(way, ''))}" for way in wish.tell)
        print(f"sent {' and '.join(sent)}")


async def _make(conf: Settings, wish: LinkWish) -> tuple[Link, Mapping[ToCustomer, str]]:
    """The link, and what is on file of its customer."""
    async with opened(conf) as database:
        links = online_paying.links(conf, database)
        if links is None:
            raise settings.SettingsError("there is no pay page: set [pay_page] url and key")
        made = await online_paying.linking(conf, database, links).make(wish)
        return made, await PostgresDirectory(database).addresses(made.customer_id)
