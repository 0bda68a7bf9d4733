"""The ways to pay and what is told of payments: whether the settings bear them out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from ivr.capture.doctor.finding import Check, Finding, Problem, slight
from ivr.settings import Settings
from ivr.storage.server import Standing

CARD_HASHES = Check(
    "card-hashes",
    "without a key of its own a restart forgets which cards were refused for good or tried too "
    "often, and no node knows what another has refused",
    "set [capture] hash_key, the same on every node: make one with `openssl rand -hex 32`",
)
DEBITS = Check(
    "bank-accounts",
    "a caller is offered a debit only in a currency whose merchant account takes ACH",
    "name a currency of [braintree] merchant_accounts in [bank_accounts] currencies, or take "
    "bank-account out of [payments] methods",
)
NEWS = Check(
    "gateway-webhooks",
    "debits are settled or returned days later: without the gateway's webhooks that is known only "
    "after the nightly comparison",
    "add https://YOUR-HOST/braintree/webhooks in Braintree's control panel, and let it send a test",
)
COMPARED = Check(
    "ledgers-compared",
    "a payment that only one of the ledgers knows is found by nothing else",
    "set [payments] compare_at to an hour of the night",
)
LINKS = Check(
    "pay-page",
    "a link that cannot be sent, or opened where the customer is, is no way to pay",
    "set [pay_page] url to the https address of your reverse proxy, and set [texts] up: calls send "
    "links by text",
)
TOLD_TLS = Check(
    "messages-tls",
    "who pays what, and passwords, would travel in the clear",
    "use https for webhooks and SOAP, no [webhooks] plain_http, and [mail] tls = starttls or tls",
)


def look_at(settings: Settings) -> list[Finding]:
    """Every finding that the settings alone show."""
    return [
        *CARD_HASHES.judge("cards are known again by a key of your own", _hashes(settings)),
        *DEBITS.judge("each currency of debits has a merchant account", _debits(settings)),
        *COMPARED.judge("both ledgers are compared each night", _compared(settings)),
        *LINKS.judge("links can be sent and opened", _links(settings)),
        *TOLD_TLS.judge("messages are sent with TLS", _clear(settings)),
    ]


def look_at_standing(settings: Settings, standing: Standing) -> list[Finding]:
    """And those that the database shows."""
    clear = (
        slight(f"webhooks go to {url}")
        for url in standing.endpoints
        if urlsplit(url).scheme != "https" and not is_here(url)
    )
    return [
        *NEWS.judge("the gateway tells of debits", _news(settings, standing)),
        *TOLD_TLS.judge("webhooks go to https only", clear),
    ]


def takes_debits(settings: Settings) -> bool:
    """Whether callers may pay from a bank account."""
    return "bank-account" in settings.payments.methods


def _hashes(settings: Settings) -> Iterator[Problem]:
    if not settings.capture.hash_key.get_secret_value():
        yield slight("[capture] hash_key is empty")


def _debits(settings: Settings) -> Iterator[Problem]:
    if not takes_debits(settings):
        return
    for currency in settings.bank_accounts.currencies:
        if currency not in settings.braintree.merchant_accounts:
            yield Problem(f"there is no merchant account for debits in {currency}")
    if not settings.bank_accounts.currencies:
        yield Problem("[bank_accounts] currencies is empty")


def _compared(settings: Settings) -> Iterator[Problem]:
    if settings.payments.compare_at < 0:
        yield slight(f"[payments] compare_at is {settings.payments.compare_at}: never")


def _links(settings: Settings) -> Iterator[Problem]:
    url = settings.pay_page.url
    if not url:
        return
    if is_here(url) and settings.braintree.environment == "production":
        yield Problem(f"[pay_page] url is {url}: nobody else can open that")
    if not settings.texts.url.get_secret_value():
        by_paypal = "paypal" in settings.payments.methods
        what = "[payments] methods has paypal, whose link" if by_paypal else "a link to pay"
        yield (Problem if by_paypal else slight)(
            f"{what} is sent by text, and [texts] url is empty"
        )


def _news(settings: Settings, standing: Standing) -> Iterator[Problem]:
    if takes_debits(settings) and standing.gateway_told_at is None:
        yield slight("no webhook has come from the gateway yet")


def _clear(settings: Settings) -> Iterator[Problem]:
    if settings.webhooks.plain_http:
        yield slight("[webhooks] plain_http lets endpoints do without TLS")
    if settings.mail.host and settings.mail.tls == "none" and not _is_loopback(settings.mail.host):
        yield slight(f"[mail] tls is none, and {settings.mail.host} is another machine")
    for name, url in (("wsdl", settings.soap.wsdl), ("address", settings.soap.address)):
        if urlsplit(url).scheme == "http" and not is_here(url):
            yield slight(f"[soap] {name} is {url}")


def is_here(url: str) -> bool:
    """Whether an address is of this machine."""
    return _is_loopback(urlsplit(url).hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
