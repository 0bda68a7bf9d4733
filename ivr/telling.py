"""Messages out, built for `saldo serve`: who is told, by which ways, and who owns that work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter

from ivr.billing.delivering import Delivering, Sender
from ivr.billing.errors import BillingError
from ivr.billing.messages import Channel, Delivery, DeliveryState
from ivr.messaging.mail import Mail, MailServer
from ivr.messaging.networks import Networks
from ivr.messaging.templates import Templates
from ivr.messaging.texts import SIP, Carrier, NotTaken, ProviderCarrier, SipCarrier, Texts
from ivr.messaging.webhooks import Webhooks, new_secret
from ivr.metrics import Metrics
from ivr.settings import Settings
from ivr.storage.bell import Bell
from ivr.storage.deliveries import PostgresDeliveries
from ivr.storage.pool import Database
from ivr.storage.webhook_endpoints import PostgresEndpoints
from ivr.telephony.ari import Ari
from ivr.telephony.errors import TelephonyError
from ivr.web import webhooks
from ivr.web.keys import Keys

if TYPE_CHECKING:
    from ivr.messaging.soap import Soap

log = structlog.get_logger(__name__)

CONNECTIONS = 2
"""of a pool of its own: messages never wait for calls, nor calls for messages"""
BELL = "saldo_messages"
"""what the trigger of schema/0007 notifies"""
LEASE_SECONDS = 60.0
AGAIN_SECONDS = 30.0


async def deliver(settings: Settings, metrics: Metrics, ari: Ari, migrated: asyncio.Event) -> None:
    """Tell what is to be told until cancelled; then what is on its way may arrive."""
    await migrated.wait()
    url = settings.database.url
    database = await Database.open(url, size=CONNECTIONS, application="saldo-messages")
    try:
        async with senders(settings, ari) as ways:
            bell = Bell(database, BELL)
            delivering = Delivering(
                PostgresDeliveries(database),
                PostgresEndpoints(database),
                ways,
                bell,
                soap_kinds=tuple(settings.soap.operations),
                lease_seconds=LEASE_SECONDS,
                told=lambda *told: _told(metrics, *told),
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(bell.run(), name="bell")
                tasks.create_task(_for_ever(delivering), name="messages")
    finally:
        await database.close()


async def _for_ever(delivering: Delivering) -> None:
    """Whatever is wrong with messages must not cost a call."""
    while True:
        try:
            await delivering.run()
        except BillingError as error:
            log.error("messages_stopped", why=str(error))  # noqa: TRY400 - no more in its trace
        except Exception:
            log.exception("messages_stopped")
        await asyncio.sleep(AGAIN_SECONDS)


def routes(settings: Settings, database: Database, keys: Keys) -> APIRouter:
    """`/v1/webhooks` for this database."""
    return webhooks.routes(
        PostgresEndpoints(database),
        PostgresDeliveries(database),
        new_secret,
        keys,
        _networks(settings).allow,
        plain_http=settings.webhooks.plain_http,
    )


def _networks(settings: Settings) -> Networks:
    return Networks(map(str, settings.webhooks.networks))


@asynccontextmanager
async def senders(settings: Settings, ari: Ari) -> AsyncIterator[dict[Channel, Sender]]:
    """The ways that the settings name; webhooks go to whatever endpoints there are."""
    templates = _templates(settings)
    async with AsyncExitStack() as stack:
        ways: dict[Channel, Sender] = {
            Channel.WEBHOOK: await stack.enter_async_context(
                Webhooks(settings.webhooks.timeout_seconds, networks=_networks(settings))
            )
        }
        if settings.soap.wsdl:
            soap = _soap(settings)
            stack.callback(soap.close)
            ways[Channel.SOAP] = soap
        if settings.mail.host:
            ways[Channel.MAIL] = Mail(_mail(settings), settings.company.name, templates)
        if url := settings.texts.url.get_secret_value():
            ways[Channel.TEXT] = Texts(_carrier(settings, url, ari, stack), templates)
        yield ways


def _carrier(settings: Settings, url: str, ari: Ari, stack: AsyncExitStack) -> Carrier:
    if url.startswith(SIP):
        return SipCarrier(url, settings.texts.sender, lambda *text: _by_pbx(ari, *text))
    provider = ProviderCarrier(url)
    stack.callback(provider.close)
    return provider


def _templates(settings: Settings) -> Templates:
    """Say so when one is wrong: customers would not get what it says."""
    own = Path(settings.messages.templates) if settings.messages.templates else None
    if own and not own.is_dir():
        todo = "ours are used: check [messages] templates"
        log.error("template_wrong", why=f"there is no folder {own}", todo=todo)
    templates = Templates(settings.company.name, settings.company.country, own)
    for wrong in templates.wrong():
        log.error("template_wrong", why=wrong, todo="mend it in the folder of [messages] templates")
    return templates


def _soap(settings: Settings) -> Soap:
    # Here and not above: zeep takes 30 MB, for those who use it.
    from ivr.messaging.soap import Operation, Soap, SoapService  # noqa: PLC0415

    soap = settings.soap
    service = SoapService(
        wsdl=soap.wsdl,
        operations={
            kind: Operation(each.name, each.fields, each.expects)
            for kind, each in soap.operations.items()
        },
        user=soap.user,
        password=soap.password.get_secret_value(),
        login=soap.login,
        address=soap.address,
        timeout_seconds=soap.timeout_seconds,
    )
    return Soap(service)


def _mail(settings: Settings) -> MailServer:
    mail = settings.mail
    return MailServer(
        host=mail.host,
        port=mail.port,
        sender=mail.sender,
        tls=mail.tls,
        user=mail.user,
        password=mail.password.get_secret_value(),
        timeout_seconds=mail.timeout_seconds,
    )


async def _by_pbx(ari: Ari, to: str, sender: str, body: str) -> None:
    try:
        await ari.send_text(to, sender, body)
    except TelephonyError as error:
        raise NotTaken(f"the PBX did not take the text ({type(error).__name__})") from None


def _told(metrics: Metrics, delivery: Delivery, state: DeliveryState, why: str) -> None:
    metrics.messages.labels(channel=delivery.channel, state=state).inc()
    about = {"kind": delivery.kind, "channel": delivery.channel, "id": delivery.message_id}
    match state:
        case DeliveryState.DEAD:
            log.error("message_dead", why=why, **about)
        case DeliveryState.WAITING:
            log.warning("message_again", why=why, attempts=delivery.attempts, **about)
        case DeliveryState.SKIPPED:
            log.info("message_skipped", why=why, **about)
        case _:
            log.info("message_delivered", attempts=delivery.attempts, **about)
