"""A caller and an agent in the secure part together, and a `saldo serve` that commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID, uuid4

from ivr.billing.captures import CARD_FIELDS, CaptureField, CaptureOutcome, CaptureRequest
from ivr.capture.talks import Talks
from ivr.capture.tokenising import Tokenising
from ivr.dialogue.endings import LineError
from ivr.telephony.lending import CAPTURE_COMMAND, CAPTURE_ENDED, CAPTURE_PROGRESS
from tests.capture.secure_part import (
    CHANNEL,
    TODAY,
    FakeCaptures,
    FakeEyes,
    FakeGraphQl,
    LentLine,
    Prompts,
    good_facts,
)
from tests.fakes.line import KEY_SECONDS, FakePlayback, Script

AGENTS_CHANNEL = "1795365629.2"


class TalkingLine(LentLine):
    """One end of a talk, who is given back to the dial plan."""

    def __init__(self, role: str, capture_id: UUID, script: Script = ()) -> None:
        super().__init__(script, capture_id=capture_id)
        self.args = ("assist", str(capture_id), role)
        self.channel_id = CHANNEL if role == "caller" else AGENTS_CHANNEL
        self.continued: list[tuple[float, str, str]] = []
        self.failures = 0
        """how many orders the PBX does not carry out"""

    async def continue_at(self, context: str, extension: str) -> None:
        self.check()
        self._fail()
        self.continued.append((self.now(), context, extension))
        self.gone = True
        self._stirred.set()

    async def hang_up(self) -> None:
        self.hung_up_by_us = True
        self.leave()

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise LineError("the PBX does not answer")

    async def keys(self, digits: str) -> None:
        """Pressed one after the other."""
        for digit in digits:
            self.press(digit)
            await asyncio.sleep(KEY_SECONDS)


class FakeBridge:
    """Where both hear each other: notes when the agent does not hear the caller."""

    def __init__(self, line: TalkingLine) -> None:
        self.id = "talk-1"
        self.keys_are_heard = False
        self.hushes: list[tuple[float, bool]] = []
        self.is_open = False
        self.breaks: LineError | None = None
        self._line = line

    async def open(self) -> None:
        if self.breaks:
            raise self.breaks
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def hush(self) -> None:
        if not self.is_hushed:
            self.hushes.append((self._line.now(), True))

    async def unhush(self) -> None:
        if self.is_hushed:
            self.hushes.append((self._line.now(), False))

    @property
    def is_hushed(self) -> bool:
        return bool(self.hushes) and self.hushes[-1][1]


class FakeAside:
    """What is whispered to the caller."""

    def __init__(self, line: TalkingLine) -> None:
        self.id = "ear-w"
        self.is_closed = False
        self._line = line

    async def play(self, sounds: Sequence[str]) -> FakePlayback:
        return await self._line.play(sounds)

    async def close(self) -> None:
        self.is_closed = True


class Company:
    """A talk that has been sent into the secure part."""

    def __init__(
        self,
        script: Script = (),
        fields: tuple[CaptureField, ...] = CARD_FIELDS,
        limit_seconds: float = 600.0,
    ) -> None:
        self.id = uuid4()
        self.caller = TalkingLine("caller", self.id, script)
        self.agent = TalkingLine("agent", self.id)
        self.captures = FakeCaptures(CaptureRequest(self.id, "call-1", "en", fields))
        self.gateway = FakeGraphQl()
        self.eyes = FakeEyes()
        self.eyes.facts = good_facts(bridges={"talk-1": frozenset({CHANNEL, AGENTS_CHANNEL})})
        self.bridge = FakeBridge(self.caller)
        self.aside = FakeAside(self.caller)
        self.told: list[tuple[str, Mapping[str, str]]] = []
        self.talks = Talks(
            self.captures,
            self.eyes,
            Prompts(),
            Tokenising(self.gateway),
            self._tell,
            limit_seconds,
            lambda *_: self.bridge,
            lambda _: self.aside,
            lambda: TODAY,
        )
        self._ends: list[asyncio.Task[None]] = []

    async def _tell(self, name: str, variables: Mapping[str, str]) -> None:
        self.told.append((name, variables))

    # --- what the test does

    async def come(self, *lines: TalkingLine) -> None:
        """These ends enter; both when none is named."""
        for line in lines or (self.caller, self.agent):
            self._ends.append(asyncio.create_task(self.talks.take(line)))
        await asyncio.sleep(0.05)

    async def over(self) -> CaptureOutcome | None:
        """Return when both ends are given back; the outcome."""
        await asyncio.gather(*self._ends)
        for line in (self.caller, self.agent):
            await line.quiet()
        return self.captures.outcomes.get(self.id)

    async def stop(self) -> None:
        """The process stops, and its limit for that is over."""
        for end in self._ends:
            end.cancel()
        await asyncio.gather(*self._ends, return_exceptions=True)
        for line in (self.caller, self.agent):
            await line.quiet()

    def command(self, action: str, field: CaptureField | None = None) -> None:
        """What `saldo serve` sends."""
        about = {"field": field.value} if field else {}
        variables = {"capture": str(self.id), "action": action, **about}
        self.talks.command(CAPTURE_COMMAND, variables)

    async def ask(self, field: CaptureField, digits: str) -> str:
        """Ask, and have it keyed; the state it is in then."""
        self.command("ask", field)
        await self.until(lambda: self.state(field) == "asked")
        await self.caller.keys(digits)
        await self.until(lambda: self.state(field) in ("good", "wrong"))
        return self.state(field)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(120):
            while not is_so():  # noqa: ASYNC110 - virtual time; what is looked at has no event
                await asyncio.sleep(0.01)

    # --- what the test sees

    def progress(self, field: CaptureField) -> list[Mapping[str, str]]:
        """What was told of a field, in order."""
        return [
            variables
            for name, variables in self.told
            if name == CAPTURE_PROGRESS and variables["field"] == field
        ]

    def state(self, field: CaptureField) -> str:
        told = self.progress(field)
        return told[-1]["state"] if told else "waiting"

    @property
    def ended(self) -> list[str]:
        return [variables["result"] for name, variables in self.told if name == CAPTURE_ENDED]

    @property
    def talk_goes_on(self) -> bool:
        """Both were given to the dial plan, first the one who waits to be fetched."""
        if not (self.caller.continued and self.agent.continued):
            return False
        (agents,), (callers,) = self.agent.continued, self.caller.continued
        order = [agents[1:], callers[1:]] == [("saldo-assist", "wait"), ("saldo-assist", "talk")]
        return order and agents[0] <= callers[0]

    @property
    def caller_goes_to_a_person(self) -> bool:
        """The dial plan finds no partner there, and has the queue."""
        alone = not self.agent.continued
        return alone and [one[1:] for one in self.caller.continued] == [("saldo-assist", "talk")]
