"""`saldo payments refund` and `void`: money given back by staff who have a terminal."""

from __future__ import annotations

import asyncio
import getpass
import re
import sys
from contextlib import AsyncExitStack
from decimal import Decimal, InvalidOperation
from typing import Annotated
from uuid import UUID, uuid4

import typer

from ivr import parts, settings
from ivr.billing.errors import AttemptNotFound
from ivr.billing.money import Money
from ivr.billing.refunding import Refunding
from ivr.billing.refunds import Refund, RefundKind, RefundState, RefundWish
from ivr.cli.database import opened
from ivr.cli.options import Config
from ivr.gateways.giving_back import BraintreeRefunds
from ivr.settings import Settings
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.storage.refunds import PostgresRefunds

NOT_DONE = 1
SHORTEST_REASON = 3
"""as over REST"""
CONFIRMATION = re.compile(r"[0-9]{8}", re.ASCII)


def _id_or_confirmation(text: str) -> str:
    text = text.strip()
    if not CONFIRMATION.fullmatch(text):
        try:
            UUID(text)
        except ValueError:
            raise typer.BadParameter(
                f"'{text}' is no payment's id or confirmation: `saldo payments list` shows both"
            ) from None
    return text


Payment = Annotated[
    str,
    typer.Argument(
        parser=_id_or_confirmation,
        metavar="ID|CONFIRMATION",
        help="The payment, as `saldo payments list` and its receipt name it.",
    ),
]
Reason = Annotated[str, typer.Option(help="Why; kept for ever.")]
Reopen = Annotated[bool, typer.Option("--reopen", help="The invoices are owed again.")]
Key = Annotated[
    str, typer.Option(help="Of an earlier try, to ask again safely.", show_default=False)
]


def refund(
    *,
    payment: Payment,
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
    key, reason, conf = key or f"cli-{uuid4()}", _said(reason), settings.load(config)
    back = _give_back(conf, payment, reason, key, reopen=reopen, amount=_decimal(amount))
    _tell(asyncio.run(back), key)


def void(
    *,
    payment: Payment,
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
    key, reason, conf = key or f"cli-{uuid4()}", _said(reason), settings.load(config)
    back = _give_back(conf, payment, reason, key, reopen=reopen, only_void=True)
    _tell(asyncio.run(back), key)


def _said(reason: str) -> str:
    """Raises BadParameter: nobody could tell why."""
    if len(reason.strip()) < SHORTEST_REASON:
        raise typer.BadParameter("--reason is for who reads the trail: say why in some words")
    return reason.strip()


async def _confirmed(database: Database, confirmation: str) -> UUID:
    """The one payment with it. Raises AttemptNotFound when there is none, or there are several."""
    found = await PostgresPayments(database).confirmed(confirmation)
    if not found:
        raise AttemptNotFound(f"no payment has the confirmation {confirmation}")
    if len(found) > 1:
        raise AttemptNotFound(
            f"several payments have the confirmation {confirmation}, name one of them by its id: "
            + ", ".join(map(str, found))
        )
    return found[0]


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


async def _give_back(
    conf: Settings,
    payment: str,
    reason: str,
    key: str,
    *,
    reopen: bool,
    amount: Decimal | None = None,
    only_void: bool = False,
) -> Refund:
    """All of it, or the amount. Raises AttemptNotFound, LedgerUnavailable, GatewayRefused."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened(conf))
        gateway = parts.gateway(conf)
        stack.push_async_callback(gateway.aclose)
        by_confirmation = CONFIRMATION.fullmatch(payment)
        payment_id = await _confirmed(database, payment) if by_confirmation else UUID(payment)
        attempt = await PostgresLedger(database).attempt(payment_id)
        if attempt is None:
            raise AttemptNotFound(f"no payment {payment_id}")
        wish = RefundWish(
            attempt_id=payment_id,
            amount=None if amount is None else Money(amount, attempt.amount.currency),
            reason=reason,
            who=f"cli:{getpass.getuser()}",
            key=key,
            reopen=reopen,
            only_void=only_void,
        )
        refunding = Refunding(
            PostgresRefunds(database), BraintreeRefunds(gateway), asyncio.create_task
        )
        return await refunding.give_back(wish)
