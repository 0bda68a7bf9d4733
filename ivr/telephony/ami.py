"""The PBX's manager interface (AMI): who waits in a queue, and channels outside our application.

panoramisk does the work. What its version 1.4 does by itself and may not do here: it sends a line
break inside a value as an action of its own; repeats unanswered actions after a reconnect; never
notices a peer that has gone silent; and reconnects at a fixed pace even after close().
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog
from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from ivr.telephony.errors import BadCredentials, PbxUnreachable, Refused, TelephonyError
from ivr.telephony.stream import pauses

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 2.0
"""a caller may be waiting for this answer"""
PING_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
NEVER_SECONDS = 10**8
"""panoramisk's own pings, which nobody would look at, are not wanted"""
LONGEST_MESSAGE_BYTES = 1 << 20
END_OF_MESSAGE = b"\r\n\r\n"
REFUSED_STATUS = 400
NOTHING_LISTENS = "Cannot set mute flag"
"""what the PBX says when nothing at all listens to the channel"""

_silent = logging.getLogger(f"{__name__}.panoramisk")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False  # panoramisk logs whole actions, secrets included


@dataclass(frozen=True, slots=True)
class Destination:
    """Where in the dial plan a channel is to go."""

    channel: str
    """the PBX's name of it"""
    extension: str


class _Protocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """Passes on whole messages only: panoramisk loses a letter that two packets share."""

    _rest = b""

    def data_received(self, data: bytes) -> None:
        whole, end, self._rest = (self._rest + data).rpartition(END_OF_MESSAGE)
        if len(self._rest) > LONGEST_MESSAGE_BYTES:
            self.transport.abort()
        elif end:
            super().data_received(whole + end)


class _Manager(Manager):  # type: ignore[misc]  # panoramisk has no types
    """Connects once and says when the connection is lost; what to do then is our decision."""

    def __init__(self, **config: Any) -> None:
        self.lost = asyncio.Event()
        super().__init__(**config)

    def connection_made(self, f: asyncio.Task[Any]) -> None:
        if not f.cancelled() and f.exception() is None:
            super().connection_made(f)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - panoramisk's name
        self.awaiting_actions.clear()  # nothing is sent twice
        if self.pinger is not None:
            self.pinger.cancel()
        self.lost.set()

    async def send_awaiting_actions(self, *_: object) -> None:
        """Nothing: an action whose fate is unknown is never repeated."""


class Ami:
    """One connection to the manager interface, kept by `run()`."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        secret: str,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self.connected = asyncio.Event()
        self._where = f"{host}:{port}"
        self._credentials = {"Username": _clean(user), "Secret": _clean(secret)}
        self._config: dict[str, Any] = {
            "host": host,
            "port": port,
            # Without a user name, so that we log in ourselves and learn how that went.
            "ping_delay": NEVER_SECONDS,
            "ping_interval": NEVER_SECONDS,
            "protocol_factory": _Protocol,
            "log": _silent,
        }
        self._answer_seconds = answer_seconds
        self._ping_seconds = ping_seconds
        self._manager: _Manager | None = None

    async def run(self) -> NoReturn:
        """Stay connected for ever; `connected` is set while we are.

        Never gives up: calls do not need the manager interface, they only know less without it.
        """
        pause = pauses(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            try:
                await self._connect()
                pause = pauses(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
                log.info("manager_connected", where=self._where)
                await self._watch()
            except TelephonyError as error:
                log.warning("manager_away", where=self._where, why=str(error))
            finally:
                self._disconnect()
            await asyncio.sleep(pause())

    async def check(self) -> None:
        """Connect, ask, and leave again, without `run()`.

        Raises:
            PbxUnreachable, BadCredentials: what is wrong, in one sentence.
        """
        try:
            await self._connect()
            await self.ping()
        finally:
            self._disconnect()

    async def ping(self) -> None:
        """Return when the PBX answered.

        Raises:
            PbxUnreachable: it did not, or we are not connected.
        """
        await self._act({"Action": "Ping"})

    async def queue_members_available(self, queue: str) -> int | None:
        """How many agents are logged in to the queue, busy or not; None when nobody can say.

        None also when there is no such queue or the PBX does not answer.
        """
        try:
            answer = await self._act({"Action": "QueueSummary", "Queue": queue})
        except (PbxUnreachable, Refused) as error:
            log.warning("queue_unknown", queue=queue, why=str(error))
            return None
        for message in answer:
            logged_in = str(message.get("LoggedIn", ""))
            if message.get("Queue") == queue and logged_in.isdecimal():
                return int(logged_in)
        return None

    async def mute_recordings(self, channel: str, *, muted: bool) -> None:
        """Mute or un-mute, both ways, every MixMonitor of a channel; harmless when it has none.

        `channel` is the PBX's name or id of it. Raises PbxUnreachable, and Refused when there is no
        such channel or our user may not do that.
        """
        action = {"Action": "MixMonitorMute", "Channel": channel, "Direction": "both"}
        try:
            await self._act({**action, "State": "1" if muted else "0"})
        except Refused as error:
            if NOTHING_LISTENS not in str(error):
                raise

    async def variable(self, channel: str, name: str) -> str:
        """A variable of a channel, wherever the channel is; empty when it has none of that name.

        Raises PbxUnreachable, and Refused when there is no such channel.
        """
        answer = await self._act({"Action": "Getvar", "Channel": channel, "Variable": name})
        return str(next(iter(answer)).get("Value", ""))

    async def set_variable(self, channel: str, name: str, value: str) -> None:
        """Set a variable of a channel, wherever the channel is.

        `channel` is the PBX's name of it, such as PJSIP/trunk-00000001. Raises PbxUnreachable, and
        Refused when there is no such channel.
        """
        await self._act({"Action": "Setvar", "Channel": channel, "Variable": name, "Value": value})

    async def redirect(self, context: str, first: Destination, second: Destination) -> None:
        """Take two channels out of whatever they do and start each at its place in the dial plan.

        Both at once: the first one to go would else end the bridge, and with it the other's call.
        Raises PbxUnreachable, and Refused when a channel is gone or not answered.
        """
        await self._act(
            {
                "Action": "Redirect",
                "Channel": first.channel,
                "Context": context,
                "Exten": first.extension,
                "Priority": "1",
                "ExtraChannel": second.channel,
                "ExtraContext": context,
                "ExtraExten": second.extension,
                "ExtraPriority": "1",
            }
        )

    async def _connect(self) -> None:
        manager = _Manager(**self._config)
        try:
            async with asyncio.timeout(self._answer_seconds):
                await manager.connect()
        except (OSError, TimeoutError):
            raise PbxUnreachable(
                f"the PBX's manager interface cannot be reached at {self._where}: "
                "check asterisk.ami_host and ami_port in saldo.toml and the PBX's manager.conf"
            ) from None
        self._manager = manager
        try:
            await self._act({"Action": "Login", "Events": "off", **self._credentials})
        except Refused:
            raise BadCredentials(
                "the PBX does not accept our AMI user and secret: compare asterisk.ami_user and "
                "ami_secret in saldo.toml with the PBX's manager.conf"
            ) from None
        self.connected.set()

    async def _watch(self) -> None:
        """Return when the connection is lost, also when the peer only fell silent."""
        manager = self._manager
        while manager is not None:
            try:
                async with asyncio.timeout(self._ping_seconds):
                    await manager.lost.wait()
                raise PbxUnreachable("the PBX closed the manager connection")
            except TimeoutError:
                await self.ping()

    def _disconnect(self) -> None:
        self.connected.clear()
        manager, self._manager = self._manager, None
        if manager is not None and manager.protocol is not None:
            # Not close(): it waits until a peer that is gone has taken what is still to be sent.
            manager.protocol.transport.abort()

    async def _act(self, action: Mapping[str, str]) -> Iterable[Any]:
        manager = self._manager
        if manager is None or manager.lost.is_set():
            raise PbxUnreachable(f"the manager interface at {self._where} is not connected")
        clean = {_clean(key): _clean(value) for key, value in action.items()}
        lost = asyncio.ensure_future(manager.lost.wait())
        answer = manager.send_action(clean)
        try:
            await asyncio.wait(
                {answer, lost},
                timeout=self._answer_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            lost.cancel()
            _forget(manager, answer)
        if not answer.done() or answer.cancelled():
            raise PbxUnreachable(f"the PBX did not answer the manager action {clean['Action']}")
        messages = answer.result() if isinstance(answer.result(), list) else [answer.result()]
        if not messages[0].success:
            raise Refused(
                REFUSED_STATUS,
                f"the PBX refused the manager action {clean['Action']}: {messages[0].message}",
            )
        return messages


def _forget(manager: _Manager, answer: asyncio.Future[Any]) -> None:
    """Take an action without an answer out of panoramisk's list, where it would stay for ever."""
    if answer.done():
        return
    for key, action in list(manager.protocol.responses.items()):
        if action.future is answer:
            del manager.protocol.responses[key]
    answer.cancel()


def _clean(text: str) -> str:
    """The text itself; a line break would begin an action of its own."""
    if "\r" in text or "\n" in text:
        raise ValueError("a manager action may not contain a line break")
    return text
