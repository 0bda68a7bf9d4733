"""Builds and runs `saldo capture`: the only process that may hold a card digit."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, TypedDict

import structlog

from ivr import hearing
from ivr import parts as parts_of
from ivr.billing.captures import CaptureResult
from ivr.billing.ports import Captures
from ivr.capture import hardening
from ivr.capture.facts import FactReader
from ivr.capture.fields import Prompts, anything
from ivr.capture.hearing import CardEars, Eyes, GuardedEars
from ivr.capture.secret import SecretDigits
from ivr.capture.segments import RETURNED, Segments, today
from ivr.capture.talks import Talks
from ivr.capture.telling import Tell
from ivr.capture.tokenising import Connector, Tokenising
from ivr.gateways.test_accounts import is_test_account
from ivr.gateways.test_cards import is_test_card
from ivr.settings import Settings
from ivr.speech.ears import Ears
from ivr.speech.tts import Tts
from ivr.speech.voice import Voice
from ivr.storage.captures import PostgresCaptures
from ivr.storage.pool import Database
from ivr.telephony import bridges
from ivr.telephony.ari import Ari
from ivr.telephony.bridges import TalkBridge
from ivr.telephony.errors import ApplicationTaken, BadCredentials, ChannelGone, TelephonyError
from ivr.telephony.media import CallersVoice, sweep
from ivr.telephony.places import Agents
from ivr.telephony.router import Router
from ivr.telephony.stream import EventStream
from ivr.telephony.whisper import Whisper

log = structlog.get_logger(__name__)

COLLECT, ASSIST = "collect", "assist"
POOL = 4
"""connections: a segment asks twice, for milliseconds"""


class FixedVoice:
    """The prompts of the secure part: all fixed, none is ever synthesised here."""

    def __init__(self, voice: Voice) -> None:
        self.sounds = voice.sounds
        self.select = voice.catalogue.select


def only_test_numbers(number: SecretDigits) -> bool:
    """What every gateway but the production one takes: Braintree's own test cards and accounts."""
    return number.passes(is_test_card) or number.passes(is_test_account)


async def run(settings: Settings) -> None:
    """Take callers from `saldo serve` until SIGTERM (or its death), then let segments finish.

    Raises:
        BillingError: a setting of the gateway or the database is wrong.
        ModelError, GrammarError: cards are to be taken by voice, and a model is not as it must be.
        SystemExit: 1 when the PBX does not accept us or another program took our name there.
    """
    if not hardening.die_with_parent():
        return
    hardening.harden()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        async with AsyncExitStack() as parts:
            await _serve(settings, parts, stopping)
    except* (ApplicationTaken, BadCredentials) as group:
        for error in group.exceptions:
            log.error("stopped", why=str(error))  # noqa: TRY400 - its trace says nothing more
        raise SystemExit(1) from None


async def _serve(settings: Settings, parts: AsyncExitStack, stopping: asyncio.Event) -> None:
    asterisk, own = settings.asterisk, settings.capture
    ari = await parts.enter_async_context(
        Ari(asterisk.url, own.user, own.password.get_secret_value())
    )
    understanding = await _understanding(settings, parts)
    means = await _means(settings, parts, ari)
    segments = Segments(**means, serve_app=asterisk.app)

    def aside(channel_id: str) -> Whisper:
        return Whisper(ari, router.stream, channel_id)

    talks = Talks(**means, bridge=partial(TalkBridge, ari), aside=aside)
    agents = Agents(settings.agents.context, settings.agents.extension, settings.agents.queue)
    async with asyncio.TaskGroup() as tasks:
        router = Router(
            ari,
            own.app,
            {COLLECT: segments.take, ASSIST: talks.take},
            tasks,
            agents=agents,
            on_orphan=_returner(ari, asterisk.app),
            on_message=lambda event: talks.command(event.name, event.variables),
        )
        if understanding is not None:
            segments.ears = _ears(understanding, ari, router.stream, segments.eyes)
        await _sweep(ari, own.app)
        listening = tasks.create_task(router.run(), name="events")
        hardening.settle_memory()
        log.info("capture_ready", app=own.app, by_voice=understanding is not None)
        await stopping.wait()
        log.info("capture_stopping", segments=router.calls)
        await router.drain(settings.calls.drain_seconds)
        listening.cancel()


async def _understanding(settings: Settings, parts: AsyncExitStack) -> Ears | None:
    """Speech models of this process alone; None where cards are taken by keys only."""
    if not settings.capture.voice:
        return None
    understanding = await asyncio.to_thread(hearing.ears, settings)
    if understanding is not None:
        parts.callback(understanding.close)
    return understanding


def _ears(
    understanding: Ears, ari: Ari, stream: EventStream, eyes: Eyes
) -> Callable[[str], CardEars]:
    """The ears of each segment, by its channel."""

    def of(channel_id: str) -> CardEars:
        async def open_voice(rate: int) -> CallersVoice:
            voice = CallersVoice(ari, stream, channel_id, rate)
            await voice.open()
            return voice

        return GuardedEars(understanding, open_voice, eyes, channel_id, today)

    return of


async def _sweep(ari: Ari, app: str) -> None:
    """Take down what a secure process that died has left on its callers' channels."""
    try:
        await sweep(ari, app)
        await bridges.sweep(ari)
    except TelephonyError as error:  # it is not up yet, and so has nothing of ours
        log.warning("voices_not_swept", why=str(error))


class Means(TypedDict):
    """What it takes to take a card, with an agent or without."""

    captures: Captures
    eyes: Eyes
    prompts: Prompts
    connector: Connector
    tell: Tell
    limit_seconds: float


async def _means(settings: Settings, parts: AsyncExitStack, ari: Ari) -> Means:
    asterisk, own = settings.asterisk, settings.capture
    url = settings.database.capture_url or settings.database.url
    database = await Database.open(url, size=POOL, application="saldo-capture")
    parts.push_async_callback(database.close)
    gateway = parts_of.gateway(settings)
    parts.push_async_callback(gateway.aclose)
    password = own.password.get_secret_value()
    eyes = await parts.enter_async_context(FactReader(asterisk.url, own.user, password, own.app))

    async def tell(name: str, variables: Mapping[str, str]) -> None:
        await ari.user_event(name, asterisk.app, variables)

    tts = Tts(workers=1)  # a worker starts when first needed, which is never
    parts.push_async_callback(tts.aclose)
    return Means(
        captures=PostgresCaptures(database),
        eyes=eyes,
        prompts=FixedVoice(parts_of.voice(settings, tts)),
        connector=Tokenising(
            gateway,
            only_test_numbers if gateway.test_mode else anything,
            _hash_key(settings),
        ),
        tell=tell,
        limit_seconds=own.limit_seconds,
    )


def _hash_key(settings: Settings) -> bytes:
    key = settings.capture.hash_key.get_secret_value()
    if not key:
        log.warning("no_hash_key", todo="set [capture] hash_key: a restart forgets refused cards")
    return key.encode()


def _returner(ari: Ari, serve_app: str) -> Callable[[str], Coroutine[Any, Any, None]]:
    """Gives back a caller whom nobody here talks with: left over from before, or too late."""

    async def give_back(channel_id: str) -> None:
        try:
            if await bridges.give_back(ari, channel_id):
                log.warning("talk_given_back", channel=channel_id)
                return
            back = (RETURNED, "", str(CaptureResult.INTERNAL_ERROR))
            await ari.move(channel_id, serve_app, back)
            log.warning("caller_given_back", channel=channel_id, why="nobody here talks with them")
        except ChannelGone:
            return
        except TelephonyError as error:
            log.error(  # noqa: TRY400 - its trace says nothing more
                "caller_lost", channel=channel_id, why=str(error)
            )

    return give_back
