"""Collecting a card from the caller's keys, from the first prompt to the token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
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
from ivr.capture.fields import Card, Prompts, Spoken
from ivr.capture.secret import SecretDigits
from ivr.capture.tokenising import CardRefused, Connector, GatewayAway
from ivr.dialogue.keypad import KeyEntry, Step
from ivr.dialogue.line import Handset
from ivr.dialogue.turn import enter_keys

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


@dataclass(slots=True)
class Collecting:
    """One secure segment with one caller."""

    line: SecureHandset
    prompts: Prompts
    connector: Connector
    request: CaptureRequest
    today: date
    report: Callable[[Progress], Awaitable[None]]

    async def collect(self) -> CaptureOutcome:
        """Ask for the fields, have them made into a token, and say how it ended.

        Whatever the end, no digit is left in memory we can wipe. A card that the gateway does not
        accept is asked for again from the first field. Raises HungUp.
        """
        self.line.forget_keys()
        attempts = dict.fromkeys(self.request.fields, 0)
        error: ErrorType | None = None
        opening = [Spoken("secure_start")]
        while True:
            card = fields.blank(self.request.fields)
            try:
                ended = await self._ask_all(card, attempts, opening, error)
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
        while attempts[asked] < fields.ATTEMPTS:
            attempts[asked] += 1
            phrases = fields.prompt(self.prompts, asked, attempts[asked], card, error)
            step = await self._enter([*opening, *phrases], asked, card)
            if step in ENDED:
                return ENDED[step]
            error, opening = self._judge(step, asked, card), []
            seen = fields.masked(asked, card)
            await self.report(Progress(asked, seen, attempts[asked], error))
            if error is None:
                return None
            card.digits[asked].clear()
        return GivenUp(CaptureResult.TOO_MANY_FAILED_ATTEMPTS, error)

    def _judge(self, step: Step, asked: CaptureField, card: Card) -> ErrorType | None:
        if step is Step.TIMED_OUT:
            return ErrorType.INPUT_TIMEOUT
        return fields.problem(asked, card, self.request, self.today, self.connector.takes)

    async def _enter(self, phrases: list[Spoken], asked: CaptureField, card: Card) -> Step:
        rule = fields.rule(asked, card.brand, slow=self.request.slow)
        entry: KeyEntry[SecretDigits] = KeyEntry(rule, card.digits[asked])
        step = await enter_keys(self.line, await self._sounds(*phrases), entry)
        while step is Step.CLEARED:
            step = await enter_keys(self.line, await self._sounds(Spoken("field_cleared")), entry)
        return step

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
