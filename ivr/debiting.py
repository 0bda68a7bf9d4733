"""Bank accounts in `saldo serve`: mandates, their proof, the vault, what Braintree tells later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import structlog
from fastapi import APIRouter

from ivr import parts
from ivr.billing.bank_accounts import Way
from ivr.billing.errors import BillingError
from ivr.billing.forgetting import Forgetting
from ivr.billing.mandating import Clips, Mandating
from ivr.billing.methods import Method
from ivr.billing.proving import KeptRecordings, Notice, Proving
from ivr.billing.settling import Settling
from ivr.gateways.bank_accounts import BraintreeAccounts
from ivr.gateways.braintree import Braintree
from ivr.gateways.notifications import BraintreeNotifications
from ivr.settings import Settings
from ivr.storage.bank_accounts import (
    PostgresAccounts,
    PostgresMandates,
    PostgresNotifications,
    PostgresProofs,
)
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.web import gateway_webhooks

log = structlog.get_logger(__name__)

ROUND_SECONDS = 10.0
PROVED_SECONDS = 900.0
"""after the longest call, its recording must be kept somewhere: the notice goes out on the same day
as the debit, and banks settle it on the next one"""


def mandating(
    settings: Settings, database: Database, gateway: Braintree, clips: Clips | None
) -> Mandating | None:
    """Debits of bank accounts; None where the company does not take them."""
    if Method.BANK_ACCOUNT not in settings.payments.methods:
        return None
    own = settings.bank_accounts
    return Mandating(
        PostgresMandates(database),
        BraintreeAccounts(gateway),
        company=settings.company.name,
        phone=own.phone,
        currencies=own.currencies,
        clips=clips,
        ways=_ways(settings),
        reactivates_when_settled=own.reactivate == "settled",
    )


def settle_first(settings: Settings) -> tuple[Method, ...]:
    """By what is paid before lines come back at settlement only."""
    return (Method.BANK_ACCOUNT,) if settings.bank_accounts.reactivate == "settled" else ()


def routes(settings: Settings, stack: AsyncExitStack, database: Database) -> APIRouter:
    """Where Braintree's webhooks arrive."""
    gateway = parts.gateway(settings)
    stack.push_async_callback(gateway.aclose)
    settling = Settling(PostgresLedger(database), PostgresNotifications(database))
    return gateway_webhooks.routes(BraintreeNotifications(gateway).read, settling.take)


async def rounds(what: str, once: Callable[[], Awaitable[object]], migrated: asyncio.Event) -> None:
    """Do it again and again until it is cancelled, whatever is away."""
    await migrated.wait()
    while True:
        try:
            await once()
        except BillingError as error:
            log.warning("not_looked_at", what=what, why=str(error))
        await asyncio.sleep(ROUND_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads nodes


def work(
    settings: Settings,
    stack: AsyncExitStack,
    database: Database,
    recordings: KeptRecordings | None,
    migrated: asyncio.Event,
) -> dict[str, Coroutine[Any, Any, None]]:
    """What `saldo serve` does about mandates after their calls, by name, whatever is offered."""
    gateway = parts.gateway(settings)
    stack.push_async_callback(gateway.aclose)
    patience = settings.calls.max_minutes * 60 + PROVED_SECONDS
    proofs, accounts = PostgresProofs(database), PostgresAccounts(database)
    proving = Proving(proofs, recordings, _ways(settings), patience, _told)
    days = settings.bank_accounts.keep_days
    forgetting = Forgetting(accounts, BraintreeAccounts(gateway), days, _not_forgotten)

    async def forget() -> None:
        if gone := await forgetting.clean():
            log.info("bank_accounts_forgotten", accounts=gone)

    # One by one: a vault that hangs must not keep a notice back.
    named = {"mandates": proving.look, "bank-accounts": forget}
    return {name: rounds(name, once, migrated) for name, once in named.items()}


def _told(notice: Notice) -> None:
    if notice.ways:
        log.warning("mandate_not_recorded", order=notice.order_id, ways=notice.ways)
    else:
        todo = "send the words in `mandates` to the customer in writing, today"
        log.error("mandate_without_proof", order=notice.order_id, todo=todo)


def _not_forgotten(attempt_id: UUID, why: str) -> None:
    log.warning("bank_account_not_forgotten", payment=str(attempt_id), why=why)


def _ways(settings: Settings) -> tuple[Way, ...]:
    ways: list[Way] = []
    if settings.texts.url.get_secret_value():
        ways.append("text")
    if settings.mail.host:
        ways.append("mail")
    return tuple(ways)
