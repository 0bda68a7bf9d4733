"""The pay page of this company: links, what pays on it, and how it looks, from the settings."""

from __future__ import annotations

from contextlib import AsyncExitStack

from fastapi import APIRouter

from ivr import parts
from ivr.api_keys import api_keys
from ivr.billing.linking import Linking
from ivr.billing.links import LinkKey
from ivr.billing.methods import Method
from ivr.billing.online_paying import OnlinePaying
from ivr.billing.paying import Paying
from ivr.gateways.online import BraintreeOnline
from ivr.settings import Settings
from ivr.storage.customers import PostgresDirectory
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.links import PostgresLinks
from ivr.storage.pool import Database
from ivr.web import links as links_of_staff
from ivr.web.pay_page import PayPage, routes
from ivr.web.pay_security import SCRIPTS, Visitors, policy
from ivr.web.pay_words import Look, PageText

ON_PAGES = (Method.CARD, Method.PAYPAL)


def links(settings: Settings, database: Database) -> PostgresLinks | None:
    """What makes links; None where there is no page for them."""
    page = settings.pay_page
    return PostgresLinks(database, _key(settings)) if page.url else None


def pages(
    settings: Settings, stack: AsyncExitStack, database: Database, paying: Paying
) -> list[APIRouter]:
    """Routes of the pay page and of its links; none without [pay_page] url. Raises PayPageError."""
    if not settings.pay_page.url:
        return []
    braintree = parts.gateway(settings)
    stack.push_async_callback(braintree.aclose)
    key, book = _key(settings), PostgresLinks(database, _key(settings))
    methods = [each for each in ON_PAGES if each in settings.payments.methods]
    online_paying = OnlinePaying(
        book,
        paying,
        BraintreeOnline(braintree, settings.company.name),
        key,
        terms=settings.terms(),
        methods=methods or [Method.CARD],
        brands=settings.capture.brands,
    )
    return [
        routes(_page(settings, online_paying, key)),
        links_of_staff.routes(
            linking(settings, database, book), api_keys(settings), settings.pay_page.minutes
        ),
    ]


def linking(settings: Settings, database: Database, links: PostgresLinks) -> Linking:
    """What staff does with links."""
    directory, invoices = PostgresDirectory(database), PostgresInvoices(database)
    return Linking(links, directory, invoices, settings.terms(), parts.ways(settings))


def _page(settings: Settings, online_paying: OnlinePaying, key: LinkKey) -> PayPage:
    page, braintree = settings.pay_page, settings.braintree
    look = Look(settings.company.name, page.phone, page.colour, page.logo, page.folder)
    scripts = braintree.url.rstrip("/") if braintree.environment == "stand-in" else SCRIPTS
    return PayPage(
        online=online_paying,
        text=PageText(look),
        scripts=f"{scripts}/web/{page.braintree_web}",
        policy=policy(braintree.environment, braintree.url),
        visitors=Visitors(key.origin),
    )


def _key(settings: Settings) -> LinkKey:
    page = settings.pay_page
    return LinkKey(page.key.get_secret_value(), page.url, page.key_before.get_secret_value())
