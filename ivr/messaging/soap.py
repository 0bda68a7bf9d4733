"""A company's CRM told by SOAP: which operation for which event, and its fields, by settings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import requests
import zeep
import zeep.exceptions
from requests.auth import HTTPBasicAuth
from zeep.helpers import serialize_object
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from ivr.billing.messages import Arrived, Delivery, Failed, Outcome

LITERAL = "="
"""a field's value that begins so is the rest of it, and not the name of a fact"""
THREADS = 2
OK = 200
WRONG_CALL = (zeep.exceptions.ValidationError, AttributeError, TypeError, KeyError)
"""what zeep raises for an operation or a field that the WSDL does not have"""


class FactMissing(Exception):
    """A field of the settings names a fact that this event does not have."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is called for one kind of event."""

    name: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """the operation's field, with dots for what is inside one → a fact such as service.external_id,
    or =text"""
    expects: Mapping[str, str] = field(default_factory=dict)
    """what must stand in the answer, by the same rule: services say no with a friendly 200 too"""


@dataclass(frozen=True, slots=True)
class SoapService:
    """Where, and who we are there."""

    wsdl: str
    """URL or path"""
    operations: Mapping[str, Operation]
    user: str = ""
    password: str = field(default="", repr=False)
    login: Literal["basic", "wsse"] = "basic"
    address: str = ""
    """another address than the WSDL's"""
    timeout_seconds: float = 15


class Soap:
    """Calls one service. zeep blocks, so it has threads of its own; close it."""

    def __init__(self, service: SoapService) -> None:
        self._service = service
        self._client: zeep.Client | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="soap")

    def close(self) -> None:
        """Take nothing new; a call under way ends by its own limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, delivery: Delivery) -> Outcome:
        """Call the operation of this kind once."""
        operation = self._service.operations.get(delivery.kind)
        if operation is None:
            return Failed(f"[soap] has no operation for {delivery.kind}", for_good=True)
        try:
            values = request(operation.fields, _facts(delivery))
        except FactMissing as error:
            return Failed(str(error), for_good=True)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._call, operation, values)

    def _call(self, operation: Operation, values: dict[str, Any]) -> Outcome:
        try:
            answer = serialize_object(self._operation(operation.name)(**values), dict)
        except zeep.exceptions.Fault as fault:
            return Failed(f"the service refused ({fault.code})", str(fault.message))
        except requests.RequestException as error:
            return Failed(f"the service was not reached ({type(error).__name__})")
        except zeep.exceptions.TransportError as error:
            answered = "no SOAP" if error.status_code == OK else str(error.status_code)
            return Failed(f"the service answered {answered}")
        except WRONG_CALL as error:
            return Failed(f"{operation.name} does not fit the WSDL ({type(error).__name__})")
        except (zeep.exceptions.Error, OSError, ValueError) as error:
            return Failed(f"the service cannot be understood ({type(error).__name__})")
        return _judged(operation, answer)

    def _operation(self, name: str) -> Any:
        if self._client is None:  # another thread may make one too: the later one stays
            self._client = self._connected()
        service = self._client.service
        if self._service.address:
            binding = str(service._binding.name)  # noqa: SLF001 - zeep names it nowhere else
            service = self._client.create_service(binding, self._service.address)
        return service[name]

    def _connected(self) -> zeep.Client:
        there = self._service
        session = requests.Session()
        session.max_redirects = 0
        if there.user and there.login == "basic":
            session.auth = HTTPBasicAuth(there.user, there.password)
        token = UsernameToken(there.user, there.password) if there.login == "wsse" else None
        seconds = there.timeout_seconds
        transport = Transport(session=session, timeout=seconds, operation_timeout=seconds)
        settings = zeep.Settings(forbid_dtd=True)
        return zeep.Client(there.wsdl, wsse=token, transport=transport, settings=settings)


def _facts(delivery: Delivery) -> dict[str, Any]:
    message = {
        **delivery.facts.get("message", {}),
        "id": delivery.message_id,
        "kind": delivery.kind,
        "happened_at": delivery.happened_at,
    }
    return {**delivery.facts, "message": message}


def request(fields: Mapping[str, str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The operation's values. Raises FactMissing."""
    values: dict[str, Any] = {}
    for place, source in fields.items():
        *outer, last = place.split(".")
        inside = values
        for name in outer:
            inside = inside.setdefault(name, {})
        inside[last] = source[1:] if source.startswith(LITERAL) else _fact(facts, source)
    return values


def _fact(facts: Mapping[str, Any], source: str) -> Any:
    noun, _, name = source.partition(".")
    try:
        value = facts[noun][name]
    except (KeyError, TypeError):
        raise FactMissing(f"[soap] names {source}, which this event does not have") from None
    if isinstance(value, date):  # a moment too: XML Schema has a T between day and time
        return value.isoformat()
    return value if isinstance(value, int | str | None) else str(value)


def _judged(operation: Operation, answer: Any) -> Outcome:
    said = answer if isinstance(answer, str) else json.dumps(answer, default=str)
    for place, wanted in operation.expects.items():
        found = answer
        for name in filter(None, place.split(".")):
            found = found.get(name) if isinstance(found, dict) else None
        if str(found) != wanted:
            return Failed(f"the service said no: {place or 'the answer'} is not {wanted}", said)
    return Arrived(said)
