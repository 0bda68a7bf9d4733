"""Bank accounts in `saldo serve`: mandates, their proof, the vault, what Braintree tells later."""

from __future__ import annotations

from contextlib import AsyncExitStack

from fastapi import APIRouter

from ivr import parts
from ivr.billing.bank_accounts import Way
from ivr.billing.mandating import Clips, Mandating
from ivr.billing.methods import Method
from ivr.billing.settling import Settling
from ivr.gateways.bank_accounts import BraintreeAccounts
from ivr.gateways.braintree import Braintree
from ivr.gateways.notifications import BraintreeNotifications
from ivr.settings import Settings
from ivr.storage.bank_accounts import PostgresMandates, PostgresNotifications
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.web import gateway_webhooks


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


def _ways(settings: Settings) -> tuple[Way, ...]:
    ways: list[Way] = []
    if settings.texts.url.get_secret_value():
        ways.append("text")
    if settings.mail.host:
        ways.append("mail")
    return tuple(ways)
