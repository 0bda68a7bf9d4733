"""Looks at everything a payment by telephone depends on: PBX, database, gateway, machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ivr import hearing
from ivr import parts as parts_of
from ivr.billing.errors import BillingError, GatewayRefused
from ivr.capture.doctor import clock, ledger, machine, processes, running, ways
from ivr.capture.doctor.files import READABLE, look_through
from ivr.capture.doctor.finding import Check, Finding, Problem, slight, unseen
from ivr.capture.facts import FactReader, FactsMissing
from ivr.settings import Settings
from ivr.speech.errors import ModelError
from ivr.speech.models import prove
from ivr.storage.pool import Database
from ivr.storage.server import last_payment, server, standing
from ivr.telephony.ami import Ami
from ivr.telephony.errors import BadCredentials, TelephonyError

USUAL_FOLDER = Path("/etc/asterisk")

PBX = Check(
    "pbx",
    "without ARI no call reaches saldo",
    "check that Asterisk runs, and [asterisk] url, [capture] user and password in saldo.toml",
)
MANAGER = Check(
    "manager",
    "without AMI saldo does not know whether an agent is there",
    "check manager.conf, and ami_host, ami_port, ami_user and ami_secret in saldo.toml",
)
GATEWAY = Check(
    "gateway",
    "without it nothing can be paid",
    "check the keys in [braintree] of saldo.toml, and the way to the gateway",
)
GATEWAY_MODE = Check(
    "gateway-mode",
    "only production takes real money; the others take published test cards alone",
    "set [braintree] environment = production, without url, when real customers call",
)
TELEPHONE_ORDERS = Check(
    "gateway-moto",
    "an account that may not take telephone orders (MOTO) declines each card, and no question of "
    "the gateway's tells: only a charge does (its error 91558)",
    "ask Braintree to confirm MOTO for each merchant account; then pay once by telephone with a "
    "card of your own, and refund it",
)
CURRENCY = Check(
    "gateway-currency",
    "an invoice in a currency without merchant account cannot be paid",
    "add the currency to [braintree] merchant_accounts in saldo.toml",
)
MODELS = Check(
    "speech-models",
    "without a model that works callers are asked for keys",
    "run `saldo speech install` and name the folder in [speech] models",
)


async def examine(settings: Settings, folder: Path | None = None) -> list[Finding]:
    """Every finding; the PBX's configuration is looked for in its usual folder where none is named.

    Raises:
        ConfigurationMissing: the folder that was named is none of Asterisk's.
    """
    parts = await asyncio.gather(
        asyncio.to_thread(_files, settings, folder),
        _pbx(settings),
        _manager(settings),
        _databases(settings),
        _gateway(settings),
        _ways(settings),
        asyncio.to_thread(_machine),
        asyncio.to_thread(_models, settings),
    )
    return [finding for part in parts for finding in part]


def _files(settings: Settings, folder: Path | None) -> list[Finding]:
    ours = (settings.asterisk.user, settings.capture.user)
    if folder is None and not (USUAL_FOLDER / "asterisk.conf").is_file():
        return [READABLE.unknown("the PBX's configuration was not looked at")]
    return look_through(folder or USUAL_FOLDER, ours)


async def _pbx(settings: Settings) -> list[Finding]:
    own = settings.capture
    password = own.password.get_secret_value()
    try:
        async with FactReader(settings.asterisk.url, own.user, password, own.app) as facts:
            standing = await facts.standing()
    except FactsMissing as missing:
        return [PBX.unknown(str(missing))]
    return [*PBX.judge("ARI answers", []), *running.look_at(standing)]


async def _manager(settings: Settings) -> list[Finding]:
    asterisk = settings.asterisk
    secret = asterisk.ami_secret.get_secret_value()
    problems: list[Problem] = []
    try:
        await Ami(asterisk.ami_host, asterisk.ami_port, asterisk.ami_user, secret).check()
    except BadCredentials as refused:
        problems = [Problem(str(refused))]
    except TelephonyError as away:
        problems = [unseen(str(away))]
    return MANAGER.judge("AMI answers", problems)


async def _databases(settings: Settings) -> list[Finding]:
    """Each role for itself: what is logged can differ from one to the other."""
    urls = {"[database] url": settings.database.url}
    if settings.database.capture_url:
        urls["[database] capture_url"] = settings.database.capture_url
    found = await asyncio.gather(*(_database(role, url) for role, url in urls.items()))
    return [finding for part in found for finding in part]


async def _database(role: str, url: str) -> list[Finding]:
    database = await Database.open(url, size=1, application="saldo-doctor")
    try:
        looked = await server(database, ledger.SETTINGS)
        return ledger.look_at(looked, datetime.now(UTC), role)
    except BillingError as away:
        return [ledger.REACHED.unknown(str(away))]
    finally:
        await database.close()


async def _gateway(settings: Settings) -> list[Finding]:
    return [
        *GATEWAY.judge("the gateway answers and takes our keys", await _pinged(settings)),
        *GATEWAY_MODE.judge("real cards are charged", _mode(settings)),
        *await _telephone_orders(settings),
        *CURRENCY.judge(f"{settings.company.currency} can be paid", _currency(settings)),
    ]


async def _ways(settings: Settings) -> list[Finding]:
    """The ways to pay: what the settings say, and what the database knows of them."""
    found = ways.look_at(settings)
    database = await Database.open(settings.database.url, size=1, application="saldo-doctor")
    try:
        known = await standing(database)
    except BillingError as away:  # which the database's own finding tells too
        unknown = [ways.NEWS.unknown(str(away))] if ways.takes_debits(settings) else []
        return [*found, *unknown]
    finally:
        await database.close()
    owed = [*_owed(settings, known.currencies)]
    found += ways.look_at_standing(settings, known)
    return [*found, *CURRENCY.judge("", owed)] if owed else found


def _owed(settings: Settings, currencies: Iterable[str]) -> Iterator[Problem]:
    company = settings.company.currency  # looked at anyway
    for currency in sorted({*currencies} - {*settings.braintree.merchant_accounts, company}):
        yield Problem(f"invoices are owed in {currency}, and there is no merchant account for it")


async def _pinged(settings: Settings) -> list[Problem]:
    try:
        gateway = parts_of.gateway(settings)
    except GatewayRefused as refused:
        return [Problem(str(refused))]
    try:
        await gateway.ping()
    except BillingError as away:
        return [Problem(str(away))]
    finally:
        await gateway.aclose()
    return []


async def _telephone_orders(settings: Settings) -> list[Finding]:
    """Shown by a payment that went well, and by nothing else."""
    if settings.braintree.environment != "production":
        not_yet = "whether telephone orders are allowed shows in production alone"
        return TELEPHONE_ORDERS.judge("", [slight(not_yet)])
    database = await Database.open(settings.database.url, size=1, application="saldo-doctor")
    try:
        paid = await last_payment(database)
    except BillingError as away:
        return [TELEPHONE_ORDERS.unknown(str(away))]
    finally:
        await database.close()
    if paid is None:
        return [TELEPHONE_ORDERS.unknown("no card has been charged by telephone yet")]
    return TELEPHONE_ORDERS.judge(f"a card was charged by telephone on {paid:%Y-%m-%d}", [])


def _mode(settings: Settings) -> Iterator[Problem]:
    braintree = settings.braintree
    if braintree.environment != "production":
        yield slight(f"[braintree] environment is {braintree.environment}")
    elif braintree.url:
        yield slight(f"[braintree] url names {braintree.url} instead of Braintree")


def _currency(settings: Settings) -> Iterator[Problem]:
    currency = settings.company.currency
    if currency not in settings.braintree.merchant_accounts:
        yield Problem(f"there is no merchant account for {currency}")


def _machine() -> list[Finding]:
    swaps = machine.has_swap()
    return [
        *machine.look_at(machine.try_hardening(), has_swap=swaps),
        *processes.look_at(has_swap=swaps),
        *clock.look_at(clock.read()),
    ]


def _models(settings: Settings) -> list[Finding]:
    named = {language: one for language, one in settings.speech.models.items() if one}
    problems: list[Problem] = []
    for language, one in named.items():
        try:
            prove(hearing.model_folder(language, one), f"[speech] models.{language}")
        except ModelError as broken:
            problems.append(Problem(str(broken)))
        else:
            if hearing.is_shipped(one) and settings.braintree.environment != "stand-in":
                problems.append(slight(f"{language}: {hearing.SYNTHETIC_ONLY}"))
    fine = f"{', '.join(named)}: the models load" if named else "none is set: callers use keys"
    return MODELS.judge(fine, problems)
