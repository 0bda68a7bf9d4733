"""Callers understood: speech models as the settings name them, and names made findable."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import structlog

from ivr.billing.errors import LedgerUnavailable
from ivr.billing.names import Nicknames
from ivr.billing.sounds import PronunciationUnavailable
from ivr.settings import PROJECT, Settings, SettingsError
from ivr.speech import grammar
from ivr.speech.ears import Ears, Tongue, check
from ivr.speech.listening import CallersEars
from ivr.speech.models import prove
from ivr.speech.name_sounds import NameSounds
from ivr.speech.recogniser import VoskModel
from ivr.storage.errors import StorageError
from ivr.storage.name_index import Indexed, any_names_left, index_names
from ivr.storage.pool import Database
from ivr.telephony.ari import Ari
from ivr.telephony.errors import TelephonyError
from ivr.telephony.media import CallersVoice, sweep
from ivr.telephony.stream import EventStream

log = structlog.get_logger(__name__)

GRAMMARS = PROJECT / "grammars"
SHIPPED = GRAMMARS / "models"
OURS = "shipped"
SYNTHETIC_ONLY = (
    "the shipped model understands synthetic voices only, not people: run `saldo speech install` "
    "and name its folder in [speech] models"
)
LANGUAGES: tuple[Literal["en", "es"], ...] = ("en", "es")
LOOK_SECONDS = 5.0
"""how soon a new customer can be found by name"""
BATCH_SECONDS = 20.0
"""how long espeak-ng may take over a thousand words; no caller waits for it"""


def ears(settings: Settings, shipped: Path = SHIPPED) -> Ears | None:
    """Those of the app; None when no language has a model: then callers are asked for keys.

    "shipped" is our own model, which must know every word of our grammars; others make do with
    what they know, and the rest is logged.

    Raises ModelError, GrammarError, SettingsError: the text names the setting and what to do.
    """
    known = grammar.load(GRAMMARS)
    tongues: dict[str, Tongue] = {}
    for language in LANGUAGES:
        named = settings.speech.models.get(language)
        if not named:
            continue
        if language not in known:
            raise SettingsError(f"There are no grammars in {GRAMMARS}/{language}.")
        folder = model_folder(language, named, shipped)
        setting = f"[speech] models.{language}"
        prove(folder, setting)
        model = VoskModel(folder, setting)
        tongue = Tongue(model, known[language], pauses=settings.speech.pauses)
        check(language, tongue, strictly=named == OURS)
        tongues[language] = tongue
    return Ears(tongues, callers=settings.speech.callers) if tongues else None


def model_folder(language: str, named: str, shipped: Path = SHIPPED) -> Path:
    """Where the model lies that [speech] models names for a language."""
    return shipped / language if named == OURS else Path(named).expanduser()


def is_shipped(named: str) -> bool:
    """Whether a value of [speech] models is our own model, by its word or by its folder."""
    return named == OURS or Path(named).expanduser().resolve().is_relative_to(SHIPPED.resolve())


def warn_of_synthetic_ears(settings: Settings) -> None:
    """Say so in the log where real people may call and only a synthesiser would be understood.

    With the stand-in of the gateway nobody can pay: that is a lab, and its callers are synthetic.
    """
    if settings.braintree.environment == "stand-in":
        return
    for language, named in settings.speech.models.items():
        if named and is_shipped(named):
            log.warning("synthetic_voices_only", language=language, todo=SYNTHETIC_ONLY)


def nicknames() -> Nicknames:
    """Those of the project, of all languages."""
    files = sorted((GRAMMARS / "nicknames").glob("*.txt"))
    return Nicknames.parse(*(file.read_text(encoding="utf-8") for file in files))


class Hearing:
    """Gives every call its ears, once the PBX is known; their voice is opened when needed."""

    def __init__(self, understanding: Ears | None) -> None:
        self._ears = understanding
        self._pbx: tuple[Ari, EventStream] | None = None

    async def connect(self, ari: Ari, stream: EventStream) -> None:
        """From now on voices come from there; what a dead daemon left of others is removed."""
        self._pbx = (ari, stream)
        try:
            left = await sweep(ari, stream.app)
        except TelephonyError as error:  # it is not up yet, and so has nothing of ours
            log.warning("voices_not_swept", why=str(error))
        else:
            if left:
                log.info("voices_swept", removed=left)

    def of(self, channel_id: str) -> CallersEars | None:
        """One caller's ears; None when there is no model at all."""
        if self._ears is None or self._pbx is None:
            return None
        ari, stream = self._pbx

        async def open_voice(rate: int) -> CallersVoice:
            voice = CallersVoice(ari, stream, channel_id, rate)
            await voice.open()
            return voice

        return CallersEars(self._ears, open_voice)


async def keep_names_findable(
    database: Database, known: Nicknames, migrated: asyncio.Event
) -> None:
    """Index the names of new and changed customers, for ever, whoever brought them in.

    While nothing changes a look is one query that reads one row of an index at most.
    """
    await migrated.wait()
    pronouncer = NameSounds(BATCH_SECONDS)  # of its own: a caller's name must not queue behind
    are_nicknames_in = False
    try:
        while True:
            try:
                if not are_nicknames_in or await any_names_left(database):
                    _tell(await index_names(database, pronouncer, known))
                    are_nicknames_in = True
            except (LedgerUnavailable, PronunciationUnavailable) as error:
                log.warning("names_not_indexed", why=str(error))
            except (
                StorageError
            ):  # a mistake of ours: calls go on, and account numbers find everyone
                log.exception("names_not_indexed")
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await pronouncer.aclose()


def _tell(found: Indexed) -> None:
    if found.customers:
        log.info("names_indexed", customers=found.customers, names=found.names)
