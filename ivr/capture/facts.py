"""Asks the PBX for what the guard has to know: a handful of requests side by side, about 2 ms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from ivr.capture.doctor.running import LogFile, Standing, Subscriber, Trunk
from ivr.capture.guard import Facts
from ivr.telephony.muting import FILENAME, MARK

ANSWER_SECONDS = 3.0
SETTLED_SECONDS = 5.0
"""version and log destinations do not change quickly; subscribers and listeners are never kept"""
KEEP_ALIVE_SECONDS = 10.0
"""less than the PBX's 15 s, or a request meets the close"""
NOT_FOUND = 404
RUNNING, ONLINE = "Running", "online"
SIP = "PJSIP"

READS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "info": ("/asterisk/info", ("only",)),
    "logging": ("/asterisk/logging", ()),
    "applications": ("/applications", ()),
    "channels": ("/channels", ()),
    "bridges": ("/bridges", ()),
    "modules": ("/asterisk/modules", ()),
    "variable": ("/channels/{channelId}/variable", ("variable",)),
    "endpoints": ("/endpoints", ()),
    "object": ("/asterisk/config/dynamic/{configClass}/{objectType}/{id}", ()),
}
"""What is asked, all by GET: path and parameters by the PBX's own names (`/ari/api-docs`)."""
MAY_BE_MISSING = frozenset({"variable", "object"})


class FactsMissing(Exception):
    """The PBX did not answer, or not as Asterisk does: nothing is known, so nothing is safe."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What may be a few seconds old."""

    version: str
    logs: tuple[LogFile, ...]
    read_at: float


class FactReader:
    """A reader of one PBX. Use as `async with FactReader(...) as facts`."""

    def __init__(self, url: str, user: str, password: str, own_app: str) -> None:
        self._root = url.rstrip("/") + "/ari"
        self._authorization = aiohttp.encode_basic_auth(user, password)
        self._own_app = own_app
        self._settled: Settled | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": self._authorization},
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        )
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def read(
        self, channel_id: str, ears: Collection[str] = (), company: Collection[str] = ()
    ) -> Facts:
        """How things are for this channel and for our own ears on it. Raises FactsMissing.

        `company` is the bridge of ours that it is in, with the agent's channel.
        """
        with _understood():
            settled, applications, channels, bridges, tape, files, others = await asyncio.gather(
                self._settle(),
                self._ask("applications"),
                self._ask("channels"),
                self._ask("bridges"),
                self._tape(channel_id),
                asyncio.gather(*(self._variable(one, FILENAME) for one in ears)),
                asyncio.gather(*map(self._tape, company)),
            )
            return Facts(
                channel_id=channel_id,
                own_app=self._own_app,
                version=settled.version,
                logs=settled.logs,
                subscribers=tuple(_subscriber(body) for body in applications),
                channel_names={str(body["id"]): str(body["name"]) for body in channels},
                running={str(body["id"]): str(body["dialplan"]["app_name"]) for body in channels},
                bridges={str(body["id"]): _texts(body["channels"]) for body in bridges},
                recorded_to=tape[0],
                muting=tape[1],
                ears=frozenset(ears),
                ears_recorded_to=next(filter(None, files), ""),
                company=frozenset(company),
                company_recorded=tuple(others),
            )

    async def standing(self) -> Standing:
        """How things are whatever call is running. Raises FactsMissing."""
        with _understood():
            settled, applications, modules, trunks = await asyncio.gather(
                self._settle(), self._ask("applications"), self._ask("modules"), self._trunks()
            )
            return Standing(
                version=settled.version,
                logs=settled.logs,
                subscribers=tuple(_subscriber(body) for body in applications),
                modules=frozenset(
                    str(body["name"]).removesuffix(".so")
                    for body in modules
                    if str(body["status"]) == RUNNING
                ),
                trunks=trunks,
            )

    async def _trunks(self) -> tuple[Trunk, ...]:
        endpoints = [one for one in await self._ask("endpoints") if one["technology"] == SIP]
        found = await asyncio.gather(*map(self._trunk, endpoints))
        return tuple(one for one in found if one is not None)

    async def _trunk(self, body: Mapping[str, Any]) -> Trunk | None:
        """None for one that has no address of its own, such as a phone that logs in."""
        name = str(body["resource"])
        endpoint = await self._sip_object("endpoint", name)
        aors = [one.strip() for one in endpoint.get("aors", "").split(",")]
        places = [await self._sip_object("aor", one) for one in aors if one]
        there = [place for place in places if place.get("contact")]
        if not there:
            return None
        watched = any(int(place.get("qualify_frequency", "0")) > 0 for place in there)
        return Trunk(name, watched, str(body["state"]) == ONLINE)

    async def _sip_object(self, kind: str, name: str) -> dict[str, str]:
        """The settings that one object of SIP runs with; empty when there is none."""
        place = {"configClass": "res_pjsip", "objectType": kind, "id": name}
        found = await self._ask("object", place)
        return {str(one["attribute"]): str(one["value"]) for one in found or ()}

    async def _tape(self, channel_id: str) -> tuple[str, str]:
        """Where MixMonitor records it, and what was noted of its muting; empty for a bridge."""
        file, mark = await asyncio.gather(
            self._variable(channel_id, FILENAME), self._variable(channel_id, MARK)
        )
        return file, mark

    async def _variable(self, channel_id: str, name: str) -> str:
        variable = await self._ask("variable", {"channelId": channel_id}, variable=name)
        return str(variable["value"]) if variable else ""

    async def _settle(self) -> Settled:
        now = asyncio.get_running_loop().time()
        if self._settled is None or now - self._settled.read_at > SETTLED_SECONDS:
            info, logs = await asyncio.gather(
                self._ask("info", only="system"), self._ask("logging")
            )
            version = str(info["system"]["version"])
            self._settled = Settled(version, tuple(_log(body) for body in logs), now)
        return self._settled

    async def _ask(self, name: str, place: Mapping[str, str] | None = None, **query: str) -> Any:
        """The answer's JSON; None when there is no such thing."""
        named = {key: quote(value, safe="") for key, value in (place or {}).items()}
        path = READS[name][0].format(**named)
        async with self._session.get(self._root + path, params=query) as response:
            if response.status == NOT_FOUND and name in MAY_BE_MISSING:
                return None
            response.raise_for_status()
            return json.loads(await response.text())


@contextmanager
def _understood() -> Iterator[None]:
    """Whatever is no answer, or none that Asterisk would give, is a fact that is missing."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise FactsMissing(f"the PBX answered in an unknown way ({error!r})") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise FactsMissing(f"the PBX did not answer ({type(error).__name__})") from None


def _subscriber(body: Mapping[str, Any]) -> Subscriber:
    return Subscriber(str(body["name"]), _texts(body["channel_ids"]), _texts(body["endpoint_ids"]))


def _log(body: Mapping[str, Any]) -> LogFile:
    return LogFile(str(body["channel"]), frozenset(str(body["configuration"]).upper().split()))


def _texts(values: Iterable[object]) -> frozenset[str]:
    return frozenset(map(str, values))
