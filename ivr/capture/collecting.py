"""Collecting a card from the caller's keys or voice, from the first prompt to the token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Protocol

from ivr.billing.captures import (
    CaptureField,
    CaptureOutcome,
    CaptureRequest,
    CaptureResult,
    ErrorType,
)
from ivr.billing.payments import CardOnHand
from ivr.capture import fields
from ivr.capture.fields import Asking, Card, Prompts, Spoken
from ivr.capture.hearing import CardEars
from ivr.capture.secret import SecretDigits
from ivr.capture.spoken_digits import SpokenField, spoken_field
from ivr.capture.tokenising import CardRefused, Connector, GatewayAway
from ivr.dialogue.answering import answer
from ivr.dialogue.hearing import COMMAND, Heard, Listening, Unheard
from ivr.dialogue.keypad import KeyEntry, Step
from ivr.dialogue.line import Handset
from ivr.dialogue.turn import enter_keys

MISHEARD_LIMIT = 2
"""spoken tries that failed, one after the other, until only keys are asked for"""
AGAINS = 2
"""how often a caller may have a question repeated at one try"""
FILLER_SECONDS = 8.0
"""how long a caller waits for the gateway before something is said again"""


class SecureHandset(Handset, Protocol):
    """The caller while in the secure part."""

    def forget_keys(self) -> None:
        """Drop what was typed ahead: nothing crosses the border of the secure part."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """One try at a field is over; safe to show to anybody."""

    field: CaptureField
    masked: str
    attempt: int
    error_type: ErrorType | None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The segment is over without a card."""

    result: CaptureResult
    error_type: ErrorType | None = None


ENDED: dict[Step, GivenUp] = {
    Step.LEFT: GivenUp(CaptureResult.CALLER_INTERRUPTED),
    Step.AGENT: GivenUp(CaptureResult.TRANSFERRED_TO_AGENT),
}


COMMANDS: dict[str, Step] = {"agent": Step.AGENT, "goodbye": Step.LEFT}
ASK_AGAIN = frozenset({"repeat", "back", "help"})
"""commands, by their meanings; the language is not changed in the middle of a card"""


@dataclass(slots=True)
class Collecting:
    """One secure segment with one caller."""

    line: SecureHandset
    prompts: Prompts
    connector: Connector
    request: CaptureRequest
    today: date
    report: Callable[[Progress], Awaitable[None]]
    ears: CardEars | None = None
    """None: by keys only"""
    misheard: int = 0
    """spoken tries that failed since one succeeded"""

    async def collect(self) -> CaptureOutcome:
        """Ask for the fields, have them made into a token, and say how it ended.

        Whatever the end, no digit is left in memory we can wipe. A card that the gateway does not
        accept is asked for again from the first field. Raises HungUp, Overheard.
        """
        self.line.forget_keys()
        try:
            return await self._collect()
        finally:
            await self._rest()

    async def _collect(self) -> CaptureOutcome:
        attempts = dict.fromkeys(self.request.fields, 0)
        error: ErrorType | None = None
        by_voice = await self._may_speak()
        opening = [Spoken("secure_start_voice" if by_voice else "secure_start")]
        while True:
            card = fields.blank(self.request.fields)
            try:
                ended = await self._ask_all(card, attempts, opening, error)
                await self._rest()
                if ended is not None:
                    return CaptureOutcome(ended.result, error_type=ended.error_type)
                answer = await self._make_token(card)
            finally:
                card.wipe()
            match answer:
                case CardOnHand():
                    return CaptureOutcome(CaptureResult.SUCCESS, answer)
                case GatewayAway():
                    return CaptureOutcome(CaptureResult.PAYMENT_CONNECTOR_ERROR)
                case CardRefused(error_type):
                    error, opening = error_type, []

    async def _ask_all(
        self,
        card: Card,
        attempts: dict[CaptureField, int],
        opening: list[Spoken],
        error: ErrorType | None,
    ) -> GivenUp | None:
        for asked in self.request.fields:
            ended = await self._ask(asked, card, attempts, opening, error)
            if ended is not None:
                await self._say_why(ended)
                return ended
            back = fields.read_back(asked, card, self.today)
            opening, error = [back] if back else [], None
        return None

    async def _ask(
        self,
        asked: CaptureField,
        card: Card,
        attempts: dict[CaptureField, int],
        opening: list[Spoken],
        error: ErrorType | None,
    ) -> GivenUp | None:
        """Ask for one field until it is good, the caller has enough, or the attempts are spent."""
        was_misheard = False
        while attempts[asked] < fields.ATTEMPTS:
            attempts[asked] += 1
            by_voice = await self._may_speak(is_last=attempts[asked] == fields.ATTEMPTS)
            asking = Asking(asked, attempts[asked], error, by_voice, was_misheard)
            phrases = [*opening, *fields.prompt(self.prompts, asking, card)]
            entered = await self._enter(phrases, asking, card)
            if isinstance(entered, Step) and entered in ENDED:
                return ENDED[entered]
            error, opening = self._judge(entered, asked, card), []
            was_misheard = isinstance(entered, Unheard)
            self._count(said=was_misheard or asked in card.said, good=error is None)
            seen = fields.masked(asked, card)
            await self.report(Progress(asked, seen, attempts[asked], error))
            if error is None:
                return None
            card.forget(asked)
        return GivenUp(CaptureResult.TOO_MANY_FAILED_ATTEMPTS, error)

    def _judge(self, entered: Step | Unheard, asked: CaptureField, card: Card) -> ErrorType | None:
        if entered is Step.TIMED_OUT:
            return ErrorType.INPUT_TIMEOUT
        return fields.problem(asked, card, self.request, self.today, self.connector.takes)

    # --- keys and voice

    async def _enter(self, phrases: list[Spoken], asking: Asking, card: Card) -> Step | Unheard:
        """One try at a field: its digits are in the card when this is SUBMITTED."""
        rule = fields.rule(asking.field, card.brand, slow=self.request.slow)
        entry: KeyEntry[SecretDigits] = KeyEntry(rule, card.digits[asking.field])
        entered = await self._take(phrases, entry, asking, card)
        while entered is Step.CLEARED:
            entered = await self._take([Spoken("field_cleared")], entry, asking, card)
        if entered is Unheard.DEAF:  # no try of the caller's
            await self._rest()
            asking = replace(asking, by_voice=False, was_misheard=True)
            return await self._enter(fields.prompt(self.prompts, asking, card), asking, card)
        return entered

    async def _take(
        self, phrases: list[Spoken], entry: KeyEntry[SecretDigits], asking: Asking, card: Card
    ) -> Step | Unheard:
        sounds = await self._sounds(*phrases)
        if not asking.by_voice or self.ears is None:
            return await enter_keys(self.line, sounds, entry)
        first_word_seconds = entry.rule.first_key_seconds
        field = spoken_field(asking.field, card.brand, self.today, first_word_seconds)
        for _ in range(1 + AGAINS):
            with SecretDigits() as said:
                listen = partial(self._listen, self.ears, field, said)
                heard = await answer(self.line, sounds, entry, listen)
                if not isinstance(heard, Heard):
                    return heard
                if heard.grammar != COMMAND:
                    card.say(asking.field, said)
                    return Step.SUBMITTED
            if heard.meaning not in ASK_AGAIN:
                return COMMANDS.get(heard.meaning, Unheard.UNCLEAR)
        return Unheard.UNCLEAR

    async def _listen(self, ears: CardEars, field: SpokenField, into: SecretDigits) -> Listening:
        return await ears.listen(self.request.language, field, into)

    async def _may_speak(self, *, is_last: bool = False) -> bool:
        """Whether a field may be said: after a mishearing, the last try belongs to the keys."""
        is_enough = self.misheard >= (1 if is_last else MISHEARD_LIMIT)
        if self.ears is None or is_enough:
            return False
        return await self.ears.may_speak(self.request.language)

    def _count(self, *, said: bool, good: bool) -> None:
        if said:
            self.misheard = 0 if good else self.misheard + 1

    async def _rest(self) -> None:
        """Stop hearing the caller; harmless twice."""
        if self.ears is not None:
            await self.ears.rest()

    async def _sounds(self, *spoken: Spoken) -> list[str]:
        sounds: list[str] = []
        for each in spoken:
            language = self.request.language
            sounds += await self.prompts.sounds(each.phrase, language, **each.values)
        return sounds

    async def _say_why(self, ended: GivenUp) -> None:
        """The last words here; what follows is said by `saldo serve`."""
        if ended.result is CaptureResult.CALLER_INTERRUPTED:
            playback = await self.line.play(await self._sounds(Spoken("card_left")))
            await playback.finished()

    async def _make_token(self, card: Card) -> CardOnHand | CardRefused | GatewayAway:
        """Ask the gateway for a token while the caller is told to wait."""
        asking = asyncio.create_task(self.connector.tokenise(card))
        filler = "hold_on"
        try:
            while not asking.done():
                playback = await self.line.play(await self._sounds(Spoken(filler)))
                await asyncio.wait({asking}, timeout=FILLER_SECONDS)
                await playback.finished()
                filler = "still_working"
            return asking.result()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
