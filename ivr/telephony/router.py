"""Every channel that enters our application: a new call, a caller who comes back, or a mistake.

The dial plan's side of the contract (asterisk-config/extensions.conf); values may be empty:
`Stasis(<app>,inbound,<dialled>,account=,invoice=,language=,handoff=,amount=,back=,sip=<Call-ID>)`.
`saldo capture` gives callers back with `returned,<capture id>,<result>`.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog

from ivr.billing.calls import CallArrived
from ivr.telephony.ari import Ari
from ivr.telephony.errors import ChannelGone, Refused, TelephonyError
from ivr.telephony.events import (
    ApplicationMoveFailed,
    Channel,
    ChannelUserevent,
    Event,
    StasisStart,
)
from ivr.telephony.line import AsteriskLine
from ivr.telephony.media import is_ear
from ivr.telephony.places import Agents, Queues, SecurePart
from ivr.telephony.stream import EventStream

log = structlog.get_logger(__name__)

INBOUND = "inbound"
RETURNED = "returned"
RELEASE_PAUSES_SECONDS = (0.5, 2.0, 5.0, 0.0)
"""between tries to give a caller to a person; without that they would hear nothing any more"""
HIDDEN_CALLERS = frozenset({"", "anonymous", "unavailable", "restricted", "private", "unknown"})

OnCall = Callable[[AsteriskLine], Awaitable[None]]


class Router:
    """Turns channels into lines and gives each its own task.

    `entrances` names what is run for a channel by its first argument: `{"inbound": take_call}` in
    `saldo serve`, `{"collect": …}` in `saldo capture`. When it returns and the caller is still
    there, the call is hung up, or goes back to the agent who waits: no channel is left behind.
    `on_orphan` is run for a channel nobody here talks to (left over by a daemon that died, or a new
    call while draining); without it such callers go to the agents. `on_message` hears, beside the
    lines, what other programs tell. Run `run()` in a task group; the calls' tasks live in `tasks`.
    """

    def __init__(
        self,
        ari: Ari,
        app: str,
        entrances: Mapping[str, OnCall],
        tasks: asyncio.TaskGroup,
        *,
        node: str = "",
        agents: Agents | None = None,
        secure: SecurePart | None = None,
        queues: Queues | None = None,
        on_orphan: Callable[[str], Coroutine[Any, Any, None]] | None = None,
        on_message: Callable[[ChannelUserevent], None] = lambda _: None,
    ) -> None:
        self._ari = ari
        self._app = app
        self._entrances = dict(entrances)
        self._tasks = tasks
        self._node = node
        self._agents = agents
        self._secure = secure
        self._queues = queues
        self._on_orphan = on_orphan or self._release
        self._on_message = on_message
        self._lines: dict[str, AsteriskLine] = {}
        self._calls: dict[AsteriskLine, asyncio.Task[None]] = {}
        self._is_draining = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.stream = EventStream(ari, app, strays=self._take_stray, orphans=self._take_orphans)

    @property
    def is_connected(self) -> bool:
        """Whether calls can come in: the health of this part."""
        return self.stream.connected.is_set()

    @property
    def calls(self) -> int:
        """How many conversations are going on."""
        return len(self._calls)

    async def run(self) -> None:
        """Take calls for ever.

        Raises:
            ApplicationTaken: another program took over our name at the PBX.
            BadCredentials: the PBX does not accept us.
        """
        await self.stream.run()

    async def drain(self, limit_seconds: float) -> None:
        """Take no new call; return when the running ones are over.

        Those that are not within the limit go to the agents, and their tasks are cancelled.
        """
        self._is_draining = True
        try:
            async with asyncio.timeout(limit_seconds):
                await self._idle.wait()
        except TimeoutError:
            unfinished = dict(self._calls)
            log.warning("calls_cut_short", calls=len(unfinished))
            for task in unfinished.values():
                task.cancel()
            await asyncio.gather(*unfinished.values(), return_exceptions=True)

    # --- what the stream tells

    def _take_stray(self, event: Event) -> None:
        if isinstance(event, StasisStart):
            self._take_channel(event)
        elif isinstance(event, ApplicationMoveFailed):
            # Given back, and nobody was there to take them: the PBX left them here, in silence.
            log.warning("caller_not_taken_back", channel=event.channel_id, by=event.destination)
            self._tasks.create_task(self._release(event.channel_id))
        elif isinstance(event, ChannelUserevent):
            for line in list(self._lines.values()):
                line.take(event)
            self._on_message(event)

    def _take_channel(self, event: StasisStart) -> None:
        if is_ear(event.channel_id):  # no call; and whoever wanted to hear with it has gone
            self._tasks.create_task(self._remove(event.channel_id))
            return
        kind = event.args[0] if event.args else ""
        entrance = self._entrances.get(kind)
        if entrance is None or self._is_draining:
            why = "draining" if entrance else "nobody waits for it"
            log.warning("channel_not_taken", channel=event.channel_id, entrance=kind, why=why)
            self._tasks.create_task(self._on_orphan(event.channel_id))
            return
        line = self._line(event)
        self._lines[event.channel_id] = line
        self.stream.open(event.channel_id, line.take)
        self._idle.clear()
        name = f"call {line.arrived.id}"
        self._calls[line] = self._tasks.create_task(self._converse(line, entrance), name=name)

    async def _take_orphans(self, channel_ids: Collection[str]) -> None:
        for channel_id in channel_ids:
            rid = self._remove if is_ear(channel_id) else self._on_orphan
            await rid(channel_id)

    # --- one call

    def _line(self, event: StasisStart) -> AsteriskLine:
        channel_id = event.channel_id

        def left() -> None:
            self._lines.pop(channel_id, None)
            self.stream.close(channel_id)

        return AsteriskLine(
            self._ari,
            self._app,
            arrival(event.channel, event.args, self._node),
            event.args,
            secure=self._secure,
            agents=self._agents,
            queues=self._queues,
            on_left=left,
        )

    async def _converse(self, line: AsteriskLine, entrance: OnCall) -> None:
        try:
            await entrance(line)
        except Exception as error:  # noqa: BLE001 - the task's outer edge: one call's fault is no other's
            # Neither its text nor what was around: in `saldo capture` that may be a card's digits.
            why, where = type(error).__name__, places_of(error)
            log.error("call_failed", call=line.arrived.id, why=why, where=where)  # noqa: TRY400
        finally:
            try:
                await self._see_off(line)
            finally:
                self._calls.pop(line, None)
                if not self._calls:
                    self._idle.set()

    async def _see_off(self, line: AsteriskLine) -> None:
        """Leave no channel behind, not even when the task is being cancelled."""
        await line.close()
        if line.has_left:
            return
        task = asyncio.current_task()
        if line.goes_back or (task is not None and task.cancelling()):
            await self._release(line.channel_id)
        else:
            try:
                await line.hang_up()
            except TelephonyError as error:
                log.warning("call_not_hung_up", call=line.arrived.id, why=str(error))
        self._lines.pop(line.channel_id, None)
        self.stream.close(line.channel_id)

    async def _remove(self, channel_id: str) -> None:
        """Hang up a channel that is no caller's."""
        try:
            await self._ari.hang_up(channel_id)
        except ChannelGone:
            return
        except TelephonyError as error:
            log.warning("channel_not_removed", channel=channel_id, why=str(error))

    async def _release(self, channel_id: str) -> None:
        """Hand a caller nobody talks to to the agents; without agents, hang up."""
        for pause in RELEASE_PAUSES_SECONDS:
            try:
                await self._hand_over(channel_id)
            except ChannelGone:
                return
            except TelephonyError as error:
                log.warning("caller_not_released", channel=channel_id, why=str(error))
                if isinstance(error, Refused):  # in the dial plan already
                    return
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
            else:
                return

    async def _hand_over(self, channel_id: str) -> None:
        if self._agents is None:
            await self._ari.hang_up(channel_id)
        else:
            context, extension = self._agents.context, self._agents.extension
            await self._ari.continue_in_dialplan(channel_id, context, extension)


def places_of(error: BaseException) -> list[str]:
    """The lines of code an error came through, outermost first, and nothing of what they held."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def arrival(channel: Channel, args: Collection[str], node: str) -> CallArrived:
    """What is known of a call when its channel enters our application."""
    dialled, *rest = [*list(args)[1:], ""]
    values = {key: value for key, has, value in (arg.partition("=") for arg in rest) if has}
    caller = channel.caller_number
    return CallArrived(
        id=uuid4().hex,
        channel_id=channel.id,
        sip_call_id=values.get("sip") or channel.protocol_id,
        caller=None if caller.lower() in HIDDEN_CALLERS else caller,
        dialled=dialled,
        node=node,
        at=datetime.now(UTC),
    )
