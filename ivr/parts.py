"""What more than one program builds from the settings."""

from __future__ import annotations

import math

from ivr.billing.messages import ToCustomer
from ivr.gateways.braintree import Braintree
from ivr.settings import Settings
from ivr.speech.catalogue import Catalogue
from ivr.speech.prompts import Built, build
from ivr.speech.prompts import Progress as BuildProgress
from ivr.speech.tts import Tts
from ivr.speech.voice import Voice

__all__ = ["BuildProgress", "build_prompts", "gateway", "voice", "ways"]


def ways(settings: Settings) -> frozenset[ToCustomer]:
    """By what customers are told anything."""
    set_up: dict[ToCustomer, str] = {
        "text": settings.texts.url.get_secret_value(),
        "mail": settings.mail.host,
    }
    return frozenset(way for way, where in set_up.items() if where)


def gateway(settings: Settings, answers_within: float = math.inf) -> Braintree:
    """The payment gateway. Raises GatewayRefused when a setting is missing; close it.

    `answers_within` is for who asks only what may be asked again: seconds to wait, if less than the
    company waits for a charge.
    """
    braintree = settings.braintree
    return Braintree(
        environment=braintree.environment,
        merchant_id=braintree.merchant_id,
        public_key=braintree.public_key,
        private_key=braintree.private_key.get_secret_value(),
        merchant_accounts=braintree.merchant_accounts,
        url=braintree.url,
        timeout_seconds=min(braintree.timeout_seconds, answers_within),
        threads=braintree.threads,
    )


def voice(settings: Settings, tts: Tts) -> Voice:
    """The company's voice. Raises CatalogueError."""
    catalogue = Catalogue.load(settings.speech.prompts, settings.company.name)
    return Voice(catalogue, settings.speech.sounds, tts)


async def build_prompts(settings: Settings, progress: BuildProgress | None = None) -> Built:
    """Every prompt in the formats of the PBX. Raises SpeechError, OSError."""
    speech = settings.speech
    catalogue = Catalogue.load(speech.prompts, settings.company.name)
    tts = Tts(speech.workers)
    try:
        return await build(catalogue, speech.prompts, speech.sounds.absolute(), tts, progress)
    finally:
        await tts.aclose()
