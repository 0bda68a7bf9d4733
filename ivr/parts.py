"""What more than one program builds from the settings."""

from __future__ import annotations

from ivr.gateways.braintree import Braintree
from ivr.settings import Settings
from ivr.speech.catalogue import Catalogue
from ivr.speech.prompts import Built, build
from ivr.speech.prompts import Progress as BuildProgress
from ivr.speech.tts import Tts
from ivr.speech.voice import Voice

__all__ = ["BuildProgress", "build_prompts", "gateway", "voice"]


def gateway(settings: Settings) -> Braintree:
    """The payment gateway. Raises GatewayRefused when a setting is missing; close it."""
    braintree = settings.braintree
    return Braintree(
        environment=braintree.environment,
        merchant_id=braintree.merchant_id,
        public_key=braintree.public_key,
        private_key=braintree.private_key.get_secret_value(),
        merchant_accounts=braintree.merchant_accounts,
        url=braintree.url,
        timeout_seconds=braintree.timeout_seconds,
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
