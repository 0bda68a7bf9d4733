"""Collecting a card or a bank account from the caller, from the first prompt to the token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ivr.billing.assisted_captures import FieldState
from ivr.billing.bank_accounts import BankAccountKeyed
from ivr.billing.captures import CaptureField, CaptureOutcome, CaptureResult, ErrorType
from ivr.billing.payments import CardOnHand
from ivr.capture import fields
from ivr.capture.entering import Entering
from ivr.capture.fields import Asking, Card, Spoken
from ivr.capture.telling import Progress
from ivr.capture.tokenising import Connector
from ivr.capture.tokens import CardRefused, GatewayAway
from ivr.dialogue.keypad import Step

FILLER_SECONDS = 8.0
"""how long a caller waits for the gateway before something is said again"""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The segment is over without a token."""

    result: CaptureResult
    error_type: ErrorType | None = None


ENDED: dict[Step, GivenUp] = {
    Step.LEFT: GivenUp(CaptureResult.CALLER_INTERRUPTED),
    Step.AGENT: GivenUp(CaptureResult.TRANSFERRED_TO_AGENT),
}


@dataclass(slots=True)
class Collecting:
    """One secure segment with one caller."""

    entering: Entering
    connector: Connector
    report: Callable[[Progress], Awaitable[None]]

    async def collect(self) -> CaptureOutcome:
        """Ask for the fields, have them made into a token, and say how it ended.

        Whatever the end, no digit is left in memory we can wipe. What the gateway does not accept
        is asked for again from the first field. Raises HungUp, Overheard.
        """
        self.entering.line.forget_keys()
        try:
            return await self._collect()
        finally:
            await self.entering.rest()

    async def _collect(self) -> CaptureOutcome:
        wanted = self.entering.request.fields
        attempts = dict.fromkeys(wanted, 0)
        error: ErrorType | None = None
        by_voice = await self.entering.ready()
        opening = [self._opening(by_voice=by_voice)]
        while True:
            card = fields.blank(wanted)
            try:
                ended = await self._ask_all(card, attempts, opening, error)
                await self.entering.rest()
                if ended is not None:
                    return CaptureOutcome(ended.result, error_type=ended.error_type)
                await self.entering.look()  # whoever came during the last field
                answer = await self._make_token(card)
            finally:
                card.wipe()
            match answer:
                case CardOnHand():
                    return CaptureOutcome(CaptureResult.SUCCESS, answer)
                case BankAccountKeyed():
                    return CaptureOutcome(CaptureResult.SUCCESS, account=answer)
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
        for asked in self.entering.request.fields:
            ended = await self._ask(asked, card, attempts, opening, error)
            if ended is not None:
                await self._say_why(ended)
                return ended
            back = fields.read_back(asked, card, self.entering.today)
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
            by_voice = await self.entering.ready(is_last=attempts[asked] == fields.ATTEMPTS)
            asking = Asking(asked, attempts[asked], error, by_voice, was_misheard)
            phrases = [*opening, *fields.prompt(self.entering.prompts, asking, card)]
            tried = await self.entering.once(phrases, asking, card)
            if tried.left is not None:
                return ENDED[tried.left]
            error, opening, was_misheard = tried.error, [], tried.was_misheard
            await self.report(_progress(asking, card, error))
            if error is None:
                return None
            card.forget(asked)
        return GivenUp(CaptureResult.TOO_MANY_FAILED_ATTEMPTS, error)

    async def _say_why(self, ended: GivenUp) -> None:
        """The last words here; what follows is said by `saldo serve`."""
        if ended.result is CaptureResult.CALLER_INTERRUPTED:
            await self._say("account_left" if self.entering.request.holder else "card_left")

    def _opening(self, *, by_voice: bool) -> Spoken:
        if self.entering.request.holder:
            return Spoken("secure_start_account")
        return Spoken("secure_start_voice" if by_voice else "secure_start")

    async def _make_token(
        self, card: Card
    ) -> CardOnHand | BankAccountKeyed | CardRefused | GatewayAway:
        """Ask the gateway for a token while the caller is told to wait."""
        asking = asyncio.create_task(self._token(card))
        filler = "hold_on"
        try:
            while not asking.done():
                sounds = await self.entering.sounds(Spoken(filler))
                playback = await self.entering.line.play(sounds)
                await asyncio.wait({asking}, timeout=FILLER_SECONDS)
                await playback.finished()
                filler = "still_working"
            return asking.result()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _token(self, card: Card) -> CardOnHand | BankAccountKeyed | CardRefused | GatewayAway:
        holder = self.entering.request.holder
        if holder is None:
            return await self.connector.tokenise(card)
        return await self.connector.tokenise_account(card, holder)

    async def _say(self, phrase: str) -> None:
        playback = await self.entering.line.play(await self.entering.sounds(Spoken(phrase)))
        await playback.finished()


def _progress(asking: Asking, card: Card, error: ErrorType | None) -> Progress:
    seen = fields.masked(asking.field, card)
    state = FieldState.GOOD if error is None else FieldState.WRONG
    return Progress(asking.field, seen, asking.attempt, error, state)
