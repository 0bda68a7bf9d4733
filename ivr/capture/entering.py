"""One try at a field: asked, keyed or said, and judged; the same however it came to be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Protocol

from ivr.billing.captures import CaptureRequest, ErrorType
from ivr.capture import fields
from ivr.capture.fields import Asking, Card, Prompts, Spoken
from ivr.capture.hearing import CardEars
from ivr.capture.secret import SecretDigits
from ivr.capture.spoken_digits import SpokenField, spoken_field
from ivr.dialogue.answering import answer
from ivr.dialogue.hearing import COMMAND, Heard, Listening, Unheard
from ivr.dialogue.keypad import KeyEntry, Step
from ivr.dialogue.line import Handset
from ivr.dialogue.turn import enter_keys

MISHEARD_LIMIT = 2
"""spoken tries that failed, one after the other, until only keys are asked for"""
AGAINS = 2
"""how often a caller may have a question repeated at one try"""

COMMANDS: dict[str, Step] = {"agent": Step.AGENT, "goodbye": Step.LEFT}
ASK_AGAIN = frozenset({"repeat", "back", "help"})
"""commands, by their meanings; the language is not changed in the middle of a card"""


class SecureHandset(Handset, Protocol):
    """The caller while in the secure part."""

    def forget_keys(self) -> None:
        """Drop what was typed ahead: nothing crosses the border of the secure part."""
        ...


Look = Callable[[], Awaitable[None]]
"""The guard looks whether anybody else can see or hear the caller now. Raises Overheard."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one try."""

    error: ErrorType | None = None
    """None when the field is good"""
    left: Step | None = None
    """LEFT or AGENT when the caller did not answer but wanted something else"""
    was_misheard: bool = False


GOOD = Tried()


@dataclass(slots=True)
class Entering:
    """The fields of one caller's card, one try after the other."""

    line: SecureHandset
    prompts: Prompts
    request: CaptureRequest
    today: date
    takes: Callable[[SecretDigits], bool]
    """whether the gateway takes this card number"""
    look: Look
    ears: CardEars | None = None
    """None: by keys only"""
    misheard: int = 0
    """spoken tries that failed since one succeeded"""

    async def ready(self, *, is_last: bool = False) -> bool:
        """Have the guard look, before every try; whether this one may be said. Raises Overheard.

        After a mishearing, the last try belongs to the keys.
        """
        is_wanted = self.misheard < (1 if is_last else MISHEARD_LIMIT)
        ears = self.ears if is_wanted else None
        if ears is not None and await ears.may_speak(self.request.language):
            return True  # they have looked, at themselves too
        await self.rest()
        await self.look()
        return False

    async def once(self, phrases: Sequence[Spoken], asking: Asking, card: Card) -> Tried:
        """Play `phrases`, if any, and take one try; what the caller leaves is forgotten.

        A field without a check digit is keyed twice in a try, and forgotten unless both are the
        same. Raises HungUp, Overheard.
        """
        entered = await self._enter(phrases, asking, card, card.digits[asking.field])
        tried = self._judge(entered, asking, card)
        is_keyed_twice = asking.field in fields.ONCE_MORE
        if is_keyed_twice and tried == GOOD:
            tried = await self._once_more(asking, card)
        if tried.left is not None or (is_keyed_twice and tried != GOOD):
            card.forget(asking.field)
        if tried.left is None:
            self._count(
                said=tried.was_misheard or asking.field in card.said, good=tried.error is None
            )
        return tried

    async def sounds(self, *spoken: Spoken) -> list[str]:
        """Media URIs of phrases, in the caller's language."""
        sounds: list[str] = []
        for each in spoken:
            language = self.request.language
            sounds += await self.prompts.sounds(each.phrase, language, **each.values)
        return sounds

    async def rest(self) -> None:
        """Stop hearing the caller; harmless twice."""
        if self.ears is not None:
            await self.ears.rest()

    # --- keys and voice

    async def _once_more(self, asking: Asking, card: Card) -> Tried:
        """Take the same digits again, and compare."""
        await self.look()
        with SecretDigits() as again:
            phrases = [Spoken(fields.ONCE_MORE[asking.field])]
            over = _over(await self._enter(phrases, asking, card, again))
            if over is not None:
                return over
            if again == card.digits[asking.field]:
                return GOOD
        self.line.forget_keys()  # what follows was typed for another question
        return Tried(ErrorType.INPUT_MATCHING_FAILED)

    async def _enter(
        self, phrases: Sequence[Spoken], asking: Asking, card: Card, into: SecretDigits
    ) -> Step | Unheard:
        """What is keyed is in `into`, what is said in the card, when this is SUBMITTED."""
        rule = fields.rule(asking, card.brand, slow=self.request.slow)
        entry: KeyEntry[SecretDigits] = KeyEntry(rule, into, asking.begun)
        entered = await self._take(phrases, entry, asking, card)
        while entered is Step.CLEARED:
            entered = await self._take([Spoken("field_cleared")], entry, asking, card)
        if entered is Unheard.DEAF:  # no try of the caller's
            await self.rest()
            asking = replace(asking, by_voice=False, was_misheard=True)
            return await self._enter(fields.prompt(self.prompts, asking, card), asking, card, into)
        return entered

    async def _take(
        self,
        phrases: Sequence[Spoken],
        entry: KeyEntry[SecretDigits],
        asking: Asking,
        card: Card,
    ) -> Step | Unheard:
        sounds = await self.sounds(*phrases)
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

    def _judge(self, entered: Step | Unheard, asking: Asking, card: Card) -> Tried:
        over = _over(entered)
        if over is not None:
            return over
        error = fields.problem(asking.field, card, self.request, self.today, self.takes)
        return Tried(error, was_misheard=isinstance(entered, Unheard))

    def _count(self, *, said: bool, good: bool) -> None:
        if said:
            self.misheard = 0 if good else self.misheard + 1


def _over(entered: Step | Unheard) -> Tried | None:
    """The try, when the caller gave no answer; None when there is one to judge."""
    match entered:
        case Step.LEFT | Step.AGENT:
            return Tried(left=entered)
        case Step.TIMED_OUT:
            return Tried(ErrorType.INPUT_TIMEOUT)
        case _:
            return None
