"""`saldo payments refund` and `void`: money given back by staff who have a terminal."""

from __future__ import annotations

import asyncio
import getpass
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Annotated
from uuid import UUID, uuid4

import typer

from ivr import parts, settings
from ivr.billing.errors import AttemptNotFound
from ivr.billing.money import Money
from ivr.billing.refunding import Refunding
from ivr.billing.refunds import Refund, RefundKind, RefundState, RefundWish
from ivr.cli.options import Config
from ivr.gateways.giving_back import BraintreeRefunds
from ivr.settings import Settings
from ivr.storage.migrate import check
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.storage.refunds import PostgresRefunds

NOT_DONE = 1
SHORTEST_REASON = 3
"""as over REST"""


def _payment_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(
            f"'{text}' is no payment's id: its page in the dashboard has it in its address"
        ) from None


PaymentId = Annotated[
    UUID,
    typer.Argument(
        parser=_payment_id, metavar="ID", help="The payment's id, as in its dashboard address."
    ),
]
Reason = Annotated[str, typer.Option(help="Why; kept for ever.")]
Reopen = Annotated[bool, typer.Option("--reopen", help="The invoices are owed again.")]
Key = Annotated[
    str, typer.Option(help="Of an earlier try, to ask again safely.", show_default=False)
]


def refund(
    *,
    payment: PaymentId,
    reason: Reason,
    amount: Annotated[
        str, typer.Option(metavar="10.00", help="How much; default: all that is left.")
    ] = "",
    reopen: Reopen = False,
    key: Key = "",
    config: Config = None,
) -> None:
    """Give a payment back: as a whole before it is settled, all or a part of it after.

    Your login is written beside the reason. Exit status 0 when it was given back, 1 when it was not
    or is not known yet: `saldo serve` finds that out by itself.

    Example: saldo payments refund 6b0f5a9e-… --amount 10.00 --reason "charged twice by us"
    """
    wish = _wish(payment, reason, key, reopen=reopen)
    _tell(asyncio.run(_give_back(settings.load(config), wish, _decimal(amount))), wish.key)


def void(
    *,
    payment: PaymentId,
    reason: Reason,
    reopen: Reopen = False,
    key: Key = "",
    config: Config = None,
) -> None:
    """Take a whole payment back before it is settled; after that it is refused, never refunded.

    Your login is written beside the reason. Exit status 0 when it was voided, 1 when it was not or
    is not known yet: `saldo serve` finds that out by itself.

    Example: saldo payments void 6b0f5a9e-… --reason "charged twice by us" --reopen
    """
    wish = replace(_wish(payment, reason, key, reopen=reopen), only_void=True)
    _tell(asyncio.run(_give_back(settings.load(config), wish, None)), wish.key)


def _wish(payment: UUID, reason: str, key: str, *, reopen: bool) -> RefundWish:
    """To give all of it back. Raises BadParameter: nobody could tell why."""
    reason = reason.strip()
    if len(reason) < SHORTEST_REASON:
        raise typer.BadParameter("--reason is for who reads the trail: say why in some words")
    who = f"cli:{getpass.getuser()}"
    return RefundWish(payment, None, reason, who, key or f"cli-{uuid4()}", reopen=reopen)


def _tell(done: Refund, key: str) -> None:
    """Print how it ended. Raises Exit: it was not given back, or that is not known."""
    if done.state is not RefundState.DONE:
        print(f"saldo: {_not_done(done, key)}", file=sys.stderr)
        raise typer.Exit(NOT_DONE)
    how = "voided" if done.kind is RefundKind.VOID else "refunded"
    print(f"{how} {done.amount} of payment {done.attempt_id}: transaction {done.transaction_id}")


def _decimal(amount: str) -> Decimal | None:
    try:
        return Decimal(amount) if amount else None
    except InvalidOperation:
        raise typer.BadParameter(f"--amount {amount} is no amount such as 10.00") from None


def _not_done(refund: Refund, key: str) -> str:
    if refund.state is RefundState.REFUSED:
        return f"nothing was given back: {refund.why}"
    return f"it is not known yet whether it was given back: ask again with --key {key}"


async def _give_back(conf: Settings, wish: RefundWish, amount: Decimal | None) -> Refund:
    async with AsyncExitStack() as stack:
        database = await Database.open(conf.database.url, size=2, application="saldo-payments")
        stack.push_async_callback(database.close)
        await check(database)
        gateway = parts.gateway(conf)
        stack.push_async_callback(gateway.aclose)
        attempt = await PostgresLedger(database).attempt(wish.attempt_id)
        if attempt is None:
            raise AttemptNotFound(f"no payment {wish.attempt_id}")
        if amount is not None:
            wish = replace(wish, amount=Money(amount, attempt.amount.currency))
        refunding = Refunding(
            PostgresRefunds(database), BraintreeRefunds(gateway), asyncio.create_task
        )
        return await refunding.give_back(wish)
