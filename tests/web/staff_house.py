"""What staff may ask of a house with a pay page: payments, refunds and the dashboard."""

from __future__ import annotations

from contextlib import AsyncExitStack

from fastapi import APIRouter, FastAPI

from ivr.refunding import Office
from ivr.settings import Settings
from ivr.storage.payment_records import PostgresPayments
from ivr.storage.pool import Database
from ivr.web import keys as own_key
from ivr.web import payments
from ivr.web.api import PAGES
from ivr.web.errors import add_handlers
from ivr.web.keys import Key, Keys, Scope
from ivr.web.own_pages import pages

CLERK = Key("billing team", "clerk-" + "c" * 30, frozenset({Scope.READ, Scope.REFUNDS}))
READER = Key("front desk", "reader-" + "r" * 30, frozenset({Scope.READ}))
AGENT = Key("agents", "agent-" + "a" * 30, frozenset({Scope.CAPTURES}))


def admit_staff(
    app: FastAPI, settings: Settings, stack: AsyncExitStack, database: Database
) -> None:
    """The routes of the API and of the dashboard, for these three keys."""
    keys = Keys([CLERK, READER, AGENT])
    routers: list[APIRouter] = [
        own_key.routes(keys),
        payments.routes(PostgresPayments(database), keys),
        Office(settings, stack, database).routes(keys),
        *map(pages, PAGES),
    ]
    for router in routers:
        app.include_router(router)
    add_handlers(app)
