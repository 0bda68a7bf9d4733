"""A caller and an agent in the secure part together: met, bridged, served, and given back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Protocol
from uuid import UUID

import structlog

from ivr.billing.captures import CaptureField, CaptureOutcome, CaptureRequest
from ivr.billing.ports import Captures
from ivr.capture import hardening, keeping
from ivr.capture.assisting import QUIET_SECONDS, Action, Agent, Assisting, Command
from ivr.capture.entering import Entering
from ivr.capture.fields import Prompts
from ivr.capture.hearing import Eyes, Overheard
from ivr.capture.keeping import CALLER_HUNG_UP, CANCELED, INTERNAL_ERROR, jitter
from ivr.capture.looking import look
from ivr.capture.segments import SecureLine, today
from ivr.capture.telling import Tell, Telling
from ivr.capture.tokenising import Connector
from ivr.dialogue.endings import HungUp, LineError
from ivr.dialogue.line import Playback
from ivr.log import about_call
from ivr.telephony.bridges import AGENT, CALLER, CONTEXT, TALK, WAIT
from ivr.telephony.lending import CAPTURE_COMMAND
from ivr.telephony.router import places_of

log = structlog.get_logger(__name__)

MEET_SECONDS = 10.0
"""both are sent here at once; who is alone for so long stays alone"""
GIVE_BACK_SECONDS = 20.0
"""the outcome is kept first, and keys must have come to an end"""
MOST_QUIET_SECONDS = 5.0
"""so long is waited for the last key at most: outside, keys reach the agent"""
RETURN_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 0.0)
MOST_COMMANDS = 20
"""that wait for a capture; an agent gives one at a time"""


class Leg(SecureLine, Protocol):
    """One end of the talk (`telephony.line.AsteriskLine`)."""

    async def continue_at(self, context: str, extension: str) -> None:
        """Give it back to the dial plan. Raises LineError, HungUp."""
        ...

    async def hang_up(self) -> None:
        """End it; harmless when it is over. Raises LineError."""
        ...


class Bridge(Agent, Protocol):
    """Where both hear each other (`telephony.bridges.TalkBridge`). Raises LineError."""

    id: str

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Aside(Protocol):
    """Sounds for the caller alone (`telephony.whisper.Whisper`)."""

    id: str

    async def play(self, sounds: Sequence[str]) -> Playback: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class InCompany:
    """The caller's handset in a talk: what is played there, the caller alone hears."""

    caller: Leg
    aside: Aside

    async def play(self, sounds: Sequence[str]) -> Playback:
        return await self.aside.play(sounds)

    async def next_key(self) -> str:
        return await self.caller.next_key()

    def forget_keys(self) -> None:
        self.caller.forget_keys()


@dataclass(slots=True)
class Meeting:
    """Both ends of one talk, and what the agent wants."""

    legs: dict[str, Leg] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """both are here"""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """both are given back"""
    commands: asyncio.Queue[Command] = field(default_factory=lambda: asyncio.Queue(MOST_COMMANDS))
    aside: Aside | None = None
    bridge: Bridge | None = None


@dataclass(slots=True)
class Talks:
    """Every talk in the secure part."""

    captures: Captures
    eyes: Eyes
    prompts: Prompts
    connector: Connector
    tell: Tell
    limit_seconds: float
    bridge: Callable[[UUID, str, str], Bridge]
    """of a capture, for the channels of caller and agent"""
    aside: Callable[[str], Aside]
    """for a caller's channel"""
    clock: Callable[[], date] = today
    _meetings: dict[UUID, Meeting] = field(default_factory=dict, init=False)

    async def take(self, leg: Leg) -> None:
        """Hold one end of a talk until both are given back; the caller's end does the work.

        Raises nothing but CancelledError, after that.
        """
        capture_id, role = keeping.capture_id_of(leg.args), leg.args[-1]
        if capture_id is None or role not in (CALLER, AGENT):
            log.error("talk_refused", why="its arguments are not those of the dial plan")
            await _repeatedly(partial(leg.continue_at, CONTEXT, WAIT if role == AGENT else TALK))
            return
        meeting = self._meetings.setdefault(capture_id, Meeting())
        meeting.legs[role] = leg
        if len(meeting.legs) == len((CALLER, AGENT)):
            meeting.arrived.set()
        if role == AGENT:
            await self._stay(meeting)
        else:
            await self._hold(meeting, capture_id)

    def command(self, name: str, variables: Mapping[str, str]) -> None:
        """Take a message of `saldo serve`; never waits. What is no command of ours is ignored."""
        if name != CAPTURE_COMMAND:
            return
        try:
            meeting = self._meetings[UUID(variables["capture"])]
            asked = variables.get("field")
            command = Command(Action(variables["action"]), CaptureField(asked) if asked else None)
            meeting.commands.put_nowait(command)
        except (KeyError, ValueError, asyncio.QueueFull) as error:
            log.warning("command_not_taken", why=type(error).__name__)

    # --- both ends

    async def _stay(self, meeting: Meeting) -> None:
        """The agent's end: the caller's looks after it."""
        limit = MEET_SECONDS if not meeting.arrived.is_set() else None
        try:
            async with asyncio.timeout(limit):
                await meeting.arrived.wait()
        except TimeoutError:
            await _hang_up(meeting.legs[AGENT])
            return
        try:
            await meeting.over.wait()
        except asyncio.CancelledError:  # so is the caller's end, which gives both back
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(meeting.over.wait(), GIVE_BACK_SECONDS)
            raise

    async def _hold(self, meeting: Meeting, capture_id: UUID) -> None:
        """The caller's end."""
        outcome = INTERNAL_ERROR
        try:
            outcome = await self._outcome(meeting, capture_id)
        except asyncio.CancelledError:  # we are stopping, and the limit for that is over
            outcome = CANCELED
            raise
        finally:
            hardening.forget()
            result = await keeping.close(self.captures, capture_id, outcome)
            await Telling(self.tell, capture_id).ended(result)
            await _give_back(meeting)
            self._meetings.pop(capture_id, None)
            meeting.over.set()

    async def _outcome(self, meeting: Meeting, capture_id: UUID) -> CaptureOutcome:
        try:
            async with asyncio.timeout(MEET_SECONDS):
                await meeting.arrived.wait()
        except TimeoutError:
            log.warning("talk_refused", why="the agent's end did not come")
            return CANCELED
        request = await keeping.read(self.captures, capture_id)
        if request is None:
            log.error("talk_refused", why="no open capture has this id")
            return INTERNAL_ERROR
        with about_call(request.call_id):
            try:
                outcome = await self._assist(meeting, request)
            except Exception as error:  # noqa: BLE001 - the capture's outer edge: both must be given back
                outcome = _outcome_of(error, meeting)
            log.info("talk_over", result=str(outcome.result), error_type=outcome.error_type)
            return outcome

    async def _assist(self, meeting: Meeting, request: CaptureRequest) -> CaptureOutcome:
        caller, agent = meeting.legs[CALLER], meeting.legs[AGENT]
        meeting.aside = self.aside(caller.channel_id)
        meeting.bridge = self.bridge(request.id, caller.channel_id, agent.channel_id)
        await meeting.bridge.open()
        assisting = self._assisting(meeting, request, meeting.bridge, meeting.aside)
        alive = Telling(self.tell, request.id).alive()
        async with asyncio.timeout(self.limit_seconds), alive:
            return await _while_both_stay(agent, assisting.collect())

    def _assisting(
        self, meeting: Meeting, request: CaptureRequest, bridge: Bridge, aside: Aside
    ) -> Assisting:
        caller, agent = meeting.legs[CALLER], meeting.legs[AGENT]

        async def guarded() -> None:
            company = (bridge.id, agent.channel_id)
            await look(self.eyes, caller.channel_id, (aside.id,), company)

        entering = Entering(
            InCompany(caller, aside),
            self.prompts,
            request,
            self.clock(),
            self.connector.takes,
            guarded,
        )
        report = Telling(self.tell, request.id).progress
        return Assisting(entering, self.connector, report, bridge, meeting.commands)


async def _while_both_stay(
    agent: Leg, work: Coroutine[object, object, CaptureOutcome]
) -> CaptureOutcome:
    """The work's outcome; canceled when the agent leaves first."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_until_left(agent))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else CANCELED
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _until_left(leg: Leg) -> None:
    with contextlib.suppress(HungUp):
        while True:
            await leg.next_key()


def _outcome_of(error: Exception, meeting: Meeting) -> CaptureOutcome:
    """How a capture ended that broke off."""
    if isinstance(error, HungUp) or meeting.legs[CALLER].has_left:
        return CALLER_HUNG_UP
    if isinstance(error, TimeoutError):
        return CANCELED
    if isinstance(error, Overheard):
        log.error("talk_refused", why=error.reasons)
    elif isinstance(error, LineError):
        log.error("talk_broke_off", why=str(error))
    else:  # its text may be made of what was keyed, and the log's guard knows card numbers only
        log.error("talk_broke_off", why=type(error).__name__, where=places_of(error))
    return INTERNAL_ERROR


# --- the talk goes on


async def _give_back(meeting: Meeting) -> None:
    """Both into the dial plan, where their talk goes on without us; who is alone, to a person."""
    caller, agent = meeting.legs[CALLER], meeting.legs.get(AGENT)
    await _until_quiet(caller)
    if meeting.aside is not None:
        await _quietly(meeting.aside.close())
    if meeting.bridge is not None:
        await _quietly(meeting.bridge.unhush())
    if agent is not None and caller.has_left:
        await _hang_up(agent)
    elif agent is not None:  # first who is to be fetched
        await _repeatedly(partial(agent.continue_at, CONTEXT, WAIT))
    # A caller who finds no agent there is sent to the queue by the dial plan.
    await _repeatedly(partial(caller.continue_at, CONTEXT, TALK))
    if meeting.bridge is not None:
        await _quietly(meeting.bridge.close())


async def _until_quiet(caller: Leg) -> None:
    """Return when no key comes any more: whoever was interrupted keys on for a moment."""
    with contextlib.suppress(TimeoutError, HungUp):
        caller.forget_keys()
        async with asyncio.timeout(MOST_QUIET_SECONDS):
            while True:
                async with asyncio.timeout(QUIET_SECONDS):
                    await caller.next_key()


async def _repeatedly(order: Callable[[], Awaitable[None]]) -> None:
    """Carry out an order that takes an end from us; whoever has left needs none."""
    for pause in RETURN_PAUSES_SECONDS:
        try:
            await order()
        except HungUp:
            return
        except LineError as error:
            log.warning("talk_not_given_back", why=str(error))
            await asyncio.sleep(pause * jitter())
        else:
            return
    log.error("talk_lost")


async def _hang_up(leg: Leg) -> None:
    await _repeatedly(leg.hang_up)


async def _quietly(removal: Awaitable[None]) -> None:
    """Take something down; what fails is no reason to keep anybody here."""
    try:
        await removal
    except (HungUp, LineError) as error:
        log.warning("not_taken_down", why=str(error))
