"""Taking a card while the caller talks with an agent: each field when the agent asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import structlog

from ivr.billing.assisted_captures import FieldState
from ivr.billing.captures import CaptureField, CaptureOutcome, CaptureResult, ErrorType
from ivr.billing.payments import CardOnHand
from ivr.capture import fields
from ivr.capture.entering import Entering
from ivr.capture.fields import Asking, Card, Spoken
from ivr.capture.keeping import CANCELED
from ivr.capture.telling import Progress
from ivr.capture.tokenising import Connector
from ivr.capture.tokens import CardRefused, GatewayAway
from ivr.dialogue.keypad import EntryRule, KeyEntry, PlainKeys, Step
from ivr.dialogue.turn import enter_keys

log = structlog.get_logger(__name__)

FIRST_KEY_SECONDS = 60.0
"""longer than without an agent, who sees that nothing comes and can ask for something else"""
QUIET_SECONDS = 1.0
"""without a key, until the agent may hear the caller again: what is typed ahead is a digit too"""
CONFIRM_SECONDS = 10.0
CONFIRM_TIMES = 3
CONFIRMED, AGAIN = "1", "2"

FIELD_OF: Mapping[ErrorType, CaptureField] = {
    ErrorType.INVALID_CARD_NUMBER: CaptureField.CARD_NUMBER,
    ErrorType.INVALID_DATE: CaptureField.EXPIRATION_DATE,
    ErrorType.INVALID_SECURITY_CODE: CaptureField.SECURITY_CODE,
    ErrorType.INVALID_POSTAL_CODE: CaptureField.POSTAL_CODE,
}
"""what the gateway found wrong"""


class Action(StrEnum):
    """What the agent can have done."""

    ASK = "ask"
    COMPLETE = "complete"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Command:
    """What the agent wants now; `field` only with ASK."""

    action: Action
    field: CaptureField | None = None


class Agent(Protocol):
    """What the agent hears of the caller (`telephony.bridges.TalkBridge`). Raises LineError."""

    @property
    def keys_are_heard(self) -> bool:
        """Whether keys are tones in the caller's voice, as far as anybody can say."""
        ...

    async def hush(self) -> None:
        """From now on silence."""
        ...

    async def unhush(self) -> None:
        """Everything again; harmless when that is so."""
        ...


@dataclass(slots=True)
class Assisting:
    """One card, taken on an agent's commands.

    A field is asked for only on command, once each time; the agent asks again. Keys that come while
    none is asked for are thrown away.
    """

    entering: Entering
    connector: Connector
    report: Callable[[Progress], Awaitable[None]]
    agent: Agent
    commands: asyncio.Queue[Command]
    _card: Card = field(init=False, repr=False)
    _good: set[CaptureField] = field(default_factory=set, init=False)
    _attempts: dict[CaptureField, int] = field(default_factory=dict, init=False)
    _asked: CaptureField | None = field(default=None, init=False)
    _is_confirmed: bool = field(default=False, init=False)
    _is_completing: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._card = fields.blank(self.entering.request.fields)

    async def collect(self) -> CaptureOutcome:
        """Do as the agent says until the card is a token, or there will be none.

        Whatever the end, no digit is left in memory we can wipe. Raises HungUp, Overheard,
        LineError.
        """
        commanded = asyncio.create_task(self.commands.get())
        doing = asyncio.create_task(self._idle())
        try:
            while True:
                await asyncio.wait({commanded, doing}, return_when=asyncio.FIRST_COMPLETED)
                if doing.done():
                    if (outcome := doing.result()) is not None:
                        return outcome
                    doing = asyncio.create_task(self._idle())
                if commanded.done():
                    command = commanded.result()
                    commanded = asyncio.create_task(self.commands.get())
                    await _stop(doing)
                    doing = asyncio.create_task(self._do(command))
        finally:
            await _stop(commanded)
            await _stop(doing)
            self._card.wipe()

    async def _idle(self) -> CaptureOutcome | None:
        """Throw keys away; the agent hears the caller again once no more come."""
        self.entering.line.forget_keys()
        is_quiet = False
        while not is_quiet:
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await self.entering.line.next_key()
            except TimeoutError:
                is_quiet = True
        await self.agent.unhush()
        while True:
            await self.entering.line.next_key()

    async def _do(self, command: Command) -> CaptureOutcome | None:
        """Carry out a command; an outcome when it ends the capture."""
        if self._asked is not None:  # the agent did not wait for it
            await self._forget(self._asked)
        match command:
            case Command(Action.CANCEL):
                return CANCELED
            case Command(Action.COMPLETE):
                return await self._complete()
            case Command(Action.ASK, CaptureField() as asked) if asked in self._card.digits:
                return await self._ask(asked)
            case _:
                log.warning("command_not_understood", action=str(command.action))
                return None

    # --- one field

    async def _ask(self, asked: CaptureField) -> CaptureOutcome | None:
        self._is_confirmed = self._is_completing = False
        self._good.discard(asked)
        self._card.forget(asked)
        self._attempts[asked] = self._attempts.get(asked, 0) + 1
        await self.entering.ready()
        if self.agent.keys_are_heard:
            await self.agent.hush()
        self._asked = asked
        await self._tell(asked, FieldState.ASKED)
        self.entering.line.forget_keys()
        begun = asyncio.Event()
        telling = asyncio.create_task(self._tell_when_entering(begun, asked))
        try:
            asking = Asking(
                asked,
                self._attempts[asked],
                first_key_seconds=FIRST_KEY_SECONDS,
                begun=begun.set,
            )
            tried = await self.entering.once((), asking, self._card)
        finally:
            await _stop(telling)
        self._asked = None
        if tried.left is Step.LEFT:
            return CaptureOutcome(CaptureResult.CALLER_INTERRUPTED)
        error = self._wrong(asked) if tried.left else tried.error
        await self._judged(asked, error)
        return await self._confirm() if self._is_whole else None

    async def _tell_when_entering(self, begun: asyncio.Event, asked: CaptureField) -> None:
        await begun.wait()
        await self._tell(asked, FieldState.ENTERING)

    async def _judged(self, asked: CaptureField, error: ErrorType | None) -> None:
        """Tell of a field; and of a security code that does not fit the number keyed after it."""
        masked = fields.masked(asked, self._card)
        if error is not None:
            self._card.forget(asked)
            await self._tell(asked, FieldState.WRONG, masked, error)
            return
        self._good.add(asked)
        await self._tell(asked, FieldState.GOOD, masked)
        for other in self._good - {asked}:
            if (wrong := self._wrong(other)) is not None:
                self._good.discard(other)
                await self._judged(other, wrong)

    def _wrong(self, asked: CaptureField) -> ErrorType | None:
        entering = self.entering
        return fields.problem(asked, self._card, entering.request, entering.today, entering.takes)

    # --- the whole card

    @property
    def _is_whole(self) -> bool:
        return self._good == set(self._card.digits)

    async def _confirm(self) -> CaptureOutcome | None:
        """Have the caller, who alone hears it, say that it is this card."""
        last4 = self._card.digits[CaptureField.CARD_NUMBER].last4()
        sounds = await self.entering.sounds(Spoken("confirm_card", {"last4": last4}))
        if self.agent.keys_are_heard:
            await self.agent.hush()
        for _ in range(CONFIRM_TIMES):
            keys = PlainKeys()
            step = await enter_keys(self.entering.line, sounds, KeyEntry(ONE_KEY, keys))
            if step is Step.LEFT:
                return CaptureOutcome(CaptureResult.CALLER_INTERRUPTED)
            if keys.text == CONFIRMED:
                self._is_confirmed = True
                return await self._make_token() if self._is_completing else None
            if keys.text == AGAIN:
                await self._forget_all()
                return None
        return None  # the agent sees that it goes no further, and completes again

    async def _complete(self) -> CaptureOutcome | None:
        if not self._is_whole:
            log.warning("not_to_be_completed", why="a field is missing")
            return None
        self._is_completing = True
        return await (self._make_token() if self._is_confirmed else self._confirm())

    async def _make_token(self) -> CaptureOutcome | None:
        await self.entering.look()  # whoever came during the last field
        answer = await self.connector.tokenise(self._card)
        match answer:
            case CardOnHand():
                return CaptureOutcome(CaptureResult.SUCCESS, answer)
            case GatewayAway():
                return CaptureOutcome(CaptureResult.PAYMENT_CONNECTOR_ERROR)
            case CardRefused(error_type):
                self._card = fields.blank(self.entering.request.fields)
                await self._forget_all()
                refused = FIELD_OF.get(error_type, CaptureField.CARD_NUMBER)
                await self._tell(refused, FieldState.WRONG, error_type=error_type)
                return None

    # --- what is told

    async def _forget_all(self) -> None:
        self._is_confirmed = self._is_completing = False
        for each in self._card.digits:
            await self._forget(each)

    async def _forget(self, asked: CaptureField) -> None:
        self._asked = None
        self._card.forget(asked)
        self._good.discard(asked)
        await self._tell(asked, FieldState.WAITING)

    async def _tell(
        self,
        asked: CaptureField,
        state: FieldState,
        masked: str = "",
        error_type: ErrorType | None = None,
    ) -> None:
        attempt = self._attempts.get(asked, 0)
        await self.report(Progress(asked, masked, attempt, error_type, state))


ONE_KEY: EntryRule[PlainKeys] = EntryRule(
    is_full=lambda keys: len(keys) == 1,
    is_enough=lambda keys: len(keys) == 1,
    first_key_seconds=CONFIRM_SECONDS,
)


async def _stop(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
